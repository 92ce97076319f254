"""The clip that a voice speaks from: the stretch of its recordings that the models hear best.

Chatterbox's T3 hears the first 6 s of a clip (turbo and nano 15 s, and they want more than 5), its flow the first 10 s.
So the clip is 10 to 15 s where there is so much in one piece, as it was spoken, pauses and all; from several pieces
only where no piece is long enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.level import CEILING_DBTP, speech_level, true_peak
from chatterbox_worker.clone.recordings import RATE, SourceRecording
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.errors import InvalidRequest

LONGEST_S = 15.0
GOOD_S = 10.0
SHORTEST_S = 6.0
"""More than the 5 s that turbo and nano refuse at, with room for what trimming may take."""
_PAUSE_S = 1.0  # longer ones break a piece: the models would learn to wait
_JOINT_S = 0.3  # of silence between pieces that do not belong together
_FADE_S = 0.01
_LEVEL_DBFS = -20.0  # of the clip's speech: its peaks lie some 15 dB higher, below full scale
_GOOD_SNR_DB = 50.0  # more is not heard
_WORTH = {"length": 0.4, "snr": 0.3, "similarity": 0.3}


@dataclass(frozen=True, slots=True)
class ClipSpan:
    """A part of a recording."""

    file: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceClip:
    audio: Audio
    """At `RATE`, its speech at -20 dBFS as far as its peaks allow."""
    gain_db: float
    """What brought it there."""
    spans: tuple[ClipSpan, ...]
    """What it is made of, in order."""


Likeness = Mapping[Segment, float]
"""Similarity of each segment to the speaker; empty where nobody listened."""


def best(kept: Sequence[Segment], recordings: Mapping[str, SourceRecording], likeness: Likeness) -> ReferenceClip:
    """The clip to speak from.

    Raises:
        InvalidRequest: all of it together lasts less than 6 s.
    """
    runs = [run for run in _runs(kept) if _duration_s(run) >= SHORTEST_S]
    if runs:
        run = max(runs, key=lambda run: _worth(run, likeness))
        spans: tuple[ClipSpan, ...] = (ClipSpan(run[0].file, run[0].start_s, run[-1].end_s),)
    else:
        spans = tuple(ClipSpan(each.file, each.start_s, each.end_s) for each in _gathered(kept, likeness))
    joint = silence(_JOINT_S, RATE)
    sounds = [_faded(recordings[each.file].between(each.start_s, each.end_s)) for each in spans]
    sound = concatenate([part for each in sounds for part in (each, joint)][:-1])
    gain_db = _gain_db(sound)
    samples = (sound.samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)
    return ReferenceClip(Audio(samples, sound.sample_rate), gain_db, spans)


def _runs(kept: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Every sequence of neighbours in one recording that is short enough."""
    for first in range(len(kept)):
        for last in range(first, len(kept)):
            run = tuple(kept[first : last + 1])
            if last > first and not _follows(run[-2], run[-1]):
                break
            if _duration_s(run) > LONGEST_S:
                break
            yield run


def _follows(one: Segment, other: Segment) -> bool:
    """Whether nothing but a pause lies between them; what was rejected in between makes the gap longer than any pause."""
    return one.file == other.file and 0 <= other.start_s - one.end_s <= _PAUSE_S


def _duration_s(run: Sequence[Segment]) -> float:
    return run[-1].end_s - run[0].start_s


def _worth(run: Sequence[Segment], likeness: Likeness) -> float:
    """0 to 1: how good a clip it makes."""
    length = min(1.0, (_duration_s(run) - SHORTEST_S) / (GOOD_S - SHORTEST_S))
    snr = min(1.0, min(each.snr_db for each in run) / _GOOD_SNR_DB)
    similarity = min((likeness.get(each, 1.0) for each in run), default=1.0)
    return _WORTH["length"] * length + _WORTH["snr"] * snr + _WORTH["similarity"] * similarity


def _gathered(kept: Sequence[Segment], likeness: Likeness) -> tuple[Segment, ...]:
    """The best pieces until they are long enough."""
    chosen: list[Segment] = []
    for each in sorted(kept, key=lambda each: (-likeness.get(each, 1.0), -each.duration_s)):
        if sum(piece.duration_s for piece in chosen) >= GOOD_S:
            break
        chosen.append(each)
    length_s = sum(piece.duration_s for piece in chosen)
    if length_s < SHORTEST_S:
        raise InvalidRequest(f"{length_s:.1f} s of good speech are left; a voice needs {SHORTEST_S:g} at least")
    return tuple(sorted(chosen, key=kept.index))


def _gain_db(sound: Audio) -> float:
    level = speech_level(sound)
    return 0.0 if level is None else min(_LEVEL_DBFS - level, CEILING_DBTP - true_peak(sound))


def _faded(sound: Audio) -> Audio:
    size = min(round(_FADE_S * sound.sample_rate), len(sound.samples) // 2)
    ramp = np.linspace(0.0, 1.0, size, dtype=np.float32)
    samples = sound.samples.copy()
    samples[:size] *= ramp
    samples[len(samples) - size :] *= ramp[::-1]
    return Audio(samples, sound.sample_rate)
