"""Web and e-mail addresses and paths of files, as a person says them, and telephone numbers digit by digit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group, say_digits, say_in_name
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part

_TOP_LEVEL = (
    "com|org|net|edu|gov|int|info|io|ai|dev|app|eu|uk|us|de|fr|es|it|nl|pl|ru|pt|br|mx|ar|cl|co|dk|no|se|fi|gr|il|in|"
    "jp|kr|cn|tr|my|ke|tz|sa|ae|eg|ch|at|be|ca|au|tv|me|cat"
)
_HOST = rf"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+(?:{_TOP_LEVEL})"
_PATH = r"(?::\d{2,5})?(?:[/?#][^\s<>\"'“”«»|]*)?"
_URL = (
    rf"(?<![{WORD}@./-])(?:(?P<scheme>https?://(?:www\.)?|www\.)[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?{_PATH}"
    rf"|{_HOST}(?![{WORD}@-]|\.\w){_PATH})"
)
_FILE = (
    r"(?:^|(?<=[\s«„“\"'(\[]))(?:~|\.\.?)?/\.?[A-Za-z][A-Za-z\d_.+-]*"
    rf"(?:/[A-Za-z\d_.][A-Za-z\d_.+-]*)*(?:/(?!\w))?(?![{WORD}/*-])"  # Korean particles touch it
)
_EMAIL = rf"(?<![{WORD}.+-])(?:[a-zA-Z0-9][{WORD}.+-]*|(?<![@/]))@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+"
_PARTS = re.compile(r"\d+|[^\W\d_]+|.", re.DOTALL)
_TRAILING = ".,;:!?)]}'\""

_PHONE = (
    rf"(?<![{WORD}.,/+-])(?<!\d )(?:"
    r"(?P<plus>\+) ?(?!\d{4} ?\()\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}"
    r"|\(\d{2,5}\)(?:[ .-]?\d{2,5}){2,4}"
    r"|(?:\d-)?\d{3}[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}|\d{2} \d{4} \d{4}|9\d{4}-\d{4}"
    r"|(?P<eight>(?!(?:19|20)\d\d-(?:19|20))[2-9]\d{3}-\d{4})"
    r"|\d{3} \d{3} \d{4}|[6-9]\d{4} \d{5}|[489]\d\d \d\d \d{3}|1[3-9]\d \d{4} \d{4}|1-[38]00-\d\d-\d{4}"
    r"|0\d{1,4}(?:[ .-]\d{2,8}){1,5}"
    r"|8[ -]?\(\d{3,4}\) ?\d{2,3}-\d\d-\d\d|8-\d{3}-\d{3}-\d\d-\d\d|\d{3}-\d\d-\d\d"
    r"|0\d{1,4} ?/ ?\d{3,8}(?:[ -]\d{1,8}){0,3}|3\d\d[ ./-]\d{6,7}"
    r"|0 ?\(\d{3}\) ?\d{3}[ -]?\d\d[ -]?\d\d|2\d\d \d{7}|2\d{3}[ -]\d{6}|\d\d 9\d{4}-\d{4}"
    r"|\d{2,3}(?: \d{2,3}){3,4}|[6-9]\d\d \d{3} \d{3}"
    rf")(?![{WORD}/]|[.,-]\d)"
)
_GROUPS = re.compile(r"\d+")
_LEAST_DIGITS, _MOST_DIGITS = 7, 15  # ITU-T E.164: at most 15


def find_urls(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    if not rules.marks:
        return
    for found in part.find(_URL):
        if f"{found[0]}." in rules.titles:  # the Polish "m.in."
            continue
        end = found.end()
        while text[end - 1] in _TRAILING:
            end -= 1
        start = found.start()
        body = start + len(found["scheme"] or "")
        head = [Span(start, body, "")] if body > start else []
        yield [*head, *_read(text, body, end, rules)]
    for found in part.find(_FILE):
        yield _read(text, found.start(), found.start() + len(found[0].rstrip(_TRAILING)), rules)


def find_emails(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    if not rules.marks:
        return
    for found in part.find(_EMAIL):
        end = found.end()
        while text[end - 1] in ".-":
            end -= 1
        yield _read(text, found.start(), end, rules)


def _read(text: str, start: int, end: int, rules: Rules) -> Group:
    """A span for each part, so that a long address can be cut. Every part but the first begins with a space."""
    if text[end - 1] == "/":
        end -= 1
        tail = [Span(end, end + 1, "")]
    else:
        tail = []
    spans: Group = []
    for part in _PARTS.finditer(text, start, end):
        words = _say_part(part[0], rules)
        gap = " " if spans else ""
        spans.append(Span(*part.span(), gap + words if words else ""))
    return [*spans, *tail]


def _say_part(part: str, rules: Rules) -> str:
    if part.isdecimal():
        return say_in_name(part, rules)
    return part if part.isalnum() else rules.marks.get(part, "")


def find_phones(part: Part, rules: Rules) -> Iterator[Group]:
    """Numbers that have the form of a telephone number; groups of three with spaces only after "+" or 0."""
    text = part.text
    yield from _announced(part, rules)
    for found in part.find(_PHONE):
        groups = _GROUPS.findall(found[0])
        if found["eight"] and groups[0] <= groups[1] and not _is_announced(text, found.start(), rules):
            continue  # a range
        if not _LEAST_DIGITS <= sum(map(len, groups)) <= _MOST_DIGITS or (
            _is_grouped(found[0], rules) and not _is_announced(text, found.start(), rules)
        ):
            continue
        plus = f"{rules.phone_plus} " if found["plus"] else ""
        yield [Span(*found.span(), plus + ", ".join(say_digits(group, rules) for group in groups))]


def _announced(part: Part, rules: Rules) -> Iterator[Group]:
    """A number without any separators after "telephone"."""
    if not rules.phones:
        return
    for found in part.find(rf"(?:{rules.phones})(?P<n>\d{{5,{_MOST_DIGITS}}})(?![\w-]|[.,/ ]\d)"):
        yield [Span(*found.span("n"), say_digits(found["n"], rules))]


def _is_grouped(written: str, rules: Rules) -> bool:
    """Whether it is a large number with separators."""
    return " " in rules.group and re.fullmatch(r"[1-9]\d{0,2}(?: \d{3})+", written) is not None


def _is_announced(text: str, start: int, rules: Rules) -> bool:
    return bool(rules.phones) and re.search(rf"(?:{rules.phones})$", text[max(0, start - 30) : start]) is not None
