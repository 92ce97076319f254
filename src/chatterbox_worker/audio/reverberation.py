"""How long a room rings after a sound, estimated from speech alone.

A sound in a room cannot fall faster than the room does: its energy falls by 60 dB in the reverberation time T60 (ISO
3382-1). Where speech stops, the level therefore falls in a straight line, and the steepest lines show the room (blind
estimation from free decays: Ratnam et al., J. Acoust. Soc. Am. 114, 2003). Here: least squares over 0.12 s of 10 ms
frames, and the 90th percentile of the slopes. An estimate: eight readers with close microphones measure 0.28 to 0.46 s;
in a made room of 0.8 s, its reverberation 3 dB weaker than the direct sound, they measure 0.55 to 0.64 s.
"""

from __future__ import annotations

import numpy as np

from chatterbox_worker.audio.activity import measure_levels
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.trim import FRAME_S, Levels

_SPAN = 12  # frames of a decay
_RANGE_DB = 20.0  # between loud and quiet: with less, the noise bends every decay
_LOUD_DB = 25.0  # below the loudest: a decay begins there or above
_ABOVE_NOISE_DB = 6.0  # a decay ends there or above
_FALL_DB = 4.0  # the least fall of a decay
_STRAIGHT_DB = 3.0  # the most that a decay departs from a line, RMS
_STEEP = 90  # percentile of the slopes: fewer are steep by chance
_LEAST = 50  # decays, of 0.12 s each, overlapping: in about 5 s of speech


def reverberation_s(audio: Audio) -> float | None:
    """T60 in seconds; None if there is too little speech to measure it, or noise hides how it ends."""
    slopes = _decays(measure_levels(audio))
    return None if len(slopes) < _LEAST else float(60.0 / np.percentile(slopes, _STEEP))


def _decays(levels: Levels) -> Levels:
    """Every straight fall, in dB per second."""
    if len(levels) < _SPAN:
        return np.zeros(0)
    quiet, loud = np.percentile(levels, (5, 95))
    if loud - quiet < _RANGE_DB:
        return np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(levels, _SPAN)
    time = np.arange(_SPAN) - (_SPAN - 1) / 2
    slopes = windows @ time / (time @ time)  # dB per frame
    off = np.sqrt(np.square(windows - windows.mean(axis=1, keepdims=True) - slopes[:, None] * time).mean(axis=1))
    is_decay = (
        (slopes * _SPAN < -_FALL_DB)
        & (windows[:, 0] > loud - _LOUD_DB)
        & (windows[:, -1] > quiet + _ABOVE_NOISE_DB)
        & (off < _STRAIGHT_DB)
    )
    falls: Levels = -slopes[is_decay] / FRAME_S
    return falls
