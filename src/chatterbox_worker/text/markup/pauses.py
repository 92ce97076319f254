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


def check_pauses(seconds: float) -> float:
    """The seconds of all pauses of a text. Raises InvalidRequest if they are too many."""
    if seconds > LONGEST_PAUSES_S:
        raise InvalidRequest(f"the pauses of a text last at most {LONGEST_PAUSES_S:g} s together", field="text")
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


def pauses_s(text: str) -> float:
    """The seconds of all pauses in the text. Raises InvalidRequest as `split_at_pauses` and `check_pauses`."""
    return check_pauses(sum(part for part in split_at_pauses(text) if isinstance(part, float)))


def ends_in_pause(text: str) -> bool:
    """Whether nothing but pauses follows the last word. Raises InvalidRequest as `split_at_pauses`."""
    *_, last = split_at_pauses(text)
    return isinstance(last, str) and not last.strip() and pauses_s(text) > 0


def tag_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the tags of pauses are in a text that arrives in parts; the last one may be incomplete."""
    for found in _ARRIVING.finditer(text):
        yield found.span()


_ARRIVING = re.compile(
    r"\[(?:p(?:a(?:u(?:s(?:e(?:[: ][^\[\]\n]{0,40}+(?:\]|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)"
    r"|<(?:b(?:r(?:e(?:a(?:k(?:\s[^<>]{0,60}+(?:>|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)|\Z)",
    re.IGNORECASE,
)
