"""Loudness by ITU-R BS.1770-4, and sound brought to a loudness.

For one channel at 24 kHz, with the filters and the rounding of the pyloudnorm package, which turbo and nano were
trained with: numpy needs a few milliseconds for it, and importing scipy for the package's filters takes a second.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.catalogue import MODEL_RATE

_RATE = MODEL_RATE
_BLOCK_S = 0.4
_STEP = 0.25  # of a block
_OFFSET_LU = -0.691
_SILENT_LUFS, _GATE_LU = -70.0, -10.0
_SIZE = 16_384  # samples of a block of the spectrum, which stays in the processor's cache
_TAIL = 4096  # samples after which the filters' response is below float64's precision: (n·w)·exp(-n·w), w of 38 Hz

Numbers = npt.NDArray[np.float64]


def at_loudness(speech: Samples, target_lufs: float) -> Samples:
    """24 kHz `speech` (samples,) at an integrated loudness; unchanged if it is silent or shorter than 0.4 s."""
    loudness_lufs = integrated_loudness(speech)
    if not math.isfinite(loudness_lufs):
        return speech
    return speech * np.float32(10.0 ** ((target_lufs - loudness_lufs) / 20.0))


def integrated_loudness(speech: Samples) -> float:
    """LUFS of 24 kHz `speech` (samples,), minus infinity for silence: the mean of the blocks that pass two gates."""
    power = _block_power(_weigh(speech))
    power = power[_lufs(power) >= _SILENT_LUFS]
    if not len(power):
        return -math.inf
    power = power[_lufs(power) > _lufs(power.mean()) + _GATE_LU]
    return float(_lufs(power.mean()))


def loudness(audio: Audio) -> float:
    """LUFS of sound of any length and rate; what is shorter than a block of 0.4 s is measured as if it went on."""
    samples = resample(audio, _RATE).samples
    return integrated_loudness(np.resize(samples, max(len(samples), round(_BLOCK_S * _RATE))))


def _lufs(power: npt.ArrayLike) -> Numbers:
    with np.errstate(divide="ignore"):
        lufs: Numbers = _OFFSET_LU + 10.0 * np.log10(power)
    return lufs


def _block_power(weighted: Numbers) -> Numbers:
    """Mean squares of blocks of 0.4 s every 0.1 s; the last one may end in silence."""
    count = round((len(weighted) / _RATE - _BLOCK_S) / (_BLOCK_S * _STEP)) + 1
    index = np.arange(max(count, 0))
    total = np.concatenate([[0.0], np.cumsum(np.square(weighted))])
    start, end = ((_BLOCK_S * (index * _STEP + blocks) * _RATE).astype(int) for blocks in (0, 1))
    power: Numbers = (total[np.minimum(end, len(weighted))] - total[start]) / (_BLOCK_S * _RATE)
    return power


def _weigh(speech: Samples) -> Numbers:
    """The K-weighted signal: blocks of the spectrum, each with as much before it as the filters' response lasts."""
    step = _SIZE - _TAIL
    count = -(-len(speech) // step)
    padded = np.zeros(_TAIL + count * step)
    padded[_TAIL : _TAIL + len(speech)] = speech
    blocks = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::step]
    weighted: Numbers = np.fft.irfft(np.fft.rfft(blocks) * _response(), _SIZE)[:, _TAIL:].reshape(-1)[: len(speech)]
    return weighted


@cache
def _response() -> npt.NDArray[np.complex128]:
    """Of both filters, shape (_SIZE // 2 + 1,)."""
    response = np.ones(_SIZE // 2 + 1, np.complex128)
    for above, below in (_high_shelf(), _high_pass()):
        response *= np.fft.rfft(above, _SIZE) / np.fft.rfft(below, _SIZE)
    return response


# Robert Bristow-Johnson's cookbook for audio equalizer biquads: numerator and denominator in powers of 1/z.


def _high_shelf() -> tuple[Numbers, Numbers]:
    """4 dB more above 1500 Hz."""
    gain, cosine, alpha = 10 ** (4.0 / 40), *_angles(1500.0, math.sqrt(0.5))
    slope = 2 * math.sqrt(gain) * alpha
    more, less = gain + 1, gain - 1
    return (
        gain * np.array([more + less * cosine + slope, -2 * (less + more * cosine), more + less * cosine - slope]),
        np.array([more - less * cosine + slope, 2 * (less - more * cosine), more - less * cosine - slope]),
    )


def _high_pass() -> tuple[Numbers, Numbers]:
    cosine, alpha = _angles(38.0, 0.5)
    return np.array([0.5, -1.0, 0.5]) * (1 + cosine), np.array([1 + alpha, -2 * cosine, 1 - alpha])


def _angles(corner_hz: float, q: float) -> tuple[float, float]:
    """cos(w) and the bandwidth sin(w)/2q at the angular frequency w of a corner."""
    angle = 2 * math.pi * corner_hz / _RATE
    return math.cos(angle), math.sin(angle) / (2 * q)
