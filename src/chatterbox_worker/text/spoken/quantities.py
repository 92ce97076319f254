"""Numbers with a unit, and fractions. The plural forms are CLDR's, by ICU."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.numerals import (
    Group,
    case_before,
    counted_as,
    decimal_point,
    parse_number,
    quantity,
    quantity_values,
    say_quantity,
    say_written,
    spaced,
)
from chatterbox_worker.text.spoken.patterns import WORD, longest_first
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled
from chatterbox_worker.text.spoken.unit_names import short_names, suffixes_of, unit_name

# The International System's symbols and those that readers of every language meet; CLDR's names of the units.
_UNITS: Mapping[str, str] = {
    "°C": "celsius", "ºC": "celsius", "ºF": "fahrenheit", "℃": "celsius", "°F": "fahrenheit",
    "℉": "fahrenheit", "°": "degree", "km/h": "kilometer-per-hour",
    "m/s": "meter-per-second", "km²": "square-kilometer", "km2": "square-kilometer",
    "m²": "square-meter", "m2": "square-meter", "cm²": "square-centimeter",
    "m³": "cubic-meter", "m3": "cubic-meter", "cm³": "cubic-centimeter", "ha": "hectare",
    "km": "kilometer", "cm": "centimeter", "mm": "millimeter", "m": "meter",
    "μm": "micrometer", "µm": "micrometer", "nm": "nanometer",
    "kg": "kilogram", "mg": "milligram", "µg": "microgram", "g": "gram",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "l": "liter",
    "L": "liter", "dm": "decimeter", "‰": "permille",
    "㎡": "square-meter", "㎢": "square-kilometer", "㎥": "cubic-meter", "㎏": "kilogram", "㎎": "milligram",
    "㎞": "kilometer", "㎝": "centimeter", "㎜": "millimeter", "ℓ": "liter", "㎖": "milliliter",
    "mmHg": "millimeter-ofhg",
    "GHz": "gigahertz", "MHz": "megahertz", "kHz": "kilohertz", "Hz": "hertz",
    "kWh": "kilowatt-hour", "kW": "kilowatt", "MW": "megawatt", "W": "watt",
    "kcal": "kilocalorie", "kJ": "kilojoule", "V": "volt", "hPa": "hectopascal",
    "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "m/s²": "meter-per-square-second",
    "µg/m³": "microgram-per-cubic-meter", "μg/m³": "microgram-per-cubic-meter", "kg/m³": "kilogram-per-cubic-meter",
    "mg/l": "milligram-per-liter", "mg/L": "milligram-per-liter", "g/l": "gram-per-liter", "g/L": "gram-per-liter",
    "mg/dl": "milligram-per-deciliter", "mg/dL": "milligram-per-deciliter", "l/min": "liter-per-minute",
    "L/min": "liter-per-minute", "km/s": "kilometer-per-second", "kPa": "kilopascal", "Nm": "newton-meter",
    "THz": "terahertz", "GW": "gigawatt", "MWh": "megawatt-hour", "GWh": "gigawatt-hour", "TWh": "terawatt-hour",
    "kV": "kilovolt", "mV": "millivolt", "mA": "milliampere", "Ω": "ohm", "lm": "lumen", "lx": "lux",
    "hl": "hectoliter", "dl": "deciliter", "dL": "deciliter", "ppm": "part-per-million", "dpi": "dot-per-inch",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "ft": "foot", "yd": "yard", "mph": "mile-per-hour",
    "mi/h": "mile-per-hour", "hp": "horsepower", "gal": "gallon", "psi": "pound-force-per-square-inch",
    "fl oz": "fluid-ounce", "km/l": "kilometer-per-liter", "km/L": "kilometer-per-liter", "ft²": "square-foot",
    **dict.fromkeys(("l/100 km", "l/100km", "L/100 km", "L/100km"), "liter-per-100-kilometer"),
    "px": "pixel", "kg/m²": "kilogram-per-square-meter",
    "μg": "microgram", "mm²": "square-millimeter", "mm³": "cubic-millimeter",
}  # fmt: skip
_PREFIXES = {"k": "kilo", "K": "kilo", "M": "mega", "G": "giga", "T": "tera", "P": "peta"}
_BINARY = {"Ki": "kibi", "Mi": "mebi", "Gi": "gibi", "Ti": "tebi"}
_UNITS_OF_DATA = {
    f"{prefix}{symbol}": f"{name}{unit}"
    for names, units in (
        (_PREFIXES, {"bit": "bit", "bit/s": "bit-per-second", "b/s": "bit-per-second", "bps": "bit-per-second"}),
        (_PREFIXES | _BINARY, {"B": "byte", "B/s": "byte-per-second"}),
    )
    for prefix, name in names.items()
    for symbol, unit in units.items()
}  # no "Mb": for some a megabit, for others a megabyte
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4"}
_HAS_FRACTION = re.compile(rf"[\d{''.join(_VULGAR)}]")
_HUNDRED = re.compile("100|١٠٠")  # "liters per 100 kilometers"
NEAR = 8
"""Characters before an amount, for an article or a pronoun."""
MANY = 1_000_000
"""Whose plural form a currency has after "million"."""


def describes(text: str, start: int, end: int, rules: Rules) -> bool:
    """Whether the amount describes the noun after it: "a $5 million deal", "a 5 km run"."""
    return any(
        compiled(after).match(text, end) and compiled(before).search(text, max(0, start - NEAR), start)
        for before, after in rules.attributive
    )


def gap(number: int | Decimal, rules: Rules) -> str:
    """Between a number and what it counts: "un millón de euros", but "un millón cien euros"."""
    if number and number % MANY == 0 and rules.money_of.strip():
        return rules.money_of
    return " " if rules.spaced else ""


def counted(after: str, number: int | Decimal, rules: Rules) -> str:
    return gap(number, rules) + after[1:] if after.startswith(" ") else after


_COORDINATE = (
    r"(?<![\w.,])(?P<n>\d{1,3}(?:[.,]\d+)?)°(?: ?(?P<minutes>[0-5]?\d)['’′](?: ?(?P<seconds>[0-5]?\d)[\"”″])?)?"
    r"(?: ?(?P<side>[NSEWO]))?(?!\w)"
)


def find_coordinates(part: Part, rules: Rules) -> Iterator[Group]:
    """Degrees with minutes, seconds or a point of the compass."""
    for found in part.find(_COORDINATE):
        side = rules.compass.get(found["side"] or "", "")
        if not side and not found["minutes"]:
            continue
        parts = [say_unit(found["n"], "degree", rules)]
        parts += [
            say_unit(found[name], name.removesuffix("s"), rules) for name in ("minutes", "seconds") if found[name]
        ]
        yield [Span(*found.span(), " ".join([*parts, side or found["side"] or ""]).strip())]


def say_unit(written: str, unit: str, rules: Rules) -> str:
    number = int(written) if written.isdecimal() else Decimal(written.replace(",", "."))
    before, after = unit_name(unit, number, rules.locale)
    if before.strip() and not after and not before[-1].isspace():
        return before  # a dual
    words = say_written(written.replace(".", rules.decimal[0]), rules, f"={after}")
    return f"{before}{words}{after}"


_PARTS_OF_TIME = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
_KNOWN = {"d": "d", "h": "h", "m": "m|min", "s": "s"}


@lru_cache(maxsize=32)
def _duration(rules: Rules) -> str:
    """Two parts of a time or more, each with the language's abbreviation: "5h 3m", "5 ч 3 мин 7 с"."""
    suffixes = {
        letter: "|".join([*map(re.escape, longest_first(suffixes_of(unit, rules.locale))), _KNOWN[letter]])
        for letter, unit in _PARTS_OF_TIME.items()
    }

    part_of_second = r"(?:[.,][0-9]+)?"

    def several(letters: str, index: int) -> str:
        parts = [
            rf"(?P<{letter}{index}>{r'[0-5]?' if place else r'[0-9]{0,2}'}\d{part_of_second if letter == 's' else ''})"
            rf" ?(?:{suffixes[letter]})"
            for place, letter in enumerate(letters)
        ]
        start, more = parts[0] + " ?" + parts[1], "".join(rf"(?: ?{part})?" for part in parts[2:])
        return start + more

    kinds = "|".join(several(letters, index) for index, letters in enumerate(("dhms", "hms", "ms")))
    return rf"(?<![\w.,])(?:{kinds})(?!\w)"


