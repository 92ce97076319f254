"""Where the speech of one chunk begins and ends: energy, hysteresis, and room to spare.

Every threshold is relative to the chunk's own loudest stretch and to the noise around it, so a quiet voice is treated as
a loud one is. A strong frame is speech for sure; from the first and last of those the search goes outwards through
weaker frames, so that a fading /s/ or /f/ and the burst of a final plosive stay. What is only decided later never
takes back what was decided before: `onset` looks at a fixed stretch, and `certain_end` grows.

Limits: a noise within 25 dB of the speech is taken for speech. No model, no words; that is not an energy's business.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Samples

Levels = npt.NDArray[np.float64]

FRAME_S = 0.010  # the usual hop of speech analysis
SILENT_DBFS = -60.0  # a chunk whose loudest frame is below this says nothing
_FLOOR_DBFS = -120.0  # stands for digital silence: below 16-bit's last bit, and finite
_NOISE_DBFS = -90.0  # frames below are digital silence and tell nothing of the noise
_STARTED_DBFS = -45.0  # a voice at any level that is ever used is above it within its first syllable
_LOOKAHEAD = 30  # frames: a syllable or two, to learn how loud the voice is
_STRONG_DB = 25.0  # below the loudest: vowels, nasals and most fricatives
_WEAK_DB = 45.0  # below the loudest: the weakest /f/ and /th/ lie 30 to 40 dB under the vowels
_ABOVE_NOISE_DB = 4.0  # 10 ms of steady noise vary by 0.4 dB (standard deviation, white, 24 kHz)
_LONGEST_WEAK = 25  # frames: final fricatives are shorter; what lies farther off is the noise
_RISE = 5  # frames: before a voice passes that level it may already be rising
_FEW = 5  # frames are too few to tell the noise from
_CLOSURE = 15  # frames: the silence before a plosive's burst is 50 to 120 ms


def frame_levels(samples: Samples, hop: int, *, complete: bool) -> Levels:
    """The dBFS of each `hop` samples, shape (n // hop,); with `complete` a last frame from what is left over."""
    whole = len(samples) // hop
    power = np.square(samples[: whole * hop].astype(np.float64)).reshape(whole, hop).mean(axis=1)
    rest = samples[whole * hop :]
    if complete and len(rest):
        power = np.append(power, np.square(rest.astype(np.float64)).mean())
    return _decibels(power)


def is_silent(levels: Levels) -> bool:
    return not len(levels) or bool(_smoothed(levels).max() < SILENT_DBFS)


def onset(levels: Levels, *, complete: bool) -> int | None:
    """The frame where speech begins; None while it takes more sound to know. The chunk is not silent."""
    smoothed = _smoothed(levels)
    started = np.flatnonzero(smoothed >= _STARTED_DBFS)
    if not complete and (not len(started) or started[0] + _LOOKAHEAD >= len(levels)):
        return None
    noise_dbfs = _FLOOR_DBFS
    if len(started):
        noise_dbfs = _noise(levels[: max(0, started[0] - _RISE)])
        smoothed = smoothed[: started[0] + _LOOKAHEAD + 1]
    loudest = float(smoothed.max())
    # A weak first syllable must not make the noise before it strong
    certain_dbfs = max(loudest - _STRONG_DB, min(noise_dbfs + _ABOVE_NOISE_DB, loudest))
    strong = int(np.argmax(smoothed >= certain_dbfs))
    return strong - _reach(levels[:strong][::-1], loudest - _WEAK_DB, certain_dbfs)


def certain_end(levels: Levels) -> int:
    """The frame after the last that is speech whatever may follow; it never falls as sound is added."""
    smoothed = _smoothed(levels)
    return int(np.flatnonzero(smoothed >= np.maximum.accumulate(smoothed) - _STRONG_DB)[-1]) + 1


def final_end(levels: Levels) -> int:
    """The frame after the last of the speech, for a whole chunk that is not silent; at least `certain_end`."""
    certain = certain_end(levels)
    loudest = float(_smoothed(levels).max())
    return certain + _reach(levels[certain:], loudest - _WEAK_DB, loudest - _STRONG_DB)


def _reach(outwards: Levels, weakest_dbfs: float, certain_dbfs: float) -> int:
    """How many frames, going outwards from a certain one, still belong to the word."""
    floor = _noise(outwards[_LONGEST_WEAK:]) + _ABOVE_NOISE_DB
    threshold = min(max(floor, weakest_dbfs), certain_dbfs)
    reached = 0
    for frame in np.flatnonzero(outwards >= threshold):
        if frame - reached > _CLOSURE:
            break
        reached = int(frame) + 1
    return reached


def _noise(levels: Levels) -> float:
    """The usual level, in dBFS, of frames without speech."""
    heard = levels[levels > _NOISE_DBFS]
    return float(np.median(heard)) if len(heard) >= _FEW else _FLOOR_DBFS


def _smoothed(levels: Levels) -> Levels:
    """Each frame's mean power with the two before it, in dB: one loud sample is no speech."""
    power = 10 ** (levels / 10)
    total, count = power.copy(), np.ones_like(power)
    for back in (1, 2):
        total[back:] += power[:-back]
        count[back:] += 1
    return _decibels(total / count)


def _decibels(power: Levels) -> Levels:
    decibels: Levels = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DBFS / 10)))
    return decibels
