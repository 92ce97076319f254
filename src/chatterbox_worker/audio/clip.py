"""`Audio`: mono sound as a value, used throughout the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound. Never mutated: every operation returns a new one."""

    samples: Samples
    """Shape (n,), float32; full scale is ±1.0."""
    sample_rate: int
    """Hertz."""

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate

    def pcm16(self) -> bytes:
        """16-bit little-endian samples; values beyond full scale are clipped, never wrapped."""
        return (np.clip(self.samples, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes()


def silence(duration_s: float, sample_rate: int) -> Audio:
    return Audio(np.zeros(round(duration_s * sample_rate), np.float32), sample_rate)


def concatenate(clips: Sequence[Audio]) -> Audio:
    """The clips in sequence; raises ValueError for no clips or for mixed sample rates."""
    if len({clip.sample_rate for clip in clips}) != 1:
        raise ValueError(f"cannot concatenate clips of rates {sorted({clip.sample_rate for clip in clips})}")
    return Audio(np.concatenate([clip.samples for clip in clips]), clips[0].sample_rate)


def audio_of_pcm(pcm: bytes, sample_rate: int) -> Audio:
    """The inverse of `Audio.pcm16`, to the bit."""
    return audio_of_integers(np.frombuffer(pcm, "<i2"), sample_rate)


def audio_of_integers(samples: npt.NDArray[np.int16], sample_rate: int) -> Audio:
    """The same for samples (n,) that are numbers already."""
    return Audio((samples / np.float32(32767.0)).astype(np.float32), sample_rate)