@lru_cache(maxsize=64)
def symbols_of_units(rules: Rules) -> Mapping[str, str]:
    """CLDR's units by their symbols, or ICU plural messages (`Rules.unit_words`)."""
    return {**short_names(rules.locale), **_UNITS, **_UNITS_OF_DATA, **rules.units, **rules.unit_words}


def find_units(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    units = symbols_of_units(rules)
    pattern = (
        rf"(?:(?<![{WORD}%])|(?<=\d[xх])){quantity(rules)} ?(?P<unit>{any_of(tuple(units))})"
        rf"(?![{WORD}²³]|/[a-zµμ]|\.[a-z]\.|['’]\w)"  # "1998 l'Europe", "1 t.e.m. 4"
    )
    for found in part.find(pattern):
        unit = found["unit"]
        if unit == "°" and text[found.end() : found.end() + 1] in ("C", "F"):
            continue
        if unit == "s" and _NAME_WITH_HYPHEN.search(text, max(0, found.start() - 2), found.start()):
            continue
        if (after := rules.not_units.get(unit)) and compiled(after).match(text, found.end()):
            continue
        end = _end_of_unit(text, found.end())
        _, last = quantity_values(found, rules)
        case = case_before(text, *found.span(), rules)
        count = 1 if describes(text, *found.span(), rules) else counted_as(last, case, rules)
        before, after = _unit(unit, units[unit], count, rules)
        if not after and before and not re.search(r"\s$", before) and not _takes_numeral(unit, units[unit], rules):
            yield [spaced(text, found.start(), end, before, rules)]
            continue
        spoken = correct(before + say_quantity(found, rules, f"={after}", case=case) + after, rules.phrase_fixes)
        spoken += "." if end == found.end() and ends_sentence(text, end, rules) else ""
        yield [spaced(text, found.start(), end, spoken if rules.spaced else spoken.replace(" ", ""), rules)]


def ends_sentence(text: str, end: int, rules: Rules) -> bool:
    """Whether an abbreviation's full stop at `end` also ends a sentence: a capital follows, which no noun has."""
    following = text[end : end + 2]
    return text[end - 1] == "." and following[:1] == " " and following[1:].isupper() and not _has_capital_nouns(rules)


def _has_capital_nouns(rules: Rules) -> bool:
    return rules.locale.startswith("de")


_NAME_WITH_HYPHEN = re.compile(r"[A-Z]-?\Z")  # "F-16s"
_OWN_STOP = re.compile(r"\.(?=[,;:)]| [^\W\d_])")


def _end_of_unit(text: str, end: int) -> int:
    """The end with the unit's own full stop, after which the sentence goes on: "15 min. later"."""
    if not text[end - 1].isalpha() or not _OWN_STOP.match(text, end):
        return end
    return end + 1 if text[end + 1] != " " or text[end + 2].islower() else end


_RACE = r"(?<![\w:.,/-])(?P<h>\d):(?P<m>[0-5]\d):(?P<s>[0-5]\d(?:[.,]\d{1,3})?)(?![\w:/%-]|[.,]\d)"  # "2:01:09"


def find_durations(part: Part, rules: Rules) -> Iterator[Group]:
    """Times that something takes: "5h 3m", "2:01:09"; a time of the day has two digits of hours, or a word."""
    if not rules.spaced or rules.joined:
        return
    text = part.text
    clock = "|".join(filter(None, (*(half for half, _ in rules.halves), rules.time_after)))
    for found in part.find(_RACE + (rf"(?! ?(?:{clock})(?!\w))" if clock else "")):
        numbers = {name: re.sub(r"^0(?=\d)", "", number) for name, number in found.groupdict().items()}
        words = [say_unit(number, _PARTS_OF_TIME[name], rules) for name, number in numbers.items() if number != "0"]
        if words:
            yield [Span(*found.span(), " ".join(words))]
    for found in part.find(_duration(rules)):
        parts = (
            say_unit(re.sub(r"^0(?=\d)", "", number), _PARTS_OF_TIME[name[0]], rules)
            for name, number in found.groupdict().items()
            if number
        )
        stop = "." if ends_sentence(text, found.end(), rules) else ""
        yield [Span(*found.span(), " ".join(parts) + stop)]


def find_fractions(part: Part, rules: Rules) -> Iterator[Group]:
    """The fractions of the table, with a unit if one follows: in the singular without a whole number."""
    text = part.text
    if not rules.fractions or not _HAS_FRACTION.search(text):
        return
    units = symbols_of_units(rules)
    pattern = (
        rf"(?:(?:(?<![\d.,/])(?P<n>\d+) ?)?(?P<v>[{''.join(_VULGAR)}])"
        rf"|(?<![\d.,/{WORD}])(?:(?P<n1>\d{{1,3}}) )?(?P<s>[1-3]/[234])(?![/{WORD}]|[.,]\d))"
        rf"(?: ?(?P<unit>{any_of(tuple(units))})(?![²³/]|['’]\w))?"
    )
    for found in part.find(pattern):
        words = rules.fractions.get(_VULGAR.get(found["v"] or "", found["s"] or ""))
        if not words:
            continue
        whole = found["n"] or found["n1"]
        counted = "" if whole is None else say_written(whole, rules) + rules.fraction_and
        part_of_one = Decimal("0.5") if rules.cases else 1  # where nouns have cases, of the unit: "pół litra"
        amount = part_of_one if whole is None else parse_number(whole, rules) + Decimal("0.5")
        before, after = _unit(found["unit"], units[found["unit"]], amount, rules) if found["unit"] else ("", "")
        if whole is not None:
            name = _VULGAR.get(found["v"] or "", found["s"] or "")
            mixed = rules.fractions.get(f"{parse_number(whole, rules)} {name}") or rules.fractions.get(f"n {name}", "")
            if mixed:
                counted, words = "", mixed.replace("{n}", say_written(whole, rules))
        spoken = correct(before + counted + words + after, rules.phrase_fixes)
        yield [spaced(text, *found.span(), spoken, rules)]


def _unit(unit: str, name: str, number: int | Decimal, rules: Rules) -> tuple[str, str]:
    if unit in rules.unit_words:
        before, after = icu.split_at_numeral(icu.plural(name, number, rules.locale))
        return (before, after) if "#" in name else ("", gap(number, rules) + before)
    has_zeros = isinstance(number, Decimal) and number == int(number) and decimal_point(rules)
    zeros = " .0" if has_zeros else ""  # "1.0" is a plural in English
    before, after = unit_name(name, number, rules.locale, precision=zeros)
    return before, counted(_HUNDRED.sub(say_written("100", rules), after), number, rules)


def _takes_numeral(unit: str, name: str, rules: Rules) -> bool:
    """Whether the phrase has a numeral after its words, as for other numbers, and is no word in place of one."""
    return unit not in rules.unit_words and not _unit(unit, name, 50, rules)[1]


@lru_cache(maxsize=256)
def any_of(names: tuple[str, ...]) -> str:
    """Any of the names, longest first, that no letter of its script follows."""
    last_of: dict[str, set[str]] = {}
    for name in names:
        last_of.setdefault(_end(name), set()).add(name[-1])
    # once for all names that end alike: a class for each of 250 units takes longer to compile than all the rest
    ends = "|".join(f"(?<=[{re.escape(''.join(sorted(last)))}]){end}" for end, last in sorted(last_of.items()))
    return f"(?:{'|'.join(map(re.escape, longest_first(names)))})(?:{ends})"


def _end(name: str) -> str:
    """A pattern of what follows it; that of names with the same last character."""
    is_other = unicodedata.category(name[-1])[0] in "LM" and not re.match(f"[{WORD}]", name[-1])
    return r"(?!\w)" if is_other else rf"(?![{WORD}])" if name[-1].isalnum() else ""
