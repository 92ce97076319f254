"""How loud the speech of a recording is, and its true peak."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import soxr

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.trim import FRAME_S, SILENT_DBFS, frame_levels

CEILING_DBTP = -1.0  # EBU R 128's maximum true peak
_RELATIVE_GATE_DB = 10.0  # ITU-R BS.1770-4: frames this far below the mean do not count
_ENCODER_DBFS = -30.0  # what Resemblyzer raises quiet speech to (audio_norm_target_dBFS)
_WINDOW_DBFS = -25.0  # the usual level of a reader near the microphone
_LEAST_SPEECH_S = 0.3  # one syllable: less does not define a level
OVERSAMPLING = 4  # ITU-R BS.1770-4 annex 2, for the true peak


def speech_level(audio: Audio) -> float | None:
    """RMS in dBFS of the frames that pass BS.1770's two gates (no K-weighting: one voice is compared with itself).

    None for less than 0.3 s of speech, which is too little to measure.
    """
    levels = frame_levels(audio.samples, round(FRAME_S * audio.sample_rate), complete=True)
    power = 10 ** (levels[levels >= SILENT_DBFS] / 10)
    if len(power):
        power = power[power >= power.mean() * 10 ** (-_RELATIVE_GATE_DB / 10)]
    return None if len(power) * FRAME_S < _LEAST_SPEECH_S else float(10 * np.log10(power.mean()))


def true_peak(audio: Audio) -> float:
    """dBTP: the peak of the four times oversampled signal; minus infinity for silence."""
    peak = float(np.max(rectify(audio), initial=0.0))
    return 20 * math.log10(peak) if peak else -math.inf


def rectify(audio: Audio) -> Samples:
    """(about 4n,): the magnitudes of the signal oversampled `OVERSAMPLING` times."""
    oversampled = soxr.resample(audio.samples, audio.sample_rate, OVERSAMPLING * audio.sample_rate)
    magnitudes: Samples = np.abs(oversampled)
    return magnitudes


def raise_quiet(speech: Samples) -> Samples:
    """`speech` (..., samples), each row below -30 dBFS (RMS over all of it) amplified to that; silence is unchanged.

    The voice encoder reads mel power, not its logarithm, so that quiet speech resembles other quiet speech more than
    the same person's louder speech. Resemblyzer's `normalize_volume(increase_only=True)`; Chatterbox does without.
    """
    raised: Samples = (speech * np.maximum(_gain_to(_ENCODER_DBFS, speech), 1.0)).astype(np.float32)
    return raised


def level_windows(windows: Samples) -> Samples:
    """`windows` (n, samples), each amplified or attenuated to -25 dBFS (RMS), so that none differs by its level.

    Most readers' windows are at -22 to -26 dBFS already: their mean embedding stays 0.99 similar to the original.
    """
    levelled: Samples = (windows * _gain_to(_WINDOW_DBFS, windows)).astype(np.float32)
    return levelled


def _gain_to(dbfs: float, speech: Samples) -> npt.NDArray[np.float64]:
    """(..., 1): the factor for each row; as for the quietest recording if a row is silent."""
    power = np.square(speech, dtype=np.float64).mean(axis=-1, keepdims=True)
    gain: npt.NDArray[np.float64] = np.sqrt(10 ** (dbfs / 10) / np.maximum(power, 10 ** (SILENT_DBFS / 10)))
    return gain
