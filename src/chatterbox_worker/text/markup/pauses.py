"""Pauses that a text asks for in seconds: `[pause:1.5s]` and `<break time="300ms"/>`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.errors import InvalidRequest, quote

LONGEST_PAUSE_S = 30.0
LONGEST_PAUSES_S = 600.0
"""Of one text, together: 58 MB of samples."""

_TAG = re.compile(r"\[pause(?::| (?=[ \d.+-])) *([^\[\]\n]{0,40})\]", re.IGNORECASE)
_TIME = re.compile(r"(\d{1,6}(?:[.,]\d{1,6})?|[.,]\d{1,6}) ?(ms|milliseconds?|s|secs?|seconds?)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[\d.,]")


def parse_time(text: str) -> float | None:
    """Seconds, of "1.5s", "300ms" or "2"; None for anything else."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    seconds = float(found[1].replace(",", "."))
    return seconds / 1000 if (found[2] or "").lower().startswith("m") else seconds


def check_pause(seconds: float | None, written: str) -> float:
    """
    Raises:
        InvalidRequest: it is no time, or too long.
    """
    if seconds is None:
        raise InvalidRequest(f"a pause is written as [pause:1.5s] or [pause:300ms], not {quote(written)}", field="text")
    if seconds > LONGEST_PAUSE_S:
        raise InvalidRequest(f"a pause lasts at most {LONGEST_PAUSE_S:g} s, not {quote(written)}", field="text")
    return seconds


def split_at_pauses(text: str) -> Iterator[str | float]:
    """The text between the tags, and the seconds of each tag, in order. `[Pause: he waits]` is text.

    Raises:
        InvalidRequest: a tag with a number that is no time, or with a longer one than is allowed.
    """
    place = 0
    for found in _TAG.finditer(text):
        seconds = parse_time(found[1])
        if seconds is None and not _NUMBER.match(found[1]):
            continue
        yield text[place : found.start()]
        yield check_pause(seconds, found[0])
        place = found.end()
    yield text[place:]


def without_pauses(text: str) -> str:
    """
    Raises:
        InvalidRequest: as `split_at_pauses`.
    """
    return " ".join(part for part in split_at_pauses(text) if isinstance(part, str))


def unfinished_tag(text: str) -> int | None:
    """Where a pause's tag begins that the text does not complete, for a text that arrives in parts."""
    start = text.rfind("[", max(0, len(text) - _LONGEST_TAG))
    if start < 0 or "]" in text[start:]:
        return None
    opened = text[start : start + len(_OPENING)].lower()
    return start if _OPENING.startswith(opened) or opened.startswith(_OPENING) else None


_OPENING = "[pause"
_LONGEST_TAG = 50
