"""Dates with the short names of days and months, and the dash between two dates.

A short name is often a word too ("mar" is the sea, "sat" the past of "sit"), so it is read only where a day, a year or
a time stands with it: "jue, 5 mar 2026".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.calendar import say_day
from chatterbox_worker.text.spoken.date_names import LINK, YEAR, any_month, day_names, short_months, weekday_is_last
from chatterbox_worker.text.spoken.numerals import Group, joining
from chatterbox_worker.text.spoken.patterns import WORD, alternatives
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part, compiled

_NUMERIC = r"(?:\d\d?[./-]\d\d?[./-](?:\d{4}|\d\d)|\d{4}-\d\d-\d\d|\d\d?\.\d\d?\.)(?![\w/])"
_DAY_AND_MONTH, _TIME = r"\d\d?[/-]\d\d?(?![\w/])", r"\d\d?[:h]\d\d(?!\w)"
_STOPS = "[.,،]{0,2}"
_DAY = r"\d\d?(?:st|nd|rd|th|\.)?"
_DAY_MONTH, _LINK_TO_YEAR = re.compile(r"\{d\} (?:\w+ )?\{m\}"), re.compile(r"\{m\}( \w+) \{y\}")
_RANGE = re.compile(r"(?<!\d)\d\d?\.? ?[–—-] ?$")
_WORD_BEFORE = re.compile(r"[^\W\d] $")
_NEAR = 40  # characters before a dash or a year, for the rest of the date


@lru_cache(maxsize=32)
def _days(rules: Rules) -> str:
    return rf"(?<![{WORD}])(?:{alternatives(tuple(day_names(rules)))})"


@lru_cache(maxsize=32)
def _start_of_date(rules: Rules) -> str:
    months = any_month(rules)
    weekday = rf"(?:{_days(rules)}{_STOPS} (?:[^\W\d]{{2,3}} )?(?=\d|{months}))?"  # Danish has "den" after it
    return rf"{weekday}(?:{_DAY} ?{LINK}{months}|{months}|{_NUMERIC})"


def find_short_dates(part: Part, rules: Rules) -> Iterator[Group]:
    yield from _short_days(part, rules)
    if rules.spaced and short_months(rules):
        yield from _short_months(part, rules)
    if rules.to:
        yield from _dashes(part, rules)


def _short_days(part: Part, rules: Rules) -> Iterator[Group]:
    names = day_names(rules)
    shorts = tuple(short for short, name in names.items() if short != name)
    letters = "".join(short for short in shorts if len(short) == 1)
    if letters:  # "3月5日(木)"
        for found in part.find(rf"(?:(?<=[日\d])|(?<=일 )|(?<=\. ))[(（](?P<name>[{letters}])(?=[)）])"):
            yield [Span(*found.span("name"), names[found["name"]])]
        return
    if not shorts:
        return
    months = any_month(rules)
    after = rf"{_DAY} ?{LINK}{months}|{months}\.? \d|{_NUMERIC}|{_DAY_AND_MONTH}|{_TIME}|\d\d?\.? ?[–—] ?[^\W\d]"
    pattern = rf"(?<![{WORD}])(?<!\d )(?<!\d de )(?P<name>{alternatives(shorts)})(?=,? (?:{after}))"
    for found in part.find(pattern):
        yield [Span(*found.span(), names[found["name"]])]
    if weekday_is_last(rules):
        date = compiled(rf"(?:{months}|\d{{4}}) $")
        for found in part.find(rf"(?<![{WORD}])(?P<name>{alternatives(shorts)})(?![{WORD}])"):
            if date.search(part.text, max(0, found.start() - _NEAR), found.start()):
                yield [Span(*found.span(), names[found["name"]])]


def _short_months(part: Part, rules: Rules) -> Iterator[Group]:
    text, names = part.text, short_months(rules)
    month = rf"(?P<name>{alternatives(tuple(names))})"
    date = rf"(?<![{WORD}.,/:-])(?P<day>\d\d?)\.?(?P<link> {LINK}){month}(?![{WORD}])\.?"
    weekday = compiled(rf"{_days(rules)}{_STOPS} $")
    until = compiled(rf" ?[–—] ?{_start_of_date(rules)}|,? {LINK}{YEAR}")
    for found in part.find(date):
        if until.match(text, found.end()) or weekday.search(text, max(0, found.start() - _NEAR), found.start()):
            yield [_date(found, rules)]
    alone = compiled(rf"(?<![{WORD}]){month}\.?(?=,? {LINK}$)")
    for year in part.find(rf"(?<= ){YEAR}"):
        if month_found := alone.search(text, max(0, year.start() - _NEAR), year.start()):
            start, short = month_found.start(), month_found["name"]
            in_date, name = names[short]
            may_be_in_another_case = in_date != name and _WORD_BEFORE.search(text, max(0, start - 2), start)
            if not may_be_in_another_case:
                yield [Span(start, month_found.end(), _as_written(short, name))]


def _date(found: re.Match[str], rules: Rules) -> Span:
    """The month of a day, or both; with the words that join them and the year in the language's dates."""
    text, name = found.string, short_months(rules)[found["name"]][0]
    stop = "." if found[0].endswith(".") and found.end() == len(text) else ""
    template = rules.day_month or ("" if rules.day else "".join(_DAY_MONTH.findall(rules.date)))
    links = _LINK_TO_YEAR.search(rules.date) if template and compiled(rf" {YEAR}").match(text, found.end()) else None
    after = (links[1] if links else "") + stop
    if not template or _RANGE.search(text, max(0, found.start() - _NEAR), found.start()):
        before = template.partition("{d} ")[2].partition("{m}")[0] if not found["link"].strip() else ""
        return Span(found.start("name"), found.end(), before + _as_written(found["name"], name) + after)
    said = say_day(int(found["day"]), rules, text, found.start())
    return Span(*found.span(), template.replace("{d}", said).replace("{m}", name) + after)


def _as_written(short: str, name: str) -> str:
    return name[0].upper() + name[1:] if short[0].isupper() else name


def _dashes(part: Part, rules: Rules) -> Iterator[Group]:
    """The dash between two dates, or two months: "3 May – 5 June", "March – May 2026"."""
    if not rules.spaced:
        for found in part.find(r"(?<=[年月日]) ?[–—-] ?(?=\d{1,4}[年月日])"):
            yield [Span(*found.span(), rules.to)]
        return
    text, months = part.text, any_month(rules)
    date = rf"{months}\.?(?: {_DAY})?(?:,? {LINK}{YEAR})?|{_NUMERIC}|{_days(rules)}{_STOPS} (?P<day>\d\d?\.?)"
    before = compiled(rf"(?<![{WORD}])(?:{date})(?: {_days(rules)})?$")
    for found in part.find(rf"(?= ?[–—-])(?<=[\w.])(?: ?[–—] ?| - )(?={_start_of_date(rules)})"):
        if first := before.search(text, max(0, found.start() - _NEAR), found.start()):
            if first["day"] and rules.day_month:
                day = say_day(int(first["day"].rstrip(".")), rules, text, first.start("day"))
                yield [Span(*first.span("day"), day), Span(*found.span(), joining(rules))]
            else:
                yield [Span(*found.span(), joining(rules))]
