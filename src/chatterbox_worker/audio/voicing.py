"""How much of a sound has the pitch of a voice."""

from __future__ import annotations

import numpy as np

from chatterbox_worker.audio.clip import Audio

_WINDOW_S, _HOP_S = 0.04, 0.02  # a window contains two periods of the lowest voice
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 400.0  # the pitch of speaking voices
_PERIODIC = 0.5  # of the autocorrelation: a usual threshold for voicing


def voiced_fraction(audio: Audio) -> float:
    """The fraction of the windows within 30 dB of the loudest that are periodic at a voice's pitch."""
    size, hop = round(_WINDOW_S * audio.sample_rate), round(_HOP_S * audio.sample_rate)
    if len(audio.samples) < size:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(audio.samples, size)[::hop].astype(np.float64)
    power = np.square(windows).mean(axis=1)
    windows = windows[power > power.max() * 1e-3]
    spectrum = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True), 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :size] * (size / np.arange(size, 0, -1))  # unbiased
    lags = slice(round(audio.sample_rate / _HIGHEST_HZ), round(audio.sample_rate / _LOWEST_HZ))
    repeats = correlation[:, lags].max(axis=1) / np.maximum(correlation[:, 0], 1e-12)
    return float(np.mean(repeats > _PERIODIC)) if len(repeats) else 0.0
