"""One strip of the report: waveforms with what was kept, what was left out and why, and the reference clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.clone.choose import ClipSpan
from chatterbox_worker.clone.findings import AssessedSegment, Findings
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.clone.strips import STRIP_S, StripSegment

KEPT, LEFT_OUT, QUIET, INK, CLIP = "#0f766e", "#c2410c", "#b5b5ac", "#26261f", "#7c3aed"
_COLUMNS = 1800  # per strip; more than its pixels
_LETTER_S, _BOLD_LETTER_S = 0.25, 0.28  # width of a letter on this time scale
_GAP_S = 1.0  # the part of the space before the next recording that a title may use


def draw_strip(
    axes: Axes,
    places: Sequence[StripSegment],
    findings: Findings,
    spans: Sequence[ClipSpan],
    numbers: Mapping[Segment, int],
) -> None:
    """`spans` are those of the reference clip, `numbers` those of the segments."""
    axes.set(xlim=(-0.3, STRIP_S + 0.3), ylim=(-1.3, 1.95), yticks=[], xticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    for place in places:
        audio = findings.recordings[place.name].audio
        _wave(axes, audio, place, QUIET)
        axes.text(place.at_s, 1.92, _title(place, audio), color=INK, weight="bold", va="top", fontsize=8, clip_on=True)
        for each in findings.assessed:
            if each.segment.file == place.name:
                _mark(axes, each, audio, place, numbers[each.segment])
        for span in spans:
            if span.file == place.name:
                _bar(axes, place, span)


def draw_clip(axes: Axes, audio: Audio) -> None:
    axes.set(ylim=(-1, 1), yticks=[], title="Reference clip, s", xlim=(0, audio.duration_s))
    axes.spines["left"].set_visible(False)
    _wave(axes, audio, StripSegment("", 0, 0.0, 0.0, audio.duration_s), CLIP)


def _title(place: StripSegment, audio: Audio) -> str:
    is_whole = place.end_s - place.start_s >= audio.duration_s
    times = f", {'' if is_whole else f'{place.start_s:.0f} to '}{place.end_s:.0f} s"
    letters = int((place.end_s - place.start_s + _GAP_S) / _BOLD_LETTER_S) - len(times)
    return _shorten(place.name, letters) + times


def _shorten(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"


def _mark(axes: Axes, assessed: AssessedSegment, audio: Audio, place: StripSegment, number: int) -> None:
    it, colour = assessed.segment, KEPT if assessed.fault is None else LEFT_OUT
    start_s, end_s = max(it.start_s, place.start_s), min(it.end_s, place.end_s)
    if start_s >= end_s:
        return
    at_s = start_s + place.shift_s
    axes.axvspan(at_s, end_s + place.shift_s, 0.09, 0.71, color=colour, alpha=0.1, lw=0)
    _wave(axes, audio, StripSegment(it.file, place.strip, at_s, start_s, end_s), colour)
    reason = "" if assessed.fault is None else assessed.fault.partition(":")[0]
    letters = int((end_s - start_s) / _LETTER_S) - len(f"{number} ")
    label = f"{number} {_shorten(reason, letters)}".strip()
    axes.text(at_s, 1.08, label, color=colour, fontsize=7.5, va="bottom", clip_on=True)


def _bar(axes: Axes, place: StripSegment, span: ClipSpan) -> None:
    start_s, end_s = max(span.start_s, place.start_s), min(span.end_s, place.end_s)
    if start_s < end_s:
        at_s = (start_s + place.shift_s, end_s + place.shift_s)
        axes.plot(at_s, (-1.2, -1.2), color=CLIP, lw=4, solid_capstyle="butt")


def _wave(axes: Axes, audio: Audio, place: StripSegment, colour: str) -> None:
    """The samples' extremes, one pair per column."""
    samples = audio.samples[round(place.start_s * audio.sample_rate) : round(place.end_s * audio.sample_rate)]
    size = max(1, round(STRIP_S * audio.sample_rate / _COLUMNS))
    columns = samples[: len(samples) // size * size].reshape(-1, size)
    at_s = place.at_s + (np.arange(len(columns)) + 0.5) * size / audio.sample_rate
    axes.fill_between(at_s, columns.min(axis=1), columns.max(axis=1), color=colour, lw=0.5)
