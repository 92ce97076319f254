"""How `say-as` reads its content: letters, numbers, dates, times and telephone numbers, by the language's own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.spoken.forms import add_spoken_forms
from chatterbox_worker.text.spoken.numerals import number_pattern, say, say_digits, say_written
from chatterbox_worker.text.spoken.rules import Rules, rules_of
from chatterbox_worker.text.spoken.words import letter_names, parse_roman

LONGEST_CONTENT = 100
"""Characters; of `characters` there may be more, because each is read by itself."""

Part = tuple[str, str]
"""What is written and what is read for it."""
Place = tuple[str, str]
"""A language and a region of it, which may be empty."""

_ISO_ORDERS: Mapping[str, tuple[int, int, int]] = MappingProxyType({
    "ymd": (0, 1, 2), "dmy": (2, 1, 0), "mdy": (2, 0, 1), "ydm": (0, 2, 1),
})  # fmt: skip
"""Where year, month and day are among three numbers."""
DATE_FORMATS = tuple(_ISO_ORDERS)


def say_as(kind: str, content: str, place: Place, date_format: str | None) -> list[Part] | None:
    """The parts of the content with what is read for each; None if it is not of this kind.

    `kind` is one of `KINDS`; `content` has single spaces; `date_format` one of `DATE_FORMATS` for dates in numbers.
    """
    rules = rules_of(*place)
    if rules is None:
        return None
    if kind in _SPELLED:
        return list(_characters(content, rules))
    if len(content) > LONGEST_CONTENT:
        return None
    if kind == "date" and date_format is not None:
        content_read = _in_iso(content, date_format)
        spoken = None if content_read is None else _recognise(content_read, place, "dates")
    else:
        category = _CATEGORIES.get(kind)
        spoken = _KINDS[kind](content, place, rules) if category is None else _recognise(content, place, category)
    return None if spoken is None else [(content, spoken)]


def _characters(content: str, rules: Rules) -> Iterator[Part]:
    gap = " " if rules.spaced else ""
    words = [char for char in content if not char.isspace()]
    for index, char in enumerate(words):
        spoken = say(int(char), rules) if char.isdecimal() else _character(char, rules)
        yield char, spoken + (gap if spoken and index + 1 < len(words) else "")


def _character(char: str, rules: Rules) -> str:
    if char.isalnum():
        upper = char.upper()
        return letter_names(rules).get(upper, upper)
    return rules.marks.get(char) or rules.symbols.get(char, "")


def _cardinal(content: str, place: Place, rules: Rules) -> str | None:
    del place
    if (value := parse_roman(content)) is not None:
        return say(value, rules)
    sign, digits = ("-", content[1:]) if content[:1] in ("-", "−") else ("", content)
    if re.fullmatch(number_pattern(rules), digits) is None:
        return None
    negative = say(-2, rules).replace(say(2, rules), "") if sign else ""
    return negative + say_written(digits, rules)


def _ordinal(content: str, place: Place, rules: Rules) -> str | None:
    del place
    found = re.fullmatch(r"(\d{1,9})(\D{0,5})", content)
    value = parse_roman(content) if found is None else int(found[1])
    rule_sets = [rule_set for _, rule_set in rules.ordinals] + [rule_set for *_, rule_set in rules.ordinal_stops]
    return None if value is None or not rule_sets else say(value, rules, rule_sets[0])


def _digits(content: str, place: Place, rules: Rules) -> str | None:
    del place
    digits = re.sub(r"[\s.,-]", "", content)
    return say_digits(digits, rules) if digits.isdecimal() else None


def _telephone(content: str, place: Place, rules: Rules) -> str | None:
    del place
    if re.fullmatch(r"\+?(?=\D*\d)[\d\s().,/–-]+", content) is None:
        return None
    groups = ", ".join(say_digits(group, rules) for group in re.findall(r"\d+", content))
    return f"{rules.phone_plus} {groups}" if content[0] == "+" else groups


def _recognise(content: str, place: Place, category: str) -> str | None:
    reading = add_spoken_forms(as_written(content, *place), frozenset((category,)))
    return reading.spoken(0, len(content)) if reading.spans else None


def _in_iso(content: str, date_format: str) -> str | None:
    parts = re.findall(r"\d+", content)
    if len(parts) != 3:
        return None
    year, month, day = (parts[place] for place in _ISO_ORDERS[date_format])
    if len(year) == 2:
        year = ("20" if int(year) < 50 else "19") + year
    return f"{year:0>4}-{month:0>2}-{day:0>2}"


_SPELLED = ("characters", "spell-out", "verbatim")
_KINDS: Mapping[str, Callable[[str, Place, Rules], str | None]] = MappingProxyType({
    "cardinal": _cardinal, "number": _cardinal, "ordinal": _ordinal, "digits": _digits, "telephone": _telephone,
})  # fmt: skip
_CATEGORIES: Mapping[str, str] = MappingProxyType({
    "date": "dates", "time": "times", "currency": "money", "unit": "units",
})  # fmt: skip
"""Kinds that the recognisers of a category know."""
KINDS = (*_SPELLED, *_KINDS, *_CATEGORIES)
