"""The findings as a picture: every recording's waveform with what was kept and why the rest was not, the level of speech
and noise and the similarity of every segment, and the clip that the voice speaks from. For a person to judge. It needs matplotlib, an extra, so
whoever draws imports this when it is wanted.
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

from chatterbox_worker.clone import quality
from chatterbox_worker.clone.findings import Findings, Judged
from chatterbox_worker.clone.segments import SILENT_DBFS
from chatterbox_worker.clone.strips import lay_out
from chatterbox_worker.clone.voice import Made
from chatterbox_worker.clone.waves import CLIP, INK, KEPT, LEFT, QUIET, draw_clip, draw_strip
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


def draw(name: str, findings: Findings, made: Made | InvalidRequest, path: Path) -> None:
    """Write the picture of voice `name` as PNG; `made` says why there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")  # a name in letters that the font lacks is drawn as boxes
        _figure(name, findings, made).savefig(path, dpi=110, facecolor="white", format="png")


def _figure(name: str, findings: Findings, made: Made | InvalidRequest) -> Figure:
    places = lay_out([(each.name, each.audio.duration_s) for each in findings.recordings.values()])
    strips = min(_MOST_STRIPS, 1 + max((place.strip for place in places), default=-1))
    lines = _lines(findings, made, hidden=max((place.strip for place in places), default=0) + 1 - strips)
    clip = 0.0 if isinstance(made, InvalidRequest) else _CLIP
    heights = [_HEAD, *[_STRIP] * strips, _PANEL, clip or 0.01, max(1, len(lines)) * _LINE]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.8), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.06))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    _head(figure.add_subplot(grid[0, :]), name, findings, made)
    numbers = {each.segment: number for number, each in enumerate(findings.judged, 1)}
    spans = () if isinstance(made, InvalidRequest) else made.clip.spans
    for strip in range(strips):
        visible = [place for place in places if place.strip == strip]
        draw_strip(figure.add_subplot(grid[1 + strip, :]), visible, findings, spans, numbers)
    _levels(figure.add_subplot(grid[-3, 0]), findings.judged)
    _similarity(figure.add_subplot(grid[-3, 1]), findings)
    if not isinstance(made, InvalidRequest):
        draw_clip(figure.add_subplot(grid[-2, :]), made.bundle.clip)
    _list(figure.add_subplot(grid[-1, :]), lines)
    return figure


def _head(axes: Axes, name: str, findings: Findings, made: Made | InvalidRequest) -> None:
    axes.axis("off")
    verdict = "no voice" if isinstance(made, InvalidRequest) else f"a clip of {made.bundle.clip.duration_s:.1f} s"
    found_s = sum(recording.audio.duration_s for recording in findings.recordings.values())
    told = (
        f"{findings.kept_s:.0f} s kept in {len(findings.kept)} of {len(findings.judged)} segments  ·  {found_s:.0f} s in "
        f"{len(findings.recordings)} files  ·  {len(findings.refused)} refused  ·  {verdict}"
    )
    axes.text(0, 1, f"Voice “{name}”", fontsize=17, weight="bold", color=INK, va="top")
    axes.text(0, 0.3, told, fontsize=10, color=INK, va="top")
    keys = ((KEPT, "kept"), (LEFT, "left out, and why"), (QUIET, "silence"), (CLIP, "the clip it speaks from"))
    for at, (colour, word) in zip((0.65, 0.705, 0.81, 0.87), keys, strict=True):
        axes.text(at, 0.95, f"■ {word}", color=colour, va="top", fontsize=9.5)


def _colours(judged: Sequence[Judged]) -> list[str]:
    return [KEPT if each.fault is None else LEFT for each in judged]


def _levels(axes: Axes, judged: Sequence[Judged]) -> None:
    """Speech and noise of each segment: the longer the line, the cleaner."""
    at, colours = range(1, len(judged) + 1), _colours(judged)
    speech = [each.segment.level_dbfs for each in judged]
    noise = [max(SILENT_DBFS, each.segment.level_dbfs - each.segment.snr_db) for each in judged]
    axes.vlines(at, noise, speech, colors=colours, lw=1.6, alpha=0.45)
    axes.scatter(at, speech, c=colours, s=22, zorder=3)
    axes.scatter(at, noise, c="white", edgecolors=colours, s=22, zorder=3)
    axes.axhline(quality.QUIETEST_DBFS, color=INK, lw=0.7, ls=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(SILENT_DBFS - 4, 0), xlabel="segment", xlim=(0.2, len(judged) + 0.8))
    axes.set_title("Speech ● and the noise around it ○, dBFS (dotted: the quietest that is kept)")


def _similarity(axes: Axes, findings: Findings) -> None:
    axes.set_title("Similarity to the speaker, down to the least similar part (dotted: wanted; × not compared)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(0, 1.03), xlabel="segment", xlim=(0.2, len(findings.judged) + 0.8))
    if findings.encoder is None:
        axes.text(
            0.5, 0.5, "not looked at: that one person speaks was taken on trust", ha="center", transform=axes.transAxes
        )
        return
    axes.axhline(findings.same, color=INK, lw=0.7, ls=":")
    for number, each in enumerate(findings.judged, 1):
        if each.similarity is None:
            axes.text(number, 0.02, "×", color=LEFT, ha="center", fontsize=7)
            continue
        colour = KEPT if each.fault is None else LEFT
        weakest = each.similarity if each.weakest is None else each.weakest
        axes.vlines(number, weakest, each.similarity, colors=colour, lw=1.6, alpha=0.45)
        axes.scatter(number, each.similarity, c=colour, s=22, zorder=3)


def _lines(findings: Findings, made: Made | InvalidRequest, *, hidden: int) -> list[str]:
    """What the picture itself does not say."""
    told = [f"No voice was made: {made.message}."] if isinstance(made, InvalidRequest) else []
    told += [f"Not drawn for want of room: {hidden} more minutes."] if hidden > 0 else []
    told += [f"Refused: {refused.why}" for refused in findings.refused[:_MOST_REFUSALS]]
    if (more := len(findings.refused) - _MOST_REFUSALS) > 0:
        told.append(f"Refused: {more} more, named in the terminal")
    return [line for sentence in told for line in textwrap.wrap(sentence, _LETTERS)]


def _list(axes: Axes, lines: Sequence[str]) -> None:
    axes.axis("off")
    axes.text(0, 1, "\n".join(lines), color=INK, va="top", fontsize=9, linespacing=1.5)
