"""The results of a run: a file with one JSON line for each event, appended and synced, so that nothing is lost.

Events of a case are `{"event": "start"}`, then one of "done" (with figures), "failed" (an exception) and "died" (the
process ended within the case, or ran past its limit); a part has "part" events with its seconds. The last event of a
case counts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FINAL = ("done", "failed", "skipped", "died")


@dataclass(frozen=True, slots=True)
class Case:
    part: str
    name: str
    event: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.event in FINAL


class Results:
    """The file of a run. Lines that a killed process left incomplete are ignored."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, part: str, name: str, event: str, figures: Mapping[str, object] | None = None) -> None:
        """Append one line; it is on the disk when this returns."""
        line = {"part": part, "case": name, "event": event, "at": round(time.time(), 3)}
        line |= {"figures": figures or {}}
        ends = not self.path.exists() or self.path.read_bytes()[-1:] in {b"", b"\n"}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("" if ends else "\n") + json.dumps(line, default=_plain) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def cases(self) -> dict[tuple[str, str], Case]:
        """The last event of every case, by part and name, in the order in which they first started."""
        found: dict[tuple[str, str], Case] = {}
        for line in self._lines():
            key = line.pop("part"), line.pop("case")
            found[key] = Case(*key, line["event"], line.get("figures", {}))
        return found

    def _lines(self) -> list[dict[str, Any]]:
        lines = []
        for text in self.path.read_text("utf-8").splitlines() if self.path.exists() else []:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and {"part", "case", "event"} <= line.keys():
                lines.append(line)
        return lines


def _plain(value: object) -> object:
    """Numbers of other libraries and paths, for JSON."""
    return value.item() if hasattr(value, "item") else str(value)
