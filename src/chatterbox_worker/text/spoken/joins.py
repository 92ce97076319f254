"""What stands between two numbers: the dash of a range, the marks of ratios, fractions and sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group, joining, say, say_year_or_number
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part, compiled

_DASHED = (
    r"(?= ?[-–—〜～~∼])(?:"  # what refuses most places comes first
    r"(?:(?<=\d%)|(?<=\d %))(?P<a> ?[-–—] ?)(?=\d[\d.,]* ?%)"
    r"|(?<=[\dkKmMBn])(?P<b> ?[-–—] ?)(?=(?:US|R)?[$€£¥₹] ?\d)"
    r"|(?:(?<=\dh)|(?<=\dh[0-5]\d))(?P<h> ?[-–—] ?)(?=\d{1,2}h)"
    r"|(?<=[€$£])(?P<i> ?[-–—] ?)(?=\d[\d.,]* ?[€$£])|(?<=[€$£] )(?P<j>[-–—] )(?=\d[\d.,]* ?[€$£])"
    r"|(?<=\d(?:st|nd|rd|th))(?P<f>[-–—])(?=\d+(?:st|nd|rd|th))"
    r"|(?<=\d0s)(?P<g> ?[-–—] ?)(?=\d*0s)"
    r"|(?<=[^\W_])[〜～~∼](?=\d))"
)
_SEASON = rf"(?<![{WORD}.,/$€£-])(?P<y>1[89]\d\d|20\d\d)(?P<mark>[-–/])(?P<n>\d\d)(?![{WORD}/-]|[.,]\d)"
_BETWEEN = r"(?<=\d)(?:(?P<mark>[:/x])(?=\d)| (?P<spaced>x) (?=[$€£]?\d))"
_NUMBER_BEFORE, _NUMBER_AFTER = re.compile(r"(?:\d+(?P<decimals>[.,]\d+)|\d+)$"), re.compile(r"[$€£]?\d+")
_FULL_MARKS = ("5", "10", "100")
_RATIO = "Ratio|Scale|Score|Odds|Escala|Proporción|Relación|Mezcla|Échelle|Rapport|Scala|Rapporto|Proporção|Relação"
_NAME_BEFORE = re.compile(rf"(?<!\w)(?!(?:{_RATIO}) )[A-ZÀ-Þ][^\W\d_]+\.? \d+$")
_NEAR = 40
_TWO_DIGITS = 10


def find_dashes(part: Part, rules: Rules) -> Iterator[Group]:
    """The dash between two percentages, prices, times, ordinals or decades, and the tilde of a range."""
    if not rules.to:
        return
    for found in part.find(_DASHED):
        yield [Span(*found.span(), joining(rules))]


def find_seasons(part: Part, rules: Rules) -> Iterator[Group]:
    """A year and the end of a later one: the season 2024-25, the war of 1914-18."""
    if not rules.spaced:
        return
    for found in part.find(_SEASON):
        year, end = int(found["y"]), int(found["n"])
        is_next = (year + 1) % 100 == end
        first = say_year_or_number(found["y"], rules, "")
        if is_next and end >= _TWO_DIGITS:
            yield [Span(*found.span(), f"{first} {say_year_or_number(found['n'], rules, '')}")]
        elif rules.to and (is_next or (found["mark"] != "/" and year % 100 < end)):
            last = say_year_or_number(str(year + (end - year) % 100), rules, "")
            yield [Span(*found.span(), f"{first}{joining(rules)}{last}")]


def find_verses(part: Part, rules: Rules) -> Iterator[Group]:
    """A chapter and its verses after the name of a book."""
    if not rules.books:
        return
    behind = "|".join(rf"(?<=\b{name} )" for name in rules.books.split("|"))
    for found in part.find(
        rf"(?=\d{{1,3}}[:,.])(?:{behind})(?P<n>\d{{1,3}})(?P<mark>[:,.] ?)(?P<m>\d{{1,3}})(?:[-–](?P<o>\d{{1,3}}))?"
        rf"(?![\d:]|[.,]\d| ?(?:(?:[kc]?m|k?g|Mio|Mrd)\b|[%€]))"  # "Markus 1,85 m"
    ):
        numbers = [say(int(found[name]), rules) for name in ("m", "o") if found[name]]
        yield [Span(*found.span(), f"{say(int(found['n']), rules)}, {joining(rules).join(numbers)}")]


def find_between(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for found in part.find(_BETWEEN):
        start, end = found.span()
        before, after = _NUMBER_BEFORE.search(text, max(0, start - _NEAR), start), _NUMBER_AFTER.match(text, end)
        if before is None or after is None:
            continue
        mark = found["mark"] or "x"
        words = rules.between.get(mark, "")
        if mark == "/" and rules.out_of and (before["decimals"] or _is_full(text, start, before, after, rules)):
            words = rules.out_of
        elif mark == "/" and (before[0] == after[0] or max(len(before[0]), len(after[0])) > 3):
            words = ""  # fifty-fifty; a file and its year
        if mark == ":" and _NAME_BEFORE.search(text, max(0, start - _NEAR), start):
            words = ""  # a verse
        if words or mark in ":/":
            gap = " " if rules.spaced and found["mark"] != "x" else ""  # next to a letter the numbers have spaces
            yield [Span(start, end, f"{gap}{words}{gap}" if words else " ")]


def _is_full(text: str, start: int, before: re.Match[str], after: re.Match[str], rules: Rules) -> bool:
    if before[0] != after[0] or after[0] not in _FULL_MARKS:
        return False
    day = rf"(?:^|\W)(?:{rules.days_before}) \d+$"
    return not rules.days_before or compiled(day).search(text, max(0, start - _NEAR), start) is None
