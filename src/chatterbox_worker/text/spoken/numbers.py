"""Numbers that stand for themselves: cardinals, decimals, ordinals, years, ranges, fractions, percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.rules import Rules

LONGEST = 15
"""Digits of the longest number that is read as one; a longer one is read digit by digit."""


@lru_cache(maxsize=32)
def number_pattern(rules: Rules) -> str:
    """A number with the language's separators: `whole` and `decimals`."""
    group, decimal = re.escape(rules.group), re.escape(rules.decimal)
    grouped = rf"\d{{1,3}}(?:[{group}]\d{{2,3}})*[{group}]\d{{3}}(?!\d)" if rules.group else r"(?!)"
    return rf"(?:{grouped}|\d+)(?:[{decimal}]\d+)?"


def parse_number(written: str, rules: Rules) -> int | Decimal:
    """The value of what `number_pattern` matched."""
    whole, _, decimals = _split(written, rules)
    return Decimal(f"{whole}.{decimals}") if decimals else int(whole)


def _split(written: str, rules: Rules) -> tuple[str, str, str]:
    whole, point, decimals = written, "", ""
    for mark in rules.decimal:
        if mark in written:
            whole, point, decimals = written.rpartition(mark)
    return re.sub(r"\D", "", whole), point, decimals


def say(number: int | Decimal, rules: Rules, rule_set: str = "") -> str:
    words = icu.spell(number, rules.locale, rule_set or rules.cardinal)
    for wrong, right in rules.fixes.items():
        words = words.replace(wrong, right)
    return words


def say_digits(digits: str, rules: Rules) -> str:
    return (" " if rules.spaced else "").join(say(int(digit), rules) for digit in digits)


def say_written(written: str, rules: Rules, following: str = "") -> str:
    """What `number_pattern` matched, in words that agree with the text that follows."""
    whole, _, decimals = _split(written, rules)
    if (len(whole) > 1 and whole[0] == "0" and not decimals) or len(whole) + len(decimals) > LONGEST:
        return say_digits(whole + decimals, rules)
    return say(parse_number(written, rules), rules, agreeing(following, rules))


def agreeing(following: str, rules: Rules) -> str:
    """The rule set of a number before this text; empty for the default."""
    return next((rule_set for pattern, rule_set in rules.agreement if re.match(pattern, following)), "")


@lru_cache(maxsize=32)
def _numbers(rules: Rules) -> re.Pattern[str]:
    return re.compile(number_pattern(rules))


def find_numbers(text: str, rules: Rules) -> Iterator[list[Span]]:
    """Every number that no other recogniser knows."""
    for found in _numbers(rules).finditer(text):
        spoken = say_written(found[0], rules, text[found.end() : found.end() + 40])
        yield [spaced(text, found.start(), found.end(), spoken, rules)]


def spaced(text: str, start: int, end: int, spoken: str, rules: Rules) -> Span:
    """The span, with a space on each side where a letter touches it: "MP3" is "MP three"."""
    if rules.spaced:
        before = " " if start and text[start - 1].isalpha() else ""
        after = " " if text[end : end + 1].isalpha() else ""
        spoken = f"{before}{spoken}{after}"
    return Span(start, end, spoken)
