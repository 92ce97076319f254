"""Numbers that count nothing: codes read digit by digit, network addresses, handles and hashtags."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numbers import Group, say, say_digits
from chatterbox_worker.text.spoken.rules import Rules

_CODE = re.compile(
    r"(?<=\bISBN )[\dX][\d -]{8,15}[\dX](?!\w)|(?<=\bISBN: )[\dX][\d -]{8,15}[\dX](?!\w)"
    r"|(?<![\w-])97[89]-\d{1,5}-\d{1,7}-\d{1,7}-\d(?![\w-])|(?<=\bISSN )\d{4}-\d{3}[\dX](?!\w)"
    r"|(?<![\w-])\d{4}(?:[ -]\d{4}){3}(?![\w-])"  # a payment card
    r"|(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"  # a social security number
)
_PART = re.compile(r"\d+|X")
_IP = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?::\d{2,5})?(?![\w]|\.\d)"
)
_PARTS = re.compile(r"\d+|[.:]")
_HANDLE = re.compile(r"(?<![\w./@#&])[@#][^\W\d][\w]{0,40}(?![\w@])")
_WORDS = re.compile(r"\d+|_|[A-ZÀ-Þ]?[^\W\d_A-ZÀ-Þ]+|[A-ZÀ-Þ]+(?![^\W\d_A-ZÀ-Þ])|[^\W\d_]|\w")


def find_codes(text: str, rules: Rules) -> Iterator[Group]:
    for found in _CODE.finditer(text):
        parts = (part if part == "X" else say_digits(part, rules) for part in _PART.findall(found[0]))
        yield [Span(*found.span(), ", ".join(parts))]
    if rules.emergency:
        for found in re.finditer(rf"(?:{rules.emergency})(?P<n>\d{{3}})(?![\w-]|[.,/ ]\d)", text):
            yield [Span(*found.span("n"), say_digits(found["n"], rules))]


def find_network_addresses(text: str, rules: Rules) -> Iterator[Group]:
    if not rules.marks:
        return
    for found in _IP.finditer(text):
        parts = [say(int(part), rules) if part.isdecimal() else rules.marks[part] for part in _PARTS.findall(found[0])]
        yield [Span(*found.span(), (" " if rules.spaced else "").join(parts))]


def find_handles(text: str, rules: Rules) -> Iterator[Group]:
    """A name after "@" and the words of a hashtag, which capitals or low lines separate."""
    if not rules.marks:
        return
    for found in _HANDLE.finditer(text):
        is_handle = found[0][0] == "@"
        low_line = rules.marks["_"] if is_handle else ""
        parts = (
            say(int(part), rules) if part.isdecimal() else low_line if part == "_" else part
            for part in _WORDS.findall(found[0][1:])
        )
        mark = rules.marks["@"] if is_handle else rules.marks.get("hashtag", "hashtag")
        yield [Span(*found.span(), " ".join([mark, *filter(None, parts)]))]
