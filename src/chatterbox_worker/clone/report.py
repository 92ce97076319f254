"""The findings as a picture for a person to check.

It shows the waveform of every recording with what was kept and why the rest was not, the level, noise and similarity of
every segment, and the reference clip. It needs matplotlib, an extra, so the caller imports this module only to draw.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from chatterbox_worker import files
from chatterbox_worker.audio.activity import SILENT_DBFS
from chatterbox_worker.clone.findings import AssessedSegment, Findings
from chatterbox_worker.clone.quality import QUIETEST_DBFS
from chatterbox_worker.clone.strips import STRIP_S, lay_out
from chatterbox_worker.clone.voice import ClonedVoice
from chatterbox_worker.clone.waves import CLIP, INK, KEPT, LEFT_OUT, OTHERS, QUIET, UNSURE, draw_clip, draw_strip
from chatterbox_worker.errors import InvalidRequest

_STYLE: Any = {
    "text.parse_math": False,
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
}
_WIDTH = 15.0  # inches
_HEAD, _STRIP, _PANEL, _CLIP, _LINE = 0.75, 1.2, 2.7, 1.2, 0.21  # inches of height
_MOST_STRIPS = 40
_MOST_REFUSALS = 20
_LETTERS = 190  # in a line of the width


def draw(name: str, findings: Findings, voice: ClonedVoice | InvalidRequest, path: Path) -> None:
    """Write the picture of the voice `name` as PNG; `voice` is the error if there is no voice.

    Raises:
        OSError: it cannot be written; what was at `path` before is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # a name in letters that the font lacks is drawn as boxes
        figure = _figure(name, findings, voice)
        with files.draft(path) as draft:
            figure.savefig(draft, dpi=110, facecolor="white", format="png")


def _figure(name: str, findings: Findings, voice: ClonedVoice | InvalidRequest) -> Figure:
    places = lay_out([(each.name, each.audio.duration_s) for each in findings.recordings.values()])
    strips = min(_MOST_STRIPS, 1 + max((place.strip for place in places), default=-1))
    lines = _lines(findings, voice, hidden=max((place.strip for place in places), default=-1) + 1 - strips)
    clip = 0.0 if isinstance(voice, InvalidRequest) else _CLIP
    heights = [_HEAD, *[_STRIP] * strips, _PANEL, clip or 0.01, max(1, len(lines)) * _LINE]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.8), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.06))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    _head(figure.add_subplot(grid[0, :]), name, findings, voice)
    numbers = {each.segment: number for number, each in enumerate(findings.assessed, 1)}
    spans = () if isinstance(voice, InvalidRequest) else voice.clip.spans
    width_s = max((place.at_s + place.end_s - place.start_s for place in places), default=STRIP_S)
    for strip in range(strips):
        visible = [place for place in places if place.strip == strip]
        draw_strip(figure.add_subplot(grid[1 + strip, :]), visible, findings, spans, numbers, width_s=width_s)
    _levels(figure.add_subplot(grid[-3, 0]), findings.assessed)
    _similarity(figure.add_subplot(grid[-3, 1]), findings)
    if not isinstance(voice, InvalidRequest):
        draw_clip(figure.add_subplot(grid[-2, :]), voice.bundle.clip)
    _list(figure.add_subplot(grid[-1, :]), lines)
    return figure


def _head(axes: Axes, name: str, findings: Findings, voice: ClonedVoice | InvalidRequest) -> None:
    axes.axis("off")
    result = "no voice" if isinstance(voice, InvalidRequest) else f"a clip of {voice.bundle.clip.duration_s:.1f} s"
    found_s = sum(recording.audio.duration_s for recording in findings.recordings.values())
    count = len(findings.recordings)
    totals = (
        f"{findings.kept_s:.0f} s kept in {len(findings.kept)} of {len(findings.assessed)} segments  ·  "
        f"{found_s:.0f} s in {count} file{'s' * (count != 1)}  ·  {len(findings.refused)} refused  ·  {result}"
    )
    axes.text(0, 1, f"Voice “{name}”", fontsize=17, weight="bold", color=INK, va="top")
    axes.text(0.572, 0.05, "×20: drawn 20 times as high;  room: how long it rings", color=INK, va="top", fontsize=9)
    axes.text(0, 0.3, totals, fontsize=10, color=INK, va="top")
    keys = ((KEPT, "kept"), (LEFT_OUT, "left out, and why"), (QUIET, "silence"), (CLIP, "reference clip"))
    for at, (colour, word) in zip((0.65, 0.705, 0.81, 0.87), keys, strict=True):
        _key(axes, at, 0.95, colour, word)
    people = ((KEPT, "the speaker"), (OTHERS[0], "another"), (OTHERS[1], "a third, …"), (UNSURE, "between two"))
    if findings.diarisation is not None:
        axes.text(0.572, 0.5, "windows below:", color=INK, va="top", fontsize=9.5)
        for at, (colour, word) in zip((0.65, 0.735, 0.81, 0.885), people, strict=True):
            _key(axes, at, 0.5, colour, word)


