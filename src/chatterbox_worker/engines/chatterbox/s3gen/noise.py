"""The random numbers of an utterance: the flow's, the phases and the source's, from its seed alone (`counter`).

A number belongs to its frame or sample, so an utterance has the same noise whole, in hops, in any batch and on any
device. T3 draws from the same function of the seed, with steps from 0 on as its streams; these streams are below 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.counter import keys, normal, uniform
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, Prompt
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN, MAX_FRAMES
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME

_MEL, _SOURCE, _PHASE = -1000, -2000, -3000  # the first stream of each kind; further ones are below it


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """The random numbers of one row."""

    mel: Tensor
    """(80, 2(P+T)) normal, by absolute frame, the prompt's first."""
    phase: Tensor
    """(9,) radians."""
    source: Tensor
    """(9, 480·frames) normal, by absolute sample of the utterance."""


class SeededNoise:
    """The noise of one utterance, computed when and as far as it is needed."""

    def __init__(self, seed: int, device: torch.device) -> None:
        """`seed` is 0 to 2**63 - 1."""
        self._seed = torch.full((1,), seed, dtype=torch.int64, device=device)
        phase = uniform(self._keys(_PHASE, 1), HARMONICS)[0]
        self.phase = (phase * 2 - 1) * math.pi
        """(9,) radians, uniform over ±π."""

    def mel(self, frames: int) -> Tensor:
        """(80, frames) normal; the prompt's frames are the first."""
        return normal(self._keys(_MEL, MEL_BANDS), frames)

    def source(self, start: int, end: int) -> Tensor:
        """(9, end - start) normal, for these samples of the utterance."""
        return normal(self._keys(_SOURCE, HARMONICS), end - start, start)

    def whole(self, prompt: Prompt, tokens: int) -> Noise:
        """All noise of an utterance of this many tokens.

        Raises ValueError for more than the flow can take, whose noise would take seconds.
        """
        frames = FRAMES_PER_TOKEN * (len(prompt.tokens) + tokens)
        if frames > MAX_FRAMES:
            raise ValueError(f"{frames} frames of noise are more than the {MAX_FRAMES} that the flow can take")
        samples = SAMPLES_PER_FRAME * (frames - len(prompt.mel))
        return Noise(self.mel(frames), self.phase, self.source(0, samples))

    def _keys(self, first: int, count: int) -> Tensor:
        return keys(self._seed, torch.arange(first, first - count, -1, device=self._seed.device))
