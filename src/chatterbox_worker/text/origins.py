"""Which part of a text each character of its rewriting stands for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

Range = tuple[int, int]
"""Indices of a text, the end exclusive; an inserted character's range is empty."""


def origins(before: str, after: str) -> list[Range]:
    """For each character of `after`, the part of `before` that it stands for.

    What both have in common is matched character by character; what was replaced is one part as a whole.
    """
    found: list[Range] = []
    for kind, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        same = kind == "equal" or (kind == "replace" and end - start == new_end - new_start)
        found += [(i, i + 1) for i in range(start, end)] if same else [(start, end)] * (new_end - new_start)
    return found


def compose(first: Sequence[Range], second: Sequence[Range]) -> list[Range]:
    """The ranges of a rewriting of a rewriting: `second` has indices of what `first` describes."""
    return [cover(first, start, end) for start, end in second]


def cover(ranges: Sequence[Range], start: int, end: int) -> Range:
    """The part that `ranges[start:end]` cover together; of an empty slice, the place between its neighbours."""
    if start < end:
        return ranges[start][0], ranges[end - 1][1]
    place = ranges[start][0] if start < len(ranges) else ranges[-1][1] if ranges else 0
    return place, place
