"""The loss curve as a picture: it shows whether the training loss falls and whether the held-out loss follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import files
from chatterbox_worker.train.board import CurvePoint

_TRAINING, _HELD_OUT, _BEST, _FAINT = "#1f6f8b", "#d1495b", "#2b2d42", "#9cb4bd"
_WINDOW = 1 / 25  # of the steps: the smooth line is a mean over this window


def draw(path: Path, title: str, steps: Sequence[CurvePoint], evaluations: Sequence[CurvePoint]) -> None:
    """Write a PNG: the speech loss large, the text loss below it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - the train extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for at, name in zip(axes, ("speech", "text"), strict=True):
        _curve(at, name, steps, evaluations)
        at.set_ylabel(f"{name} loss, nats/token")
        at.spines[["top", "right"]].set_visible(False)
        at.grid(alpha=0.25)
    axes[0].set_title(title, loc="left", fontsize=12)
    axes[0].legend(frameon=False)
    axes[1].set_xlabel("optimizer step")
    with files.draft(path, sole_writer=True) as draft:
        figure.savefig(draft, format="png", dpi=120)


def _curve(axes: object, name: str, steps: Sequence[CurvePoint], evaluations: Sequence[CurvePoint]) -> None:
    at: object = axes
    losses = [getattr(point, name) for point in steps]
    numbers = [point.step for point in steps]
    at.plot(numbers, losses, color=_FAINT, linewidth=0.8)  # type: ignore[attr-defined]
    at.plot(numbers, _smooth(losses), color=_TRAINING, linewidth=2, label="training clips")  # type: ignore[attr-defined]
    if not evaluations:
        return
    held_out = [getattr(point, name) for point in evaluations]
    at.plot([p.step for p in evaluations], held_out, "o-", color=_HELD_OUT, markersize=4, label="held-out clips")  # type: ignore[attr-defined]
    best = min(evaluations, key=lambda point: point.speech)
    value = getattr(best, name)
    at.plot([best.step], [value], "o", color=_BEST, markersize=9, fillstyle="none", label=f"best: step {best.step}")  # type: ignore[attr-defined]


def _smooth(values: Sequence[float]) -> list[float]:
    """The mean of each value and those just before it."""
    window = max(1, round(len(values) * _WINDOW))
    return [sum(values[max(0, end - window) : end]) / min(window, end) for end in range(1, len(values) + 1)]
