"""Our T3 with the weights of upstream's narrow one, and the text, the voices and the noise that both are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.t3_oracle import Voice, oracle_t3, random_voice

CPU = torch.device("cpu")
TEXT = [255, 17, 40, 9, 9, 300, 2, 0]
VOICES: Mapping[str, Voice] = {
    "multilingual": random_voice(seed=2),
    "english": random_voice(seed=1),
    "turbo": random_voice(seed=1, prompt=60, emotion=None),
}
LLAMA_DEFAULTS = Sampling(temperature=0.8, repetition_penalty=1.2, min_p=0.05, cfg_weight=0.5)
DEFAULTS: Mapping[str, Sampling] = {
    "multilingual": LLAMA_DEFAULTS,
    "english": LLAMA_DEFAULTS,
    "turbo": Sampling(temperature=0.8, repetition_penalty=1.2, top_p=0.95, top_k=1000),
}
Noise = Callable[[Tensor, int], Tensor]


@cache
def upstream(model: str, seed: int = 0) -> Any:
    """Upstream's module. Shared: do not change it."""
    return oracle_t3(model, seed=seed)


@cache
def ours(model: str, precision: Precision = Precision.EXACT) -> T3:
    """Shared: do not change it."""
    return T3(upstream(model).state_dict(), precision=precision, device=CPU)


def forced_noise(tokens: Sequence[int]) -> Noise:
    """Noise under which step i draws tokens[i], whatever its logits are."""

    def noise(steps: Tensor, vocabulary: int) -> Tensor:
        exponential = torch.full((len(steps), vocabulary), 1e30)
        for row, step in enumerate(steps):
            exponential[row, tokens[int(step)]] = 1e-35
        return exponential

    return noise


def encode(t3: T3, voice: Voice) -> Prefix:
    return t3.encode(voice.speaker, voice.prompt, voice.emotion)


def occupy(
    slots: Slots,
    slot: int,
    model: str,
    *,
    text: Sequence[int] = TEXT,
    sampling: Sampling | None = None,
    seed: int = 0,
    voice: Voice | None = None,
    tokens: Sequence[int] = (),
    observe: bool = False,
) -> None:
    """Start an utterance in the slot, in the model's voice and with its defaults if nothing else is given."""
    prefix = encode(slots.t3, voice or VOICES[model])
    slots.prefill(slot, prefix, text, sampling or DEFAULTS[model], seed, tokens=tokens, observe=observe)


def generate(slots: Slots, steps: int, slot: int = 0) -> list[int]:
    """The tokens of one slot over so many steps."""
    return [int(slots.step()[slot]) for _ in range(steps)]


def largest_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest difference of any row's logits at any step, relative to that row's largest logit."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(((a - b).abs().amax(-1) / b.abs().amax(-1)).max()) for a, b in pairs)
