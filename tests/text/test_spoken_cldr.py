"""What programs write by CLDR, through ICU: dates, times, amounts and units in every language are read whole.

The writings of a test are lines of one text, which is read at once: most of the time goes into the patterns.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from icu4py.messageformat import MessageFormat

from chatterbox_worker.catalogue import LANGUAGES, NORMALIZED
from chatterbox_worker.text.normalise import clean
from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.spoken import calendar, numerals, quantities
from chatterbox_worker.text.spoken.date_names import day_names, month_names
from chatterbox_worker.text.spoken.forms import add_spoken_forms
from chatterbox_worker.text.spoken.rules import Rules, rules_of

TAGS = (*sorted(LANGUAGES), "es-MX", "es-AR", "en-GB", "pt-PT", "fr-CH", "ar-EG", "de-CH")
MOMENT = datetime(2026, 3, 5, 15, 4, 9, tzinfo=UTC)
LATER = datetime(2026, 12, 21, 17, 30, 40, tzinfo=UTC)
MONEY = {
    "ar": "SAR", "da": "DKK", "en": "USD", "he": "ILS", "hi": "INR", "ja": "JPY", "ko": "KRW", "ms": "MYR", "no": "NOK",
    "pl": "PLN", "pt": "BRL", "ru": "RUB", "sv": "SEK", "sw": "KES", "tr": "TRY", "zh": "CNY", "de-CH": "CHF",
    "fr-CH": "CHF", "es-MX": "MXN", "es-AR": "ARS", "en-GB": "GBP", "ar-EG": "EGP",
}  # fmt: skip
UNITS = (
    "kilometer-per-hour", "celsius", "fahrenheit", "kilogram", "gram", "kilometer", "meter", "centimeter", "liter",
    "milliliter", "square-meter", "gigabyte", "megabyte", "kilowatt-hour", "minute", "mile-per-hour",
)  # fmt: skip
LEFT = re.compile(r"[\d%‰$€£¥₹₩₽₺₪°/:=+#²³]|(?<!\w)[-−]|(?<![^\W_])(?:km|kg|cm|ml|mL|GB|MB|kWh|mph|USD|EUR)(?![^\W_])")


def rules_for(tag: str) -> Rules:
    language, _, region = tag.partition("-")
    rules = rules_of(language, region)
    assert rules is not None
    return rules


def write(pattern: str, value: object, tag: str) -> str:
    """By ICU, as the text that reaches the reading: with plain spaces and without marks of direction."""
    locale = {"no": "nb"}.get(tag, tag)
    return clean(MessageFormat(f"{{n,{pattern}}}", locale).format({"n": value}))  # type: ignore[dict-item]


def read(lines: list[str], tag: str) -> dict[str, str]:
    """The readings by what is written."""
    language, _, region = tag.partition("-")
    text = "\n".join(lines)
    spoken = add_spoken_forms(as_written(text, language, region), frozenset(NORMALIZED), keeps_case=False)
    return dict(zip(lines, spoken.spoken(0, len(text)).split("\n"), strict=True))


def left(readings: dict[str, str]) -> list[tuple[str, str]]:
    """The readings in which a digit, a symbol or an abbreviation is left."""
    return [(written, spoken) for written, spoken in readings.items() if LEFT.search(spoken)]


@pytest.mark.parametrize("tag", TAGS)
def test_dates_times_and_their_ranges(tag: str) -> None:
    rules = rules_for(tag)
    styles = ("date,short", "date,medium", "date,long", "date,full", "date,::yMd", "date,::yMMMEd")
    dates = [write(style, MOMENT, tag) for style in styles]
    ends = [tuple(write(style, each, tag).rstrip(".") for each in (MOMENT, LATER)) for style in styles[1:5]]
    if tag not in ("da", "fi"):  # there 15.04 is a decimal and 15.04.09 a date, too
        ends.append((write("time,::Hm", MOMENT, tag), write("time,::Hm", LATER, tag)))
        dates.append(write("time,medium", MOMENT, tag))
    ranges = [f"{first} – {last}" for first, last in ends]
    readings = read(list(dict.fromkeys([*dates, *(end for pair in ends for end in pair), *ranges])), tag)

    assert not left({written: readings[written] for written in dates})
    month, year = month_names(rules)[MOMENT.month - 1], calendar.say_year(MOMENT.year, rules).split()
    for written in dates[:6]:
        assert month.replace(" ", "") in readings[written].replace(" ", ""), (written, readings[written])
        years = (year[0], numerals.say(2026, rules), numerals.say(26, rules).split()[0])
        assert any(words in readings[written] for words in years), (written, readings[written])
    if tag != "zh":
        assert any(day.casefold() in readings[dates[5]].casefold() for day in day_names(rules).values()), readings
    if dates[6:]:
        second = "びょう" if tag == "ja" else quantities.say_unit("9", "second", rules)
        assert second in readings[dates[6]], (dates[6], readings[dates[6]])
    if rules.to and rules.spaced and not rules.joined:
        for (first, last), written in zip(ends, ranges, strict=True):
            assert readings[written] == f"{readings[first]}{numerals.joining(rules)}{readings[last]}"


@pytest.mark.parametrize("tag", TAGS)
def test_decimals_percents_and_amounts(tag: str) -> None:
    rules = rules_for(tag)
    values = (Decimal("12.5"), Decimal("0.05"), 1234567, Decimal("1234567.89"))
    codes = dict.fromkeys((MONEY.get(tag, MONEY.get(tag[:2], "EUR")), "USD", "JPY", "GBP"))
    patterns = ["number", "number,::percent", *(f"number,::currency/{code}" for code in codes)]
    lines = {
        (pattern, value): write(pattern, value, tag)
        for pattern in patterns
        for number in (*values, 5, Decimal("1234.56"))
        for value in (number, -number)
    }
    compact = [
        write(f"number,::currency/{code} compact-short", value, tag)
        for code in codes
        for value in (1_200, 3_000_000, 2_500_000_000)
    ]
    readings = read(list(dict.fromkeys([*lines.values(), *compact])), tag)
    assert not left({written: spoken for written, spoken in readings.items() if "-" not in spoken})
    for value in values:
        assert readings[lines["number", value]] == numerals.say(value, rules), value
    for (pattern, value), written in lines.items():
        if value > 0:
            negative = readings[lines[pattern, -value]]
            expected = numerals.minus(rules) + readings[written]
            is_inside = "percent" in pattern and numerals.minus(rules) in negative  # "asilimia kasoro tano"
            assert negative == expected or is_inside, (written, negative)


@pytest.mark.parametrize("tag", TAGS)
def test_units_in_short(tag: str) -> None:
    values = (5, Decimal("1.5"), -5)
    units = UNITS[:-1] if tag == "sw" else UNITS  # "mph 5" has no Swahili word before the number
    lines = [write(f"number,::unit/{unit} unit-width-short", value, tag) for unit in units for value in values]
    parts = [
        write(f"number,::unit/{unit} unit-width-short", value, tag)
        for unit, value in (("hour", 5), ("minute", 3), ("second", 7))
    ]
    duration = " ".join(parts)
    readings = read([*dict.fromkeys([*lines, duration])], tag)
    assert not left(readings)
    rules = rules_for(tag)
    if rules.spaced and not rules.joined and not rules.noun_first:
        words = (
            quantities.say_unit(number, unit, rules)
            for number, unit in (("5", "hour"), ("3", "minute"), ("7", "second"))
        )
        assert readings[duration].rstrip(".") == " ".join(words)
