"""One strip of the report: waveforms with what was kept, what was left out and why, and the reference clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.clone.choose import ClipSpan
from chatterbox_worker.clone.findings import AssessedSegment, Findings
from chatterbox_worker.clone.recordings import SourceRecording
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.clone.speakers import UNCERTAIN
from chatterbox_worker.clone.strips import STRIP_S, StripSegment
from chatterbox_worker.clone.windows import Window

KEPT, LEFT_OUT, QUIET, INK, CLIP = "#0f766e", "#c2410c", "#b5b5ac", "#26261f", "#7c3aed"
OTHERS, UNSURE = ("#d97706", "#be185d", "#1d4ed8", "#65a30d"), "#d6d3d1"
_WINDOW_Y, _WINDOW_HEIGHT = -1.18, 0.14  # the bar of windows, coloured by speaker
_TICK_S = 10.0
_LOUDEST, _TALL = 99.9, 0.5  # percentile of the samples that is drawn at least half as high as full scale
_COLUMNS = 1800  # per strip; more than its pixels
_LETTER_S, _BOLD_LETTER_S = 0.25, 0.28  # width of a letter on this time scale
_GAP_S = 1.0  # the part of the space before the next recording that a title may use


def draw_strip(
    axes: Axes,
    places: Sequence[StripSegment],
    findings: Findings,
    spans: Sequence[ClipSpan],
    numbers: Mapping[Segment, int],
    *,
    width_s: float,
) -> None:
    """`spans` are those of the reference clip, `numbers` those of the segments; the time axis ends at `width_s`."""
    axes.set(xlim=(-0.005 * width_s, 1.005 * width_s), ylim=(-1.5, 1.95), yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    _ticks(axes, places)
    letter = width_s / STRIP_S
    for place in places:
        recording = findings.recordings[place.name]
        gain = _gain(recording.audio)
        audio = Audio(recording.audio.samples * np.float32(gain), recording.audio.sample_rate)
        _wave(axes, audio, place, QUIET)
        title = _title(place, recording, gain, letter)
        axes.text(place.at_s, 1.92, title, color=INK, weight="bold", va="top", fontsize=8, clip_on=True)
        for each in findings.assessed:
            if each.segment.file == place.name:
                _mark(axes, each, audio, place, numbers[each.segment], letter=letter)
        _people(axes, findings, place)
        for span in spans:
            if span.file == place.name:
                _bar(axes, place, span)


def draw_clip(axes: Axes, audio: Audio) -> None:
    axes.set(ylim=(-1, 1), yticks=[], title="Reference clip, s", xlim=(0, audio.duration_s))
    axes.spines["left"].set_visible(False)
    _wave(axes, audio, StripSegment("", 0, 0.0, 0.0, audio.duration_s), CLIP)


def _title(place: StripSegment, recording: SourceRecording, gain: float, letter: float) -> str:
    is_whole = place.end_s - place.start_s >= recording.audio.duration_s
    scale = "" if gain == 1.0 else f", ×{gain:.0f}"
    times = f", {'' if is_whole else f'{place.start_s:.0f} to '}{place.end_s:.0f} s{scale}"
    letters = int((place.end_s - place.start_s + _GAP_S) / (_BOLD_LETTER_S * letter)) - len(times)
    room = "" if recording.reverberation_s is None else f", room {recording.reverberation_s:.1f} s"
    return _shorten(place.name, letters) + times + (room if len(place.name) + len(room) <= letters else "")


def _gain(audio: Audio) -> float:
    """How much larger a recording is drawn: as much as makes its loudest moments visible, at least 1."""
    loudest = float(np.percentile(np.abs(audio.samples), _LOUDEST)) if len(audio.samples) else 1.0
    return max(1.0, round(_TALL / max(loudest, 1e-6))) if loudest < _TALL else 1.0


def _ticks(axes: Axes, places: Sequence[StripSegment]) -> None:
    """Each 10 s of every recording, in its own time."""
    times = [
        (place, float(at_s))
        for place in places
        for at_s in np.arange(math.ceil(place.start_s / _TICK_S) * _TICK_S, place.end_s, _TICK_S)
    ]
    axes.set_xticks([at_s + place.shift_s for place, at_s in times], [f"{at_s:.0f}" for _, at_s in times])
    axes.tick_params(axis="x", length=2, labelsize=6, colors=QUIET, pad=1)


def _people(axes: Axes, findings: Findings, place: StripSegment) -> None:
    """A bar under the wave: who speaks in each window, as far as it is nearer than the next."""
    if findings.diarisation is None:
        return
    windows, people = findings.diarisation.of(place.name)
    neighbours = zip([None, *windows], [*windows[1:], None], strict=False)
    for window, person, (before, after) in zip(windows, people, neighbours, strict=False):
        start_s = _between(before, window) if before and before.end_s > window.start_s else window.start_s
        end_s = _between(window, after) if after and after.start_s < window.end_s else window.end_s
        start_s, end_s = max(start_s, place.start_s), min(end_s, place.end_s)
        if start_s < end_s:
            colour = colour_of(person, findings.speaker)
            at = (start_s + place.shift_s, _WINDOW_Y)
            axes.add_patch(Rectangle(at, end_s - start_s, _WINDOW_HEIGHT, color=colour, lw=0))


def _between(one: Window, other: Window) -> float:
    return (one.middle_s + other.middle_s) / 2


def colour_of(person: int, speaker: int) -> str:
    if person == UNCERTAIN:
        return UNSURE
    return KEPT if person == speaker else OTHERS[(person - (person > speaker)) % len(OTHERS)]


def _shorten(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(0, letters - 1)] + "…"


def _mark(
    axes: Axes, assessed: AssessedSegment, audio: Audio, place: StripSegment, number: int, *, letter: float
) -> None:
    it, colour = assessed.segment, KEPT if assessed.fault is None else LEFT_OUT
    start_s, end_s = max(it.start_s, place.start_s), min(it.end_s, place.end_s)
    if start_s >= end_s:
        return
    at_s = start_s + place.shift_s
    axes.axvspan(at_s, end_s + place.shift_s, 0.09, 0.71, color=colour, alpha=0.1, lw=0)
    _wave(axes, audio, StripSegment(it.file, place.strip, at_s, start_s, end_s), colour)
    reason = "" if assessed.fault is None else assessed.fault.partition(":")[0]
    letters = int((end_s - start_s) / (_LETTER_S * letter)) - len(f"{number} ")
    label = f"{number} {_shorten(reason, letters)}".strip()
    axes.text(at_s, 1.08, label, color=colour, fontsize=7.5, va="bottom", clip_on=True)


def _bar(axes: Axes, place: StripSegment, span: ClipSpan) -> None:
    start_s, end_s = max(span.start_s, place.start_s), min(span.end_s, place.end_s)
    if start_s < end_s:
        at_s = (start_s + place.shift_s, end_s + place.shift_s)
        axes.plot(at_s, (-1.35, -1.35), color=CLIP, lw=3, solid_capstyle="butt")


def _wave(axes: Axes, audio: Audio, place: StripSegment, colour: str) -> None:
    """The samples' extremes, one pair per column."""
    samples = audio.samples[round(place.start_s * audio.sample_rate) : round(place.end_s * audio.sample_rate)]
    size = max(1, round(STRIP_S * audio.sample_rate / _COLUMNS))
    columns = np.pad(samples, (0, -len(samples) % size), "edge" if len(samples) else "constant").reshape(-1, size)
    at_s = place.at_s + (np.arange(len(columns)) + 0.5) * size / audio.sample_rate
    axes.fill_between(at_s, columns.min(axis=1), columns.max(axis=1), color=colour, lw=0.5)
