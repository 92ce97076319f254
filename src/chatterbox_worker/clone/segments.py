"""Cuts recordings at their silences and at changes of speaker, and measures each stretch of speech.

The quality limits are in `quality`.

Everything is derived from the levels of 10 ms frames without rumble, relative to the recording's own noise and its own
voice, so a quiet recording is cut like a loud one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio.activity import Flags, find_loud, find_stretches
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.rumble import part_without_rumble
from chatterbox_worker.audio.trim import FRAME_S, Levels
from chatterbox_worker.audio.voicing import voiced_fraction
from chatterbox_worker.clone.recordings import SourceRecording

_SHORT = 200  # frames: one or two words, joined to a neighbour
_NEAR = 80  # frames: the longest distance to that neighbour
_LONG = 1200  # frames: longer stretches are cut at their quietest place
_LULL = 10  # frames: the length of that quietest place
_MARGIN = 6  # frames of silence kept around a stretch, for soft onsets and releases
_AROUND = 200  # frames on either side in which the noise is measured
_GUARD = 20  # frames left out on either side of where the speaker seems to change; it is not known more precisely
_FEW = 5  # frames: fewer are not enough to measure the noise


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one recording between two silences."""

    file: str
    start_s: float
    end_s: float
    level_dbfs: float
    """RMS of its speech."""
    snr_db: float
    """How far the noise in the silences around it is below its speech, from 100 Hz up."""
    depth_db: float
    """How far its quietest moments are below its speech: speech has gaps between syllables, steady noise has none."""
    voiced: float
    """The fraction of its sound that has a pitch, 0 to 1."""
    clipped: int
    """How often it is clipped."""
    silence_s: float = 1.0
    """How much silence its noise was measured in."""

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def split(
    recording: SourceRecording, changes: Sequence[tuple[float, float]] = (), *, filtered: Audio | None = None
) -> list[Segment]:
    """Every stretch of sound that is not a click, in order; empty if there is none.

    `changes` are spans in seconds, in each of which the speaker changes: no segment contains one. `filtered` is the
    recording's sound without rumble, where it is at hand; else each stretch is filtered.
    """
    levels = recording.levels
    loud = find_loud(levels)
    left_out = [_leave_out(levels, *(round(each_s / FRAME_S) for each_s in span)) for span in changes]
    stretches = [part for whole in find_stretches(loud) for part in _cut_at(*whole, left_out)]
    parts = [part for whole in _join_short(stretches, left_out) for part in _cut(levels, *whole)]
    return [_measure(recording, filtered, loud, *each) for each in _with_margins(parts, len(levels))]


def speech_in(recording: SourceRecording, segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """The start and end in seconds of the sound between two silences, as far as it is in `segments`."""
    stretches = find_stretches(find_loud(recording.levels))
    shared = (
        (max(start * FRAME_S, each.start_s), min(end * FRAME_S, each.end_s))
        for start, end in stretches
        for each in segments
    )
    return sorted((start_s, end_s) for start_s, end_s in shared if start_s < end_s)


def _leave_out(levels: Levels, start: int, end: int) -> tuple[int, int]:
    """The span and what is near the middle of its quietest 0.1 s, where the speaker probably changes."""
    lulls = np.convolve(levels[start : max(end, start + _LULL)], np.ones(_LULL) / _LULL, "valid")
    middle = start + int(np.argmin(lulls)) + _LULL // 2 if len(lulls) else (start + end) // 2
    return min(start, middle - _GUARD), max(end, middle + _GUARD)


def _cut_at(start: int, end: int, left_out: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of the stretch that are not in what is left out."""
    inside = [each for each in left_out if each[0] < end and start < each[1]]
    starts, ends = [start, *(last for _, last in inside)], [*(first for first, _ in inside), end]
    yield from ((one, other) for one, other in zip(starts, ends, strict=True) if one < other)


def _join_short(stretches: list[tuple[int, int]], changes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches, with each short one joined to a near neighbour unless the speaker changes between them."""
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        is_near = bool(joined) and start - joined[-1][1] <= _NEAR
        is_same = is_near and not any(joined[-1][1] <= sum(each) / 2 <= start for each in changes)
        if is_same and min(end - start, joined[-1][1] - joined[-1][0]) < _SHORT:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _cut(levels: Levels, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretch in parts that are not too long, cut at its quietest places."""
    if end - start <= _LONG:
        yield start, end
        return
    third = (end - start) // 3
    lulls = np.convolve(levels[start + third : end - third], np.ones(_LULL) / _LULL, "valid")
    middle = start + third + int(np.argmin(lulls)) + _LULL // 2
    yield from _cut(levels, start, middle)
    yield from _cut(levels, middle, end)


def _with_margins(stretches: list[tuple[int, int]], count: int) -> Iterator[tuple[int, int]]:
    """The stretches with some of the silence around them, without overlap."""
    for index, (start, end) in enumerate(stretches):
        before = stretches[index - 1][1] if index else 0
        after = stretches[index + 1][0] if index + 1 < len(stretches) else count
        yield max(start - _MARGIN, (before + start + 1) // 2), min(end + _MARGIN, (end + after) // 2)


def _measure(recording: SourceRecording, filtered: Audio | None, loud: Flags, start: int, end: int) -> Segment:
    audio, levels, inside = recording.audio, recording.levels, recording.levels[start:end]
    hop = round(FRAME_S * audio.sample_rate)
    if filtered is None:
        sound = part_without_rumble(audio, start * hop, end * hop)
    else:
        sound = Audio(filtered.samples[start * hop : end * hop], audio.sample_rate)
    speech_dbfs = speech_level(sound)
    level = float(np.percentile(inside, 95)) if speech_dbfs is None else speech_dbfs
    noise_dbfs, silence_s = _noise(levels, loud, start, end)
    start_s, end_s = start * FRAME_S, min(end * FRAME_S, audio.duration_s)
    return Segment(
        recording.name,
        start_s,
        end_s,
        level_dbfs=level,
        snr_db=level - noise_dbfs,
        depth_db=level - float(np.percentile(inside, 5)),
        voiced=voiced_fraction(sound),
        clipped=int(np.count_nonzero((recording.clipped_s >= start_s) & (recording.clipped_s < end_s))),
        silence_s=silence_s,
    )


def _noise(levels: Levels, loud: Flags, start: int, end: int) -> tuple[float, float]:
    """The usual level of the silences near a stretch, and how many seconds they last; of those in the whole recording
    if there are none near.
    """
    near = slice(max(0, start - _AROUND), end + _AROUND)
    quiet = levels[near][~loud[near]]
    if len(quiet) < _FEW:
        quiet = levels[~loud]
    noise_dbfs = float(np.median(quiet)) if len(quiet) >= _FEW else float(np.min(levels))
    return noise_dbfs, len(quiet) * FRAME_S