def _key(axes: Axes, at: float, height: float, colour: str, word: str) -> None:
    axes.text(at, height, "■", color=colour, va="top", fontsize=9.5)
    axes.text(at + 0.01, height, word, color=INK, va="top", fontsize=9.5)


def _colours(assessed: Sequence[AssessedSegment]) -> list[str]:
    return [KEPT if each.fault is None else LEFT_OUT for each in assessed]


def _levels(axes: Axes, assessed: Sequence[AssessedSegment]) -> None:
    """Speech and noise of each segment: a longer line is cleaner speech."""
    at, colours = range(1, len(assessed) + 1), _colours(assessed)
    speech = [each.segment.level_dbfs for each in assessed]
    noise = [max(SILENT_DBFS, each.segment.level_dbfs - each.segment.snr_db) for each in assessed]
    axes.vlines(at, noise, speech, colors=colours, lw=1.6, alpha=0.45)
    axes.scatter(at, speech, c=colours, s=22, zorder=3)
    axes.scatter(at, noise, c="white", edgecolors=colours, s=22, zorder=3)
    axes.axhline(QUIETEST_DBFS, color=INK, lw=0.7, ls=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(SILENT_DBFS - 4, 0), xlabel="segment", xlim=(0.2, max(1, len(assessed)) + 0.8))
    axes.set_title("Speech ● and the noise around it ○, dBFS (dotted: the quietest that is kept)")


def _similarity(axes: Axes, findings: Findings) -> None:
    axes.set_title("Similarity to the speaker, down to the least similar part (dotted: required; × not compared)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(0, 1.03), xlabel="segment", xlim=(0.2, max(1, len(findings.assessed)) + 0.8))
    if findings.encoder is None:
        axes.text(0.5, 0.5, "not compared: one speaker was assumed", ha="center", transform=axes.transAxes)
        return
    axes.axhline(findings.min_similarity, color=INK, lw=0.7, ls=":")
    for number, each in enumerate(findings.assessed, 1):
        if each.similarity is None:
            axes.text(number, 0.02, "×", color=LEFT_OUT, ha="center", fontsize=7)
            continue
        colour = KEPT if each.fault is None else LEFT_OUT
        weakest = each.similarity if each.weakest is None else each.weakest
        axes.vlines(number, weakest, each.similarity, colors=colour, lw=1.6, alpha=0.45)
        axes.scatter(number, each.similarity, c=colour, s=22, zorder=3)


def _lines(findings: Findings, voice: ClonedVoice | InvalidRequest, *, hidden: int) -> list[str]:
    """What the picture does not show."""
    sentences = [f"No voice was created: {voice.message}."] if isinstance(voice, InvalidRequest) else []
    sentences += [f"Doubt: {doubt}." for doubt in findings.doubts if not isinstance(voice, InvalidRequest)]
    sentences += [f"Not drawn, for lack of space: {hidden} more minutes."] if hidden > 0 else []
    sentences += [f"Refused: {refused.why}" for refused in findings.refused[:_MOST_REFUSALS]]
    if (more := len(findings.refused) - _MOST_REFUSALS) > 0:
        sentences.append(f"Refused: {more} more, listed in the terminal")
    return [line for sentence in sentences for line in textwrap.wrap(sentence, _LETTERS)]


def _list(axes: Axes, lines: Sequence[str]) -> None:
    axes.axis("off")
    axes.text(0, 1, "\n".join(lines), color=INK, va="top", fontsize=9, linespacing=1.5)
