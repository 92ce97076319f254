"""Chooses the reference clip: the part of the recordings that the models can condition on best.

Chatterbox's T3 encodes the first 6 s of a clip (turbo and nano 15 s, and they need more than 5), its flow the first
10 s. So the clip is 10 to 15 s of continuous speech with its pauses, if there is so much; it is joined from several
pieces only if no piece is long enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.level import CEILING_DBTP, speech_level, true_peak
from chatterbox_worker.clone.quality import GOOD_SNR_DB, down
from chatterbox_worker.clone.recordings import RATE, SourceRecording
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.errors import InvalidRequest

LONGEST_S = 15.0
GOOD_S = 10.0
SHORTEST_S = 6.0
"""More than the 5 s that turbo and nano require, with a margin for what trimming may remove."""
_PAUSE_S = 1.0  # a longer one ends a piece: the models would imitate the pause
_JOINT_S = 0.3  # of silence between pieces from different places
_FADE_S = 0.01
_LEVEL_DBFS = -20.0  # of the clip's speech: its peaks are about 15 dB higher, below full scale
_WEIGHTS = {"length": 0.4, "snr": 0.3, "similarity": 0.3}


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
    """The gain that brought it to that level."""
    spans: tuple[ClipSpan, ...]
    """The parts it consists of, in order."""


Similarities = Mapping[Segment, float]
"""The similarity of each segment to the speaker; empty if they were not compared."""


def choose_clip(
    kept: Sequence[Segment], recordings: Mapping[str, SourceRecording], similarities: Similarities
) -> ReferenceClip:
    """The reference clip.

    Raises:
        InvalidRequest: all segments together last less than 6 s.
    """
    runs = [run for run in _runs(kept) if _duration_s(run) >= SHORTEST_S]
    if runs:
        run = max(runs, key=lambda run: _score(run, similarities))
        spans: tuple[ClipSpan, ...] = (ClipSpan(run[0].file, run[0].start_s, run[-1].end_s),)
    else:
        spans = tuple(ClipSpan(each.file, each.start_s, each.end_s) for each in _collect(kept, similarities))
    joint = silence(_JOINT_S, RATE)
    sounds = [_fade(recordings[each.file].between(each.start_s, each.end_s)) for each in spans]
    sound = concatenate([part for each in sounds for part in (each, joint)][:-1])
    gain_db = _gain_db(sound)
    samples = (sound.samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)
    return ReferenceClip(Audio(samples, sound.sample_rate), gain_db, spans)


def _runs(kept: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Every sequence of neighbouring segments in one recording that is short enough."""
    for first in range(len(kept)):
        for last in range(first, len(kept)):
            run = tuple(kept[first : last + 1])
            if last > first and not _follows(run[-2], run[-1]):
                break
            if _duration_s(run) > LONGEST_S:
                break
            yield run


def _follows(one: Segment, other: Segment) -> bool:
    """Whether there is only a pause between them; a rejected segment makes the gap longer than any pause."""
    return one.file == other.file and 0 <= other.start_s - one.end_s <= _PAUSE_S


def _duration_s(run: Sequence[Segment]) -> float:
    return run[-1].end_s - run[0].start_s


def _score(run: Sequence[Segment], similarities: Similarities) -> float:
    """How good a clip it is, 0 to 1."""
    length = min(1.0, (_duration_s(run) - SHORTEST_S) / (GOOD_S - SHORTEST_S))
    snr = min(1.0, min(each.snr_db for each in run) / GOOD_SNR_DB)
    similarity = min((similarities.get(each, 1.0) for each in run), default=1.0)
    return _WEIGHTS["length"] * length + _WEIGHTS["snr"] * snr + _WEIGHTS["similarity"] * similarity


def _collect(kept: Sequence[Segment], similarities: Similarities) -> tuple[Segment, ...]:
    """The best pieces until they are long enough."""
    chosen: list[Segment] = []
    for each in sorted(kept, key=lambda each: (-similarities.get(each, 1.0), -each.duration_s)):
        if sum(piece.duration_s for piece in chosen) >= GOOD_S:
            break
        chosen.append(each)
    length_s = sum(piece.duration_s for piece in chosen)
    if length_s < SHORTEST_S:
        raise InvalidRequest(
            f"there are only {down(length_s, 1)} s of good speech; a voice needs at least {SHORTEST_S:g}"
        )
    return tuple(sorted(chosen, key=kept.index))


def _gain_db(sound: Audio) -> float:
    level = speech_level(sound)
    return 0.0 if level is None else min(_LEVEL_DBFS - level, CEILING_DBTP - true_peak(sound))


def _fade(sound: Audio) -> Audio:
    size = min(round(_FADE_S * sound.sample_rate), len(sound.samples) // 2)
    ramp = np.linspace(0.0, 1.0, size, dtype=np.float32)
    samples = sound.samples.copy()
    samples[:size] *= ramp
    samples[len(samples) - size :] *= ramp[::-1]
    return Audio(samples, sound.sample_rate)
