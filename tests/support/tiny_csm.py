"""CSM's engine on the tiny synthetic checkpoint, and transformers' own `generate` as the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import DEFAULT_VOICE, Adapter, Factors, Turn, Utterance, Voice, VoiceDetails
from chatterbox_worker.engines.chatterbox.training.module import TARGETS
from chatterbox_worker.engines.csm.engine import CsmEngine
from chatterbox_worker.engines.csm.model import Csm
from chatterbox_worker.engines.csm.take import CsmTake
from chatterbox_worker.voices.conditioning import ConditioningStore
from support.checkpoints import checkpoint

FRAME_S = 0.08
BASE = "ab" * 32


class Unmarked:
    """In the watermark's place, to compare sound without one."""

    def mark(self, audio: Audio) -> Audio:
        return audio


@cache
def csm() -> Csm:
    """Shared: do not change it."""
    return Csm.load(checkpoint("csm"), torch.device("cpu"), torch.float32)


def engine(
    folder: Path, *, slots: int = 1, model: Csm | None = None, watermark: Any = None, base: str | None = None
) -> CsmEngine:
    store = ConditioningStore(folder / ".conditioning", 10**7)
    return CsmEngine(model or csm(), "tiny", store, watermark or Unmarked(), slots=slots, base=base)


def adapter(rank: int = 4, *, seed: int = 0, size: float = 1.0, base: str = BASE) -> Adapter:
    """Random numbers for the attention of the tiny backbone and depth decoder; `size` 0 makes one without effect."""
    random = np.random.default_rng(seed)
    linear = {name: each for name, each in csm().model.named_modules() if name.endswith(TARGETS["llama"])}
    factors = {
        name: Factors(
            random.standard_normal((rank, each.in_features)).astype(np.float32) / 8,
            random.standard_normal((each.out_features, rank)).astype(np.float32) * np.float32(size) / 8,
        )
        for name, each in linear.items()
        if not name.startswith("codec_model.")
    }
    return Adapter("csm", base, rank, 2.0 * rank, factors)


def hum(seconds: float = 1.5, pitch: float = 180.0) -> Audio:
    time = np.arange(round(seconds * 24_000)) / 24_000
    return Audio((0.3 * np.sin(2 * np.pi * pitch * time) * (1 + 0.5 * np.sin(40 * time))).astype(np.float32), 24_000)


def alice(words: str | None = "This is what Alice says.", seconds: float = 1.5) -> Voice:
    return Voice("alice", f"{seconds}".ljust(64, "a"), hum(seconds), details=VoiceDetails(words))


def turn(text: str, pitch: float, speaker: int) -> Turn:
    return Turn(text, hum(1.0, pitch), speaker, f"{pitch:g}".ljust(64, "b"))


def say(
    text: str = "How are you today?", *, seed: int = 1, voice: Voice = DEFAULT_VOICE, max_s: float = 0.8, **more: Any
) -> Utterance:
    more.setdefault("sampling", MODELS["csm"].sampling)
    return Utterance(text, "en", voice, seed=seed, max_s=max_s, **more)


def sound_of(take: CsmTake) -> Samples:
    return np.concatenate([piece.samples for piece in take])


def generate(
    turns: Sequence[tuple[int, str, Audio | None]], *, seed: int, frames: int, **sampling: Any
) -> tuple[Any, Samples]:
    """Codes (frames, codebooks) and sound of a conversation's last turn, by transformers' processor and `generate`."""
    from transformers import CsmProcessor

    conversation = [
        {"role": str(speaker), "content": [{"type": "text", "text": text}]
         + ([] if clip is None else [{"type": "audio", "path": clip.samples}])}
        for speaker, text, clip in turns
    ]  # fmt: skip
    processor = CsmProcessor.from_pretrained(checkpoint("csm"))
    inputs = processor.apply_chat_template(conversation, tokenize=True, return_dict=True)
    options = {"do_sample": True, "temperature": 0.9, "top_k": 50} | sampling
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    output = csm().model.generate(
        **inputs, **options, **{f"depth_decoder_{name}": value for name, value in options.items()},
        max_new_tokens=frames, output_audio=True, return_dict_in_generate=True,
    )  # fmt: skip
    torch.random.set_rng_state(state)
    samples: Samples = output.audio[0].numpy()
    return output.sequences[0].tolist(), samples
