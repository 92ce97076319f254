"""A look-ahead limiter: the true peak stays under a ceiling, by a gain that falls before a peak and rises after it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import CEILING_DBTP, OVERSAMPLING, rectify, true_peak

_REACH_S = 0.015
"""Before and after a peak: a period of the lowest voices, so that the gain does not follow single periods."""
_AIM_DBTP = CEILING_DBTP - 0.2  # meters with other interpolation filters differ by about so much


def limit(audio: Audio) -> Audio:
    """The sound with a true peak of at most `CEILING_DBTP`; itself if that is so already.

    The gain of a sample is a weighted mean, over the reach, of the least gains that any sample within the reach needs.
    It is never above what the sample itself needs, and as smooth as the weights.
    """
    if true_peak(audio) <= _AIM_DBTP:
        return audio
    ceiling = 10 ** (_AIM_DBTP / 20)
    needed = np.minimum(1.0, ceiling / np.maximum(_peaks(audio), ceiling))
    reach = max(1, round(_REACH_S * audio.sample_rate))
    weights = np.hanning(2 * reach + 3)[1:-1]
    least = _least_around(needed, 2 * reach)
    gain = np.convolve(least, weights / weights.sum(), "valid")
    limited = Audio((audio.samples * gain).astype(np.float32), audio.sample_rate)
    over_db = max(0.0, true_peak(limited) - _AIM_DBTP)  # a changing gain moves the peaks between samples
    return Audio(limited.samples * np.float32(10 ** (-over_db / 20)), audio.sample_rate)


def _peaks(audio: Audio) -> npt.NDArray[np.float64]:
    """(n,): the true peak from each sample to the next."""
    count = len(audio.samples)
    magnitudes = rectify(audio)
    padded = np.zeros(OVERSAMPLING * count, np.float64)
    padded[: len(magnitudes)] = magnitudes[: len(padded)]
    peaks: npt.NDArray[np.float64] = np.maximum(padded.reshape(count, OVERSAMPLING).max(axis=1), np.abs(audio.samples))
    return peaks


def _least_around(needed: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    """(n + reach,): at each place the least of the `reach` + 1 values up to it, and on beyond the end."""
    least = np.pad(needed, reach, constant_values=1.0)
    width = 1
    while width < reach + 1:  # windows of a power of two, then one overlap: log2(reach) passes
        step = min(width, reach + 1 - width)
        least = np.minimum(least[:-step], least[step:])
        width += step
    return least


def amplify(samples: Samples, gain_db: float) -> Samples:
    """The samples at a gain in dB; themselves at none."""
    return samples if gain_db == 0.0 else samples * np.float32(math.pow(10, gain_db / 20))
