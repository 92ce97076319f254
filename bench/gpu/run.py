"""Run the parts of a benchmark, each in processes of its own, within a budget of time.

A part that crashes or hangs costs the case that it was at: the case is marked as died, and another process continues
with the next one. A part may use its share of the time that is left, so what one part does not use is for those after
it. A run that was stopped continues where it was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gpu.results import Results

_ROOT = Path(__file__).parents[2]
_LEAST_S = 5.0
"""A part is not started with less: importing torch takes as long."""
_FAIR_S = 60.0
"""A part may take so long of whatever is left: on a slow machine its imports and weights alone take half of it."""
PART = "(part)"
"""The case that stands for a part as a whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """A module with `cases(options)`, and the seconds it may take out of the default budget."""

    name: str
    module: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Options:
    """What the cases of all parts need to know."""

    out: Path
    device: str
    size: str
    """"tiny" or "full"."""
    weights: Path
    """The folder of the synthetic checkpoints."""

    def arguments(self) -> list[str]:
        return [str(self.out), self.device, self.size, str(self.weights)]


def run(parts: Sequence[Part], options: Options, budget_s: float) -> Results:
    """All parts in order; the results are in `options.out`. Parts that need more than their share go on at the end."""
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.out / "results.jsonl")
    end_s = time.monotonic() + budget_s
    for _ in range(2):
        todo = [part for part in parts if not _is_done(part, results)]
        for index, part in enumerate(todo):
            left = end_s - time.monotonic()
            share = left * part.limit_s / sum(later.limit_s for later in todo[index:])
            share = max(share, min(left, _FAIR_S))
            _run_part(part, options, results, share)
    return results


def _is_done(part: Part, results: Results) -> bool:
    whole = results.cases().get((part.name, PART))
    return whole is not None and whole.event == "done"


def _run_part(part: Part, options: Options, results: Results, share_s: float) -> None:
    if share_s < _LEAST_S:
        results.add(part.name, PART, "skipped", {"reason": "the budget of time is used up"})
        return
    started_s = time.monotonic()
    reason = _run_children(part, options, results, started_s + share_s)
    seconds = round(time.monotonic() - started_s, 1)
    results.add(part.name, PART, "died" if reason else "done", {"seconds": seconds, "reason": reason})


def _run_children(part: Part, options: Options, results: Results, end_s: float) -> str:
    """Why the part is not complete; empty if it is."""
    while (left := end_s - time.monotonic()) > 0:
        ending = _run_child(part, options, left)
        if ending == "":
            return ""
        begun = [case for case in results.cases().values() if case.part == part.name and case.event == "start"]
        for case in begun:
            results.add(part.name, case.name, "died", {"reason": ending})
        if not begun:  # it would end in the same way again
            return ending
    return "it ran past its share of the time"


def _run_child(part: Part, options: Options, limit_s: float) -> str:
    """How the process ended; empty if it ran to its end. Its output is appended to the part's log."""
    command = [sys.executable, "-m", "bench.gpu.child", part.name, part.module, *options.arguments()]
    with (options.out / f"{part.name}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"the process was stopped after {limit_s:.0f} s"
        finally:
            _stop(process)
    if code < 0:
        return f"the process ended with {signal.Signals(-code).name}"
    return "" if code == 0 else f"the process ended with code {code}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
