"""The results as a text: one line for each case, and the ratios to upstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.gpu.results import Case
from bench.gpu.run import PART

_SHOWN_CHARS = 150


def table(cases: Mapping[tuple[str, str], Case]) -> str:
    """Whatever is there; a case that has started and has no end is "running"."""
    lines: list[str] = []
    for part in dict.fromkeys(owner for owner, _ in cases):
        whole = cases.get((part, PART))
        lines += ["", f"{part}{_ending(whole)}"]
        for (owner, name), case in cases.items():
            if owner == part and name != PART:
                lines += _lines_of(name, case)
    return "\n".join([*lines, "", *_ratios(cases), *_totals(cases)]).strip()


def _ending(case: Case | None) -> str:
    if case is None:
        return " (not finished)"
    seconds, reason = case.figures.get("seconds"), case.figures.get("reason")
    return f" ({case.event}: {reason})" if reason else f" ({seconds} s)"


def _lines_of(name: str, case: Case) -> list[str]:
    event = {"start": "running", "done": ""}.get(case.event, case.event)
    figures = {key: value for key, value in case.figures.items() if key not in {"case_s", "kernels", "unit"}}
    text = ", ".join(f"{key} {_number(value)}".strip() for key, value in figures.items())
    kernels = [row for row in case.figures.get("kernels", []) if isinstance(row, list)]
    return [
        f"  {name:34}{event:9}{text}"[: 45 + _SHOWN_CHARS].rstrip(),
        *(f"      {ms:>10} ms {count:>7} x {kernel}" for kernel, count, ms in kernels),
    ]


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_number(inner)}" for key, inner in value.items()) + ")"
    return str(value)


def _ratios(cases: Mapping[tuple[str, str], Case]) -> list[str]:
    """One request: times upstream, in the same run."""
    lines = []
    for (part, name), case in cases.items():
        kind, _, model = name.rpartition(" ")
        upstream = cases.get((part, f"upstream {model}"))
        if part == "speed" and kind != "upstream" and upstream and "total" in case.figures:
            theirs, ours = upstream.figures.get("total"), case.figures["total"]
            if theirs:
                lines.append(f"{model}, {kind}: {ours:.4f} s, {theirs / ours:.2f} times upstream ({theirs:.4f} s)")
    return lines


def _totals(cases: Mapping[tuple[str, str], Case]) -> list[str]:
    events = [case.event for (_, name), case in cases.items() if name != PART]
    counts = ((events.count(event), event) for event in ("done", "failed", "died", "skipped", "start"))
    return ["", ", ".join(f"{count} {event}" for count, event in counts)]
