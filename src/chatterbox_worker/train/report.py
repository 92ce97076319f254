"""The kept and the refused clips, as a table for the terminal and as a file with every clip."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chatterbox_worker import files
from chatterbox_worker.train.clips import RefusedClip

_LISTED = 30  # refused clips in the terminal; all of them are in the file


@dataclass(frozen=True, slots=True)
class KeptClip:
    id: str
    where: str
    duration_s: float
    person: str
    is_other_voice: bool = False
    """Whether it sounds like another person than most of the speaker's clips."""


def summary(kept: Sequence[KeptClip], refused: Sequence[RefusedClip]) -> str:
    """A few lines: the amount of speech per speaker, who may be two people, and each refused clip with its reason."""
    lines = [f"{len(kept)} clips kept, {_minutes(kept)}; {len(refused)} refused"]
    people = list(dict.fromkeys(each.person for each in kept))
    if len(people) > 1:
        for person in people:
            own = [each for each in kept if each.person == person]
            lines.append(f"  {person}: {len(own)} clips, {_minutes(own)}")
    for person in people:
        others = [each.is_other_voice for each in kept if each.person == person]
        if any(others):
            lines.append(
                f"  {sum(others)} of the {len(others)} clips of {person} sound like another person; "
                "training mixes the two: see the column voice of clips.csv"
            )
    width = max((len(each.id) for each in refused[:_LISTED]), default=0)
    lines += [f"  {each.id:<{width}}  {each.where}: {each.why}" for each in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"  and {len(refused) - _LISTED} more, in clips.csv")
    return "\n".join(lines)


def new_tokens(counts: Mapping[str, int]) -> str:
    """A line: the tokens that a tokenizer gets, each with how many transcripts have it."""
    shown = [f"{token} ({count})" for token, count in list(counts.items())[:_LISTED]]
    more = f" and {len(counts) - _LISTED} more" if len(counts) > _LISTED else ""
    return f"{len(counts)} new tokens, with the transcripts that have them: {', '.join(shown)}{more}"


def write(path: Path, kept: Sequence[KeptClip], refused: Sequence[RefusedClip]) -> None:
    """Write every clip as CSV, with whether it was kept or why not."""
    with files.draft(path, sole_writer=True) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "where", "kept", "seconds", "speaker", "voice", "why"))
        for each in kept:
            voice = 2 if each.is_other_voice else 1
            table.writerow((each.id, each.where, "yes", f"{each.duration_s:.2f}", each.person, voice, ""))
        table.writerows((each.id, each.where, "no", "", "", "", each.why) for each in refused)


def _minutes(clips: Sequence[KeptClip]) -> str:
    seconds = sum(each.duration_s for each in clips)
    return f"{seconds / 60:.1f} minutes" if seconds >= 120 else f"{seconds:.1f} seconds"
