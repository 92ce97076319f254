"""`ChatterboxEngine`: one checkpoint of the family, loaded once, speaking for everyone.

Puts the rooms of this folder together: text becomes ids, a recording becomes a voice, T3's batch makes tokens, S3Gen
makes sound of them, and nothing leaves without the watermark.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from huggingface_hub import constants
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint import (
    load_default_conditionals,
    load_s3gen_state,
    load_t3_state,
)
from chatterbox_worker.engines.chatterbox.conditioning import Conditioning, condition
from chatterbox_worker.engines.chatterbox.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.flow import Prompt
from chatterbox_worker.engines.chatterbox.layout import (
    LAYOUTS,
    MAX_SPEECH_TOKENS,
    SAMPLE_RATE,
    SPEECH_CODES,
    START_TEXT,
    STOP_TEXT,
    TOKEN_RATE,
    Layout,
)
from chatterbox_worker.engines.chatterbox.s3gen import Line, S3Gen
from chatterbox_worker.engines.chatterbox.sampling import Sampling
from chatterbox_worker.engines.chatterbox.scheduler import Scheduler, Speaking, is_device_failure
from chatterbox_worker.engines.chatterbox.t3 import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3_linear import Precision
from chatterbox_worker.engines.chatterbox.t3_slots import Slots
from chatterbox_worker.engines.chatterbox.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.tokenizer import TextTokenizer, load_tokenizer
from chatterbox_worker.engines.chatterbox.watermark import Watermark
from chatterbox_worker.engines.chatterbox.weights import find
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError
from chatterbox_worker.utterance import Utterance, Voice
from chatterbox_worker.voices.conditioning import ConditioningKey, ConditioningStore

log = logging.getLogger(__name__)

_TEXT_TOKENS = 512  # room for a chunk: 500 characters at most, about one token each
_PREFIXES = 8  # voices kept ready on the device; turbo's prefix takes 37 MB in bf16
_CPU_SLOTS = 4  # as many rows as a matrix product costs no more for than one (t3_linear)
_GPU_SLOTS = 16


class Marker(Protocol):
    """Whatever puts the watermark in."""

    def mark(self, audio: Audio) -> Audio:
        """As long as `audio`, at the same rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What an engine is made of."""

    layout: Layout
    t3: T3
    s3gen: S3Gen
    tokenizer: TextTokenizer
    default_voice: Conditioning
    encoders: ReferenceEncoders
    watermark: Marker


class ChatterboxEngine:
    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        parts: Parts,
        revision: str,
        store: ConditioningStore,
        *,
        slots: int,
        max_tokens: int = MAX_SPEECH_TOKENS,
    ) -> None:
        """`max_tokens` is where a take that does not end by itself is ended, with a warning."""
        self._parts = parts
        self._max_tokens = max_tokens
        self._store = store
        self._checkpoint_revision = revision
        device = parts.t3.device
        self.device = str(device)
        self.device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        self.revision = f"{parts.layout.name}@{revision}/{parts.t3.precision.value}"
        prefix_tokens = 1 + parts.layout.prompt_tokens if parts.layout.is_gpt else 34  # chatterbox.md 1.1
        length = prefix_tokens + _TEXT_TOKENS + max_tokens
        self._scheduler = Scheduler(Slots(parts.t3, slots, length), self._enqueue, name=parts.layout.name)
        self._voices = ThreadPoolExecutor(1, thread_name_prefix="voices")
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="render") if device.type == "cuda" else None
        self._prefixes: OrderedDict[tuple[str, float | None], Future[Prefix]] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str, settings: Settings, store: ConditioningStore) -> ChatterboxEngine:
        """The engine of a model or pack, ready to speak.

        Raises:
            NotReady: its weights are missing or broken.
        """
        layout = LAYOUTS[name]
        checkpoint = find(layout, weights_dir=settings.weights_dir, offline=constants.HF_HUB_OFFLINE)
        device = _device(settings.device)
        fast = settings.profile == "fast" or (settings.profile == "auto" and device.type == "cuda")
        parts = Parts(
            layout=layout,
            t3=T3(load_t3_state(checkpoint), precision=Precision.FAST if fast else Precision.EXACT, device=device),
            s3gen=S3Gen.from_state(
                load_s3gen_state(checkpoint, "flow.", "mel2wav."), device=device, profile="fast" if fast else "exact"
            ),
            tokenizer=load_tokenizer(checkpoint),
            default_voice=load_default_conditionals(checkpoint),
            encoders=ReferenceEncoders(checkpoint, device),
            watermark=Watermark(device),
        )
        return cls(parts, checkpoint.revision, store, slots=_GPU_SLOTS if device.type == "cuda" else _CPU_SLOTS)

    def submit(self, utterance: Utterance) -> ChatterboxTake:
        sampling = dict(utterance.sampling)
        emotion = sampling.pop("exaggeration", None)
        take = ChatterboxTake(utterance, self._scheduler.wake)
        self._scheduler.submit(
            Speaking(
                take=take,
                text_ids=self._text_ids(utterance),
                sampling=Sampling(**sampling),  # type: ignore[arg-type]  # top_k is whole, the parser saw to it
                prefix=self._prefix(utterance.voice, emotion),
                max_tokens=self._max_tokens,
            )
        )
        return take

    def mark(self, audio: Audio) -> Audio:
        return self._parts.watermark.mark(audio)

    def close(self) -> None:
        self._scheduler.close()
        self._voices.shutdown(cancel_futures=True)
        if self._renderer is not None:
            self._renderer.shutdown()

    def _text_ids(self, utterance: Utterance) -> list[int]:
        ids = self._parts.tokenizer.encode(utterance.text, utterance.language)
        return ids if self._parts.layout.is_gpt else [START_TEXT, *ids, STOP_TEXT]  # as upstream's generate() pads

    def _prefix(self, voice: Voice, emotion: float | None) -> Future[Prefix]:
        """The voice as T3 keeps it, being made on a thread of its own unless it is at hand."""
        key = (voice.digest, emotion)
        with self._lock:
            future = self._prefixes.get(key)
            if future is None or (future.done() and future.exception() is not None):
                future = self._prefixes[key] = self._voices.submit(self._make_prefix, voice, emotion)
            self._prefixes.move_to_end(key)
            while len(self._prefixes) > _PREFIXES:
                self._prefixes.popitem(last=False)
            return future

    def _make_prefix(self, voice: Voice, emotion: float | None) -> Prefix:
        conditioning = self._conditioning(voice)
        prompt = conditioning.speech_tokens[0]
        return self._parts.t3.encode(conditioning.speaker_emb[0], prompt, emotion)

    def _conditioning(self, voice: Voice) -> Conditioning:
        """What the model hears in the voice: its own, or that of the recording, worked out once for all workers."""
        if voice.clip is None:
            return self._parts.default_voice
        clip, parts = voice.clip, self._parts
        kept = self._store.get_or_compute(
            ConditioningKey(voice.digest, f"{parts.layout.name}-{self._checkpoint_revision}"),
            lambda: condition(clip, parts.layout, parts.encoders).arrays(),
        )
        return Conditioning.from_arrays(kept)

    def _enqueue(self, speaking: Speaking) -> None:
        """On a GPU sound is made beside T3; on a CPU the two would only take the cores from each other."""
        if self._renderer is None:
            self._render(speaking)
        else:
            self._renderer.submit(self._render, speaking)

    def _render(self, speaking: Speaking) -> None:
        take = speaking.take
        if take.is_cancelled:
            return
        try:
            take.put(self._sound(speaking))
            take.end()
        except WorkerError as error:
            take.fail(error)
        except Exception as error:  # a thread's edge: an error nobody catches would leave the reader waiting
            log.exception("a take could not be rendered")
            gone = is_device_failure(error)
            take.fail(
                DeviceFailed("the GPU failed; this worker asks to be replaced")
                if gone
                else SynthesisFailed("the engine failed while making sound")
            )

    def _sound(self, speaking: Speaking) -> Audio:
        """Tokens to watermarked sound, with upstream's tail of silence and its cut of the last token."""
        take, layout = speaking.take, self._parts.layout
        codes = [token for token in speaking.tokens if token < SPEECH_CODES]
        if not codes:
            raise SynthesisFailed("the model had nothing to say for this text; try another seed or a longer text")
        samples = self._spoken(torch.tensor([*codes, *layout.silence_tail]), take)
        if layout.cuts_last_token and len(samples) > SAMPLE_RATE // TOKEN_RATE:
            samples = samples[: -SAMPLE_RATE // TOKEN_RATE]
        started_s = time.perf_counter()
        marked = self._parts.watermark.mark(Audio(samples, SAMPLE_RATE))
        take.spent("watermark_s", time.perf_counter() - started_s)
        return marked

    def _spoken(self, codes: Tensor, take: ChatterboxTake) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        voice = self._conditioning(take.utterance.voice)
        prompt = Prompt(voice.prompt_token[0], voice.prompt_feat[0], voice.embedding[0])
        s3gen = self._parts.s3gen
        generator = torch.Generator(s3gen.device).manual_seed(take.utterance.seed)
        spoken = s3gen.speak([Line(codes, prompt, s3gen.draw(len(codes), prompt, generator))])
        for stage, seconds in spoken.timings.items():
            take.spent(stage, seconds)
        samples: np.ndarray[tuple[int], np.dtype[np.float32]] = spoken.sounds[0].cpu().numpy()
        return samples


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device("cuda:0" if wanted == "cuda" else wanted)
