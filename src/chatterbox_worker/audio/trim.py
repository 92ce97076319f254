"""Where the speech of one chunk begins and ends: energy thresholds with hysteresis and margins.

Every threshold is relative to the chunk's own loudest part and to the noise around it, so a quiet voice is treated like
a loud one. A strong frame is certainly speech; from the first and last of those the search goes outwards through weaker
frames, so that a fading /s/ or /f/ and the burst of a final plosive are retained. A later decision never revokes an
earlier one: `onset` uses a fixed number of frames, and `certain_end` only grows.

Limits: a noise within 25 dB of the speech is taken for speech, since energy alone does not recognise words.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Samples

Levels = npt.NDArray[np.float64]

FRAME_S = 0.010  # the usual hop of speech analysis
SILENT_DBFS = -60.0  # a chunk whose loudest frame is below this has no speech
_FLOOR_DBFS = -120.0  # represents digital silence: below 16-bit's last bit, and finite
_NOISE_DBFS = -90.0  # frames below are digital silence and say nothing about the noise
_STARTED_DBFS = -45.0  # a voice at any usual level is above this within its first syllable
_LOOKAHEAD = 30  # frames: one or two syllables, to measure how loud the voice is
_STRONG_DB = 25.0  # below the loudest: vowels, nasals and most fricatives
_WEAK_DB = 45.0  # below the loudest: the weakest /f/ and /th/ are 30 to 40 dB below the vowels
_ABOVE_NOISE_DB = 4.0  # 10 ms of steady noise vary by 0.4 dB (standard deviation, white, 24 kHz)
_LONGEST_WEAK = 25  # frames: final fricatives are shorter; frames farther away are noise
_RISE = 5  # frames: before a voice passes that level it may already be rising
_FEW = 5  # frames: fewer are not enough to measure the noise
_INNER_DB = 40.0  # below the loudest: no speech, in a recording without loud noise
_LONGEST_INNER_S, _INNER_BEFORE_S, _INNER_AFTER_S = 0.8, 0.25, 0.15
"""An inner silence that is longer than a pause between paragraphs becomes as long as one between sentences: what
follows the last word, a decaying fricative, and what precedes the next."""
_SPLICE_S = 0.005  # of the cross-fade where it is cut
_CLOSURE = 15  # frames: the silence before a plosive's burst is 50 to 120 ms


def frame_levels(samples: Samples, hop: int, *, complete: bool) -> Levels:
    """The dBFS of each `hop` samples, shape (n // hop,); with `complete` a last frame from the remainder."""
    whole = len(samples) // hop
    power = np.square(samples[: whole * hop].astype(np.float64)).reshape(whole, hop).mean(axis=1)
    remainder = samples[whole * hop :]
    if complete and len(remainder):
        power = np.append(power, np.square(remainder.astype(np.float64)).mean())
    return _decibels(power)


def is_silent(levels: Levels) -> bool:
    return not len(levels) or bool(_smooth(levels).max() < SILENT_DBFS)


def onset(levels: Levels, *, complete: bool) -> int | None:
    """The frame where speech begins; None if more sound is needed to know it. The chunk must not be silent."""
    smoothed = _smooth(levels)
    started = np.flatnonzero(smoothed >= _STARTED_DBFS)
    if not complete and (not len(started) or started[0] + _LOOKAHEAD >= len(levels)):
        return None
    noise_dbfs = _FLOOR_DBFS
    if len(started):
        noise_dbfs = _noise(levels[: max(0, started[0] - _RISE)])
        smoothed = smoothed[: started[0] + _LOOKAHEAD + 1]
    loudest = float(smoothed.max())
    # With a weak first syllable the noise before it must not count as strong
    certain_dbfs = max(loudest - _STRONG_DB, min(noise_dbfs + _ABOVE_NOISE_DB, loudest))
    strong = int(np.argmax(smoothed >= certain_dbfs))
    return strong - _reach(levels[:strong][::-1], loudest - _WEAK_DB, certain_dbfs)


def certain_end(levels: Levels) -> int:
    """The frame after the last that is speech regardless of what follows; it never decreases as sound is added."""
    smoothed = _smooth(levels)
    return int(np.flatnonzero(smoothed >= np.maximum.accumulate(smoothed) - _STRONG_DB)[-1]) + 1


def final_end(levels: Levels) -> int:
    """The frame after the last speech frame, for a whole chunk that is not silent; at least `certain_end`."""
    certain = certain_end(levels)
    loudest = float(_smooth(levels).max())
    return certain + _reach(levels[certain:], loudest - _WEAK_DB, loudest - _STRONG_DB)


def shorten_silences(samples: Samples, sample_rate: int) -> Samples:
    """The chunk with its inner silences of more than 0.8 s shortened to 0.4 s; those at its edges stay.

    Silence is 40 dB below the chunk's loudest part, so that noise above that level is left alone.
    """
    hop = round(FRAME_S * sample_rate)
    levels = frame_levels(samples, hop, complete=True)
    loud = np.flatnonzero(levels >= _smooth(levels).max() - _INNER_DB)
    fade = round(_SPLICE_S * sample_rate)
    rising = ((np.arange(fade) + 0.5) / max(1, fade)).astype(np.float32)
    parts, begin = [], 0
    for last, following in pairwise(map(int, loud)):
        if (following - last - 1) * FRAME_S <= _LONGEST_INNER_S:
            continue
        cut = (last + 1) * hop + round(_INNER_BEFORE_S * sample_rate) - fade
        resume = following * hop - round(_INNER_AFTER_S * sample_rate)
        splice = samples[cut : cut + fade] * rising[::-1] + samples[resume - fade : resume] * rising
        parts += [samples[begin:cut], splice]
        begin = resume
    return np.concatenate([*parts, samples[begin:]])


def _reach(outwards: Levels, weakest_dbfs: float, certain_dbfs: float) -> int:
    """How many frames outwards from a certain one still belong to the word."""
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
    audible = levels[levels > _NOISE_DBFS]
    return float(np.median(audible)) if len(audible) >= _FEW else _FLOOR_DBFS


def _smooth(levels: Levels) -> Levels:
    """The mean power of each frame and the two before it, in dB: one loud sample is not speech."""
    power = 10 ** (levels / 10)
    total, count = power.copy(), np.ones_like(power)
    for back in (1, 2):
        total[back:] += power[:-back]
        count[back:] += 1
    return _decibels(total / count)


def _decibels(power: Levels) -> Levels:
    decibels: Levels = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DBFS / 10)))
    return decibels
