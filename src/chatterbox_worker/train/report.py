"""What was kept and what was refused, as a table for the terminal and as a file with every clip in it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatterbox_worker.train.clips import RefusedClip

_SHOWN = 30  # refusals in the terminal; all of them are in the file


@dataclass(frozen=True, slots=True)
class Kept:
    id: str
    where: str
    duration_s: float
    person: str


def summary(kept: Sequence[Kept], refused: Sequence[RefusedClip]) -> str:
    """A few lines: how much there is, by speaker, and each refusal with its reason."""
    lines = [f"{len(kept)} clips kept, {_minutes(kept)}; {len(refused)} refused"]
    people = list(dict.fromkeys(each.person for each in kept))
    if len(people) > 1:
        for person in people:
            own = [each for each in kept if each.person == person]
            lines.append(f"  {person}: {len(own)} clips, {_minutes(own)}")
    width = max((len(each.id) for each in refused[:_SHOWN]), default=0)
    lines += [f"  {each.id:<{width}}  {each.where}: {each.why}" for each in refused[:_SHOWN]]
    if len(refused) > _SHOWN:
        lines.append(f"  and {len(refused) - _SHOWN} more, in clips.csv")
    return "\n".join(lines)


def write(path: Path, kept: Sequence[Kept], refused: Sequence[RefusedClip]) -> None:
    """Every clip with its fate, as CSV."""
    draft = path.with_name(f".{path.name}")
    with draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "where", "kept", "seconds", "speaker", "why"))
        table.writerows((each.id, each.where, "yes", f"{each.duration_s:.2f}", each.person, "") for each in kept)
        table.writerows((each.id, each.where, "no", "", "", each.why) for each in refused)
    draft.replace(path)


def _minutes(clips: Sequence[Kept]) -> str:
    seconds = sum(each.duration_s for each in clips)
    return f"{seconds / 60:.1f} minutes" if seconds >= 120 else f"{seconds:.1f} seconds"
