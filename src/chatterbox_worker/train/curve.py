"""The loss curve as a picture that a person can judge: does it fall, and does what was held out follow?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker.train.board import CurvePoint

_LEARNT, _HELD_OUT, _BEST, _FAINT = "#1f6f8b", "#d1495b", "#2b2d42", "#9cb4bd"
_WINDOW = 1 / 25  # of the steps: what the smooth line is a mean of


def draw(path: Path, title: str, steps: Sequence[CurvePoint], judgements: Sequence[CurvePoint]) -> None:
    """Write a PNG: the speech loss large, the text loss below it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - the train extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for at, name in zip(axes, ("speech", "text"), strict=True):
        _curve(at, name, steps, judgements)
        at.set_ylabel(f"{name} loss, nats/token")
        at.spines[["top", "right"]].set_visible(False)
        at.grid(alpha=0.25)
    axes[0].set_title(title, loc="left", fontsize=12)
    axes[0].legend(frameon=False)
    axes[1].set_xlabel("optimizer step")
    draft = path.with_name(f".{path.name}")
    figure.savefig(draft, format="png", dpi=120)
    draft.replace(path)


def _curve(axes: object, name: str, steps: Sequence[CurvePoint], judgements: Sequence[CurvePoint]) -> None:
    at: object = axes
    losses = [getattr(point, name) for point in steps]
    numbers = [point.step for point in steps]
    at.plot(numbers, losses, color=_FAINT, linewidth=0.8)  # type: ignore[attr-defined]
    at.plot(numbers, _smooth(losses), color=_LEARNT, linewidth=2, label="learnt from")  # type: ignore[attr-defined]
    if not judgements:
        return
    judged = [getattr(point, name) for point in judgements]
    at.plot([p.step for p in judgements], judged, "o-", color=_HELD_OUT, markersize=4, label="held out")  # type: ignore[attr-defined]
    best = min(judgements, key=lambda point: point.speech)
    value = getattr(best, name)
    at.plot([best.step], [value], "o", color=_BEST, markersize=9, fillstyle="none", label=f"kept: step {best.step}")  # type: ignore[attr-defined]


def _smooth(values: Sequence[float]) -> list[float]:
    """Each value's mean with those just before it."""
    window = max(1, round(len(values) * _WINDOW))
    return [sum(values[max(0, end - window) : end]) / min(window, end) for end in range(1, len(values) + 1)]
