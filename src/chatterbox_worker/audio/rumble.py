"""Sound without what is below the voice: rumble, wind and mains hum, which are recorded and hardly audible.

At 50 Hz the ear is 30 dB less sensitive than at 1 kHz (A-weighting, IEC 61672-1), so a level that includes such sound
says little about how noisy a recording is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio

_CORNER_HZ = 100.0  # the low-cut switch of microphones is at 75 to 120 Hz
_ORDER = 4  # 24 dB an octave
_SIZE = 32_768  # samples of a block of the spectrum
_EDGE = 4096  # of a block, on either side: the response is below 1e-6 there up to 96 kHz


def without_rumble(audio: Audio) -> Audio:
    """`audio` without what is below 100 Hz: the magnitude of a Butterworth high-pass, at zero phase."""
    step, count = _SIZE - 2 * _EDGE, -(-len(audio.samples) // (_SIZE - 2 * _EDGE))
    padded = np.zeros(count * step + 2 * _EDGE, np.float32)
    padded[_EDGE : _EDGE + len(audio.samples)] = audio.samples
    response, filtered = _response(audio.sample_rate), np.empty(count * step, np.float32)
    for start in range(0, count * step, step):
        block = np.fft.irfft(np.fft.rfft(padded[start : start + _SIZE]) * response, _SIZE)
        filtered[start : start + step] = block[_EDGE:-_EDGE]
    return Audio(filtered[: len(audio.samples)], audio.sample_rate)


def part_without_rumble(audio: Audio, start: int, end: int) -> Audio:
    """Samples `start` to `end` of `without_rumble(audio)`, from what is around them only."""
    first = max(0, start - _EDGE)
    around = Audio(audio.samples[first : end + _EDGE], audio.sample_rate)
    return Audio(without_rumble(around).samples[start - first : end - first], audio.sample_rate)


def _response(rate: int) -> npt.NDArray[np.float64]:
    """Of each frequency of a block's spectrum, shape (_SIZE // 2 + 1,)."""
    with np.errstate(divide="ignore"):
        ratio = _CORNER_HZ / np.fft.rfftfreq(_SIZE, 1 / rate)
    response: npt.NDArray[np.float64] = 1 / np.sqrt(1 + ratio ** (2 * _ORDER))
    return response
