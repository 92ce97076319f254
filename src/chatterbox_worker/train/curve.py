"""A run's curves as a picture: whether the training loss falls, whether the held-out loss follows, and how the samples
sound: how similar to the speaker, and how well they are understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chatterbox_worker import files
from chatterbox_worker.train.board import CurvePoint
from chatterbox_worker.train.samples import SampleScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAINING, _HELD_OUT, _BEST, _FAINT = "#1f6f8b", "#d1495b", "#2b2d42", "#9cb4bd"
_SAMPLES = "#66883c"
_WINDOW = 1 / 25  # of the steps: the smooth line is a mean over this window


def draw(
    path: Path,
    title: str,
    steps: Sequence[CurvePoint],
    evaluations: Sequence[CurvePoint],
    *,
    scores: Sequence[SampleScore] = (),
    recorded: float | None = None,
) -> None:
    """Write a PNG: the speech loss large, below it the text loss and, if there are samples, their scores.

    `recorded`: the similarity of the speaker's own held-out recordings.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - the train extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    alike = [(score.step, score.similarity) for score in scores if score.similarity is not None]
    understood = [(score.step, score.word_errors) for score in scores if score.word_errors is not None]
    losses = ["speech", "text"] if any(point.text for point in (*steps, *evaluations)) else ["speech"]
    ratios = [3, 1][: len(losses)] + [1] * (bool(alike) + bool(understood))
    figure = Figure(figsize=(9, 1.6 * (sum(ratios))), layout="constrained")
    FigureCanvasAgg(figure)
    axes: list[Axes] = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0])
    for at, name in zip(axes, losses, strict=False):
        _curve(at, name, steps, evaluations)
        at.set_ylabel(f"{name} loss,\nnats/token")
    if alike:
        _similarity(axes[len(losses)], alike, recorded)
    if understood:
        _word_errors(axes[-1], understood)
    for at in axes:
        at.spines[["top", "right"]].set_visible(False)
        at.grid(alpha=0.25)
    axes[0].set_title(title, loc="left", fontsize=12)
    axes[0].legend(frameon=False)
    axes[-1].set_xlabel("optimizer step")
    axes[-1].locator_params(axis="x", integer=True)
    figure.align_ylabels()
    with files.draft(path, sole_writer=True) as draft:
        figure.savefig(draft, format="png", dpi=120)


def _curve(at: Axes, name: str, steps: Sequence[CurvePoint], evaluations: Sequence[CurvePoint]) -> None:
    losses = [getattr(point, name) for point in steps]
    numbers = [point.step for point in steps]
    at.plot(numbers, losses, color=_FAINT, linewidth=0.8)
    at.plot(numbers, _smooth(losses), color=_TRAINING, linewidth=2, label="training clips")
    if not evaluations:
        return
    held_out = [getattr(point, name) for point in evaluations]
    at.plot([p.step for p in evaluations], held_out, "o-", color=_HELD_OUT, markersize=4, label="held-out clips")
    best = min(evaluations, key=lambda point: point.speech)
    value = getattr(best, name)
    at.plot([best.step], [value], "o", color=_BEST, markersize=9, fillstyle="none", label=f"best: step {best.step}")


def _similarity(at: Axes, points: Sequence[tuple[int, float]], recorded: float | None) -> None:
    at.plot([step for step, _ in points], [similarity for _, similarity in points], "o-", color=_SAMPLES, markersize=4)
    at.set_ylabel("samples:\nsimilarity")
    if recorded is not None:
        at.axhline(recorded, color=_BEST, linewidth=0.8, linestyle=":", label="held-out recordings")
        at.legend(frameon=False, fontsize=8)


def _word_errors(at: Axes, points: Sequence[tuple[int, float]]) -> None:
    at.plot([step for step, _ in points], [100 * errors for _, errors in points], "o-", color=_SAMPLES, markersize=4)
    at.set_ylabel("samples:\nword errors, %")
    at.set_ylim(0, 110 * max(errors for _, errors in points) or 10)


def _smooth(values: Sequence[float]) -> list[float]:
    """The mean of each value and those just before it."""
    window = max(1, round(len(values) * _WINDOW))
    return [sum(values[max(0, end - window) : end]) / min(window, end) for end in range(1, len(values) + 1)]
