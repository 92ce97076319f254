"""How much of a sound has the pitch of a voice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio

WINDOW_HOP_S = 0.02
_WINDOW_S = 0.04  # two periods of the lowest voice
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 400.0  # the pitch of speaking voices
_LOUD = 1e-3  # 30 dB below the loudest
_PERIODIC = 0.5  # of the autocorrelation: a usual threshold for voicing


def voiced_fraction(audio: Audio) -> float:
    """The fraction of the windows within 30 dB of the loudest that are periodic at a voice's pitch."""
    periodic, power = periodic_windows(audio)
    loud = power > np.max(power, initial=0.0) * _LOUD
    return float(periodic[loud].mean()) if loud.any() else 0.0


def periodic_windows(audio: Audio) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Of windows of 40 ms, one each 20 ms: whether it is periodic at a voice's pitch and within 30 dB of the loudest,
    and its mean power, both of shape (windows,).
    """
    size, hop = round(_WINDOW_S * audio.sample_rate), round(WINDOW_HOP_S * audio.sample_rate)
    if len(audio.samples) < size:
        return np.zeros(0, np.bool_), np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(audio.samples, size)[::hop].astype(np.float64)
    power = np.square(windows).mean(axis=1)
    loud = power > power.max() * _LOUD
    windows = windows[loud]
    spectrum = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True), 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :size] * (size / np.arange(size, 0, -1))  # unbiased
    lags = slice(round(audio.sample_rate / _HIGHEST_HZ), round(audio.sample_rate / _LOWEST_HZ))
    repeats = correlation[:, lags].max(axis=1) / np.maximum(correlation[:, 0], 1e-12)
    periodic = np.zeros(len(power), np.bool_)
    periodic[loud] = repeats > _PERIODIC
    return periodic, power
