"""How far a stage of a run is: a bar on a terminal, and a line now and then where there is none; the steps as JSON."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from chatterbox_worker.files import write_whole

_EVERY_S = 10.0  # between lines: a night's run stays readable
T = TypeVar("T")


class Progress:
    """One stage, from `done` of `total` units; `total` is None where it is not known before."""

    def __init__(
        self, stage: str, unit: str, print_line: Callable[[str], object], *, total: int | None = None, done: int = 0
    ) -> None:
        self._stage, self._unit, self._print_line = stage, unit, print_line
        self._total, self._done, self._first = total, done, done
        self._began_s = time.monotonic()
        self._printed_s = self._began_s if total is None else -math.inf  # the first of known ones tells the time left
        self._bar = tqdm(total=total, initial=done, desc=stage, unit=unit, disable=not sys.stderr.isatty())

    def advance(self, **values: float) -> None:
        """One more unit is done; `values` are shown with it."""
        self._done += 1
        self._bar.update()
        self._bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
        is_due = self._done == self._total or time.monotonic() - self._printed_s >= _EVERY_S
        if self._bar.disable and is_due:
            self._printed_s = time.monotonic()
            self._print_line(self._describe(values))

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """The items, each counted when the next one is asked for."""
        for item in items:
            yield item
            self.advance()

    @property
    def seconds(self) -> float:
        """Since the stage began in this process."""
        return time.monotonic() - self._began_s

    @property
    def left_s(self) -> float | None:
        """Seconds until the stage is done, at the mean speed so far; None where that is not known."""
        own = self._done - self._first
        return None if self._total is None or not own else self.seconds / own * (self._total - self._done)

    def close(self) -> None:
        self._bar.close()

    def _describe(self, values: dict[str, float]) -> str:
        of = "" if self._total is None else f" of {self._total}"
        parts = [f"{self._stage}: {self._unit} {self._done}{of}"]
        parts += [f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items()]
        parts.append(format_seconds(self.seconds))
        if self.left_s:
            parts.append(f"{format_seconds(self.left_s)} left")
        return ", ".join(parts)


@contextmanager
def progress(
    stage: str, unit: str, print_line: Callable[[str], object], *, total: int | None = None, done: int = 0
) -> Iterator[Progress]:
    shown = Progress(stage, unit, print_line, total=total, done=done)
    try:
        yield shown
    finally:
        shown.close()


def format_seconds(seconds: float) -> str:
    """Rounded as people say it: "8.2 s", "35 s", "12 min", "3 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class StepLog:
    """A run's steps, evaluations and samples as JSON lines.

    A continued run first removes the lines of steps that a kill undid, and what a kill left of a line.
    """

    def __init__(self, path: Path, *, done: int) -> None:
        """Keeps the lines in `path` up to step `done`.

        Raises:
            OSError: the file cannot be read or written.
        """
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if -1 < _step_of(line) <= done]
        write_whole(path, "".join(f"{line}\n" for line in kept).encode(), sole_writer=True)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Those of an event, in order."""
        lines = map(json.loads, self._path.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line.get("event") == event]

    def add(self, event: str, step: int, **values: Any) -> None:
        """Append a line; values that are None are left out, numbers are rounded to six digits."""
        given = {name: _round(value) for name, value in values.items() if value is not None}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "step": step, **given}) + "\n")


def _round(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _step_of(line: str) -> int:
    """-1 for a line that is not one of this log."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return -1
