"""Numbers with a currency or a unit. The plural forms are CLDR's, by ICU."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.numerals import (
    LONGEST,
    Group,
    case_before,
    counted_as,
    decimal_point,
    minus,
    minus_sign,
    parse_number,
    quantity,
    quantity_values,
    say_quantity,
    say_written,
    spaced,
    split_number,
)
from chatterbox_worker.text.spoken.patterns import WORD, longest_first
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled
from chatterbox_worker.text.spoken.unit_names import short_names, suffixes_of, unit_name

_SYMBOLS = {
    "US$": "USD", "A$": "AUD", "C$": "CAD", "R$": "BRL", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR",
    "₩": "KRW", "₽": "RUB", "₺": "TRY", "₪": "ILS", "₴": "UAH", "zł": "PLN", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD",
    "JP¥": "JPY", "CN¥": "CNY", "CA$": "CAD", "AU$": "AUD", "MX$": "MXN", "UK£": "GBP", "$US": "USD", "$ US": "USD",
    "$CA": "CAD", "£GB": "GBP", "￥": "JPY", "₡": "CRC", "₲": "PYG", "₦": "NGN", "₱": "PHP", "₫": "VND", "฿": "THB",
}  # fmt: skip
_CODES = (
    "USD", "EUR", "GBP", "JPY", "CNY", "INR", "KRW", "RUB", "TRY", "ILS", "UAH", "PLN", "CHF", "SEK", "NOK", "DKK",
    "MXN", "ARS", "COP", "CLP", "PEN", "BRL", "CAD", "AUD", "MYR", "KES", "TZS", "AED", "SAR", "EGP",
    "UYU", "BOB", "PYG", "CRC", "DOP", "GTQ", "PAB", "HNL", "NZD", "HKD", "SGD", "CZK", "HUF", "RON", "ZAR", "NGN",
    "PHP", "VND", "THB",
)  # fmt: skip
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
_CODE_BEFORE, _CODE_AFTER = re.compile(r"(?<!\w)([A-Z]{3}) $"), re.compile(r" ?([A-Z]{3})(?!\w)")
_CONFERENCE = re.compile(r"COP ?\d\d")  # of the climate; not Colombia's pesos
# "$-5.00" and "CHF-5.00" in Switzerland, but "20 €-30 €" and "EUR-10"
_MINUS_AFTER = r"(?:(?:(?<=[$€£¥])(?<!\d.)(?<!\d .)|(?<=[A-Z]{3})(?=-\d[\d'’]{0,12}\.\d\d(?!\d)))(?P<inner>[-−]))?"
_NUMBER_BEFORE, _HUNDREDTHS = re.compile(r"\d ?\Z"), re.compile(r"\d\d? ?(?:коп|gr|øre|öre|ct|cents?|kuruş)(?!\w)")
_CODE_LENGTH = 4  # with the space
_HUNDRED = re.compile("100|١٠٠")  # "liters per 100 kilometers"
_FORM = re.compile(r"(\w+)\{([^}]+)\}")
_NEAR = 8  # an article or a pronoun before an amount
_MANY = 1_000_000  # whose plural form a currency has after "million"


def find_money(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    symbols = {**_SYMBOLS, **rules.symbols_of_money, **{code: code for code in _CODES}}
    prefixes = "|".join(_start(symbol) + re.escape(symbol) for symbol in longest_first(symbols))
    symbols |= rules.money_words
    names = _choices(tuple(symbols))
    scales = scales_of_money(rules)
    before = rf"(?<![{WORD}$/])(?P<minus>{minus_sign(rules)})?"
    scale = rf"(?: ?(?P<scale>{_choices(tuple(scales))})(?![{WORD}]|[.-][A-Za-z]))?" if scales else "(?P<scale>(?!))?"
    for pattern in (
        rf"{before}(?P<symbol>{prefixes}){_MINUS_AFTER} ?{quantity(rules)}{scale}",
        rf"{quantity(rules)}{scale} ?(?P<symbol>{names})(?![{WORD}])",
    ):
        for found in part.find(pattern):
            if _CONFERENCE.fullmatch(found[0]) or _belongs_before(found, text, rules):
                continue
            start, end, code = _named_again(text, *found.span(), symbols[found["symbol"]], rules)
            if code in rules.money and not split_number(found["n"], rules)[1] and _describes(text, start, end, rules):
                unit = icu.plural(rules.money[code].major, 1, rules.locale)
                if again := compiled(rf" {re.escape(unit)}(?!\w)").match(text, end):
                    end = again.end()
                spoken = _say_describing(found, unit, rules)
            else:
                case = case_before(text, start, end, rules)
                spoken = correct(_say_money(found, code, case, rules), rules.phrase_fixes)
            groups = found.groupdict()
            if groups.get("minus") or groups.get("inner"):
                spoken = minus(rules) + spoken
            spoken += "." if ends_sentence(text, end, rules) else ""
            yield [spaced(text, start, end, spoken, rules)]


def _belongs_before(found: re.Match[str], text: str, rules: Rules) -> bool:
    """Whether the currency belongs to the number before it: "12 € 50", "12 руб. 50 коп.", but "five $10 notes"."""
    return bool(
        found.start("symbol") < found.start("n")
        and _NUMBER_BEFORE.search(text, max(0, found.start() - _NEAR), found.start())
        and (_HUNDREDTHS.match(text, found.start("n")) or _follows_its_number(rules.locale))
    )


@lru_cache(maxsize=64)
def _follows_its_number(locale: str) -> bool:
    """Whether a currency's symbol does, by CLDR."""
    return bool(icu.phrase("currency/EUR unit-width-narrow", 1, locale)[1].strip())


@lru_cache(maxsize=64)
def scales_of_money(rules: Rules) -> Mapping[str, str]:
    """By what may stand between a number and its currency: "$1.2M", "3 Mio. €"."""
    short = {name.strip(): words for name, words in icu.short_scales(rules.locale).items()} if rules.spaced else {}
    return short | dict(rules.money_scales)


def _describes(text: str, start: int, end: int, rules: Rules) -> bool:
    """Whether the amount describes the noun after it: "a $5 million deal", "a 5 km run"."""
    return any(
        compiled(after).match(text, end) and compiled(before).search(text, max(0, start - _NEAR), start)
        for before, after in rules.attributive
    )


def _say_describing(found: re.Match[str], unit: str, rules: Rules) -> str:
    scale = f" {icu.plural(scales_of_money(rules)[found['scale']], _MANY, rules.locale)}" if found["scale"] else ""
    return f"{say_quantity(found, rules, '')}{scale} {unit}"


def _named_again(text: str, start: int, end: int, code: str, rules: Rules) -> tuple[int, int, str]:
    """The span of an amount with what names its currency once more, and that currency: "MXN $5", "$5 pesos"."""
    before = _CODE_BEFORE.search(text[max(0, start - _CODE_LENGTH - 1) : start])
    if before is not None and before[1] in _CODES:
        return start - _CODE_LENGTH, end, before[1]
    after = _CODE_AFTER.match(text, end)
    if after is not None and after[1] in _CODES:
        return start, after.end(), after[1]
    names = _plurals_of_money(rules)
    if names:
        of = rules.money_of.strip()
        named = compiled(rf" (?:{of} )?(?P<name>{_choices(tuple(names))})").match(text, end)
        if named is not None:
            return start, named.end(), names[named["name"]]
    return start, end, code


@lru_cache(maxsize=64)
def _plurals_of_money(rules: Rules) -> dict[str, str]:
    """The currencies of the table by their words but the singular: "a $5 dollar bill" is none."""
    if not rules.spaced:
        return {}
    forms = ((form, code) for code, money in rules.money.items() for form in _FORM.findall(money.major))
    return {words: code for (count, words), code in forms if count != "one"}


def _say_money(found: re.Match[str], code: str, case: str, rules: Rules) -> str:
    last = counted_as(quantity_values(found, rules)[1], case, rules)
    gap = " " if rules.spaced else ""
    if found["scale"]:
        scale = icu.plural(scales_of_money(rules)[found["scale"]], last, rules.locale)
        counted = say_quantity(found, rules, f"= {scale}", case=case) + gap + scale
        before, after = _currency(code, _MANY, rules)
        return counted + (after or rules.money_of + before.strip())
    whole, decimals = split_number(found["n"], rules)
    is_price = found["n2"] is None and len(whole) <= LONGEST
    if is_price and len(decimals) == 3 and whole != "0":  # a foreign separator: no price has three decimals
        before, after = _currency(code, counted_as(int(whole + decimals), case, rules), rules)
        return before + say_written(whole + decimals, rules, f"={after}", case=case) + after
    money = rules.money.get(code)
    if is_price and money is not None and money.minor and len(decimals) == 2:
        parts = ((int(whole), money.major), (int(decimals), money.minor))
        spoken = [_count(number, message, case, rules) for number, message in parts if number or message == money.major]
        if int(whole) == 0 and int(decimals):
            del spoken[0]
        if int(decimals) == 0:
            del spoken[1:]
        return (minus(rules) if found["sign"] else "") + rules.money_and.join(spoken)
    if is_price and decimals == "00":  # a whole number in a currency without hundredths in the table
        before, after = _currency(code, counted_as(int(whole), case, rules), rules)
        words = say_written(str(int(whole)), rules, f"={after}", case=case)
        return (minus(rules) if found["sign"] else "") + before + words + after
    before, after = _currency(code, last, rules)
    return before + say_quantity(found, rules, f"={after}", case=case) + after


def _count(number: int, message: str, case: str, rules: Rules) -> str:
    word = icu.plural(message, counted_as(number, case, rules), rules.locale)
    words = [say_written(str(number), rules, f"= {word}", case=case), word]
    return f"{word} {words[0]}" if rules.noun_first else _gap(number, rules).join(words)


def _gap(number: int | Decimal, rules: Rules) -> str:
    """Between a number and what it counts: "un millón de euros", but "un millón cien euros"."""
    if number and number % _MANY == 0 and rules.money_of.strip():
        return rules.money_of
    return " " if rules.spaced else ""


def _currency(code: str, number: int | Decimal, rules: Rules) -> tuple[str, str]:
    """What stands before and after the number."""
    if (money := rules.money.get(code)) is not None:
        word, gap = icu.plural(money.major, number, rules.locale), _gap(number, rules)
        return (word + gap, "") if rules.noun_first else ("", gap + word)
    precision = " precision-integer" if number == int(number) else ""
    before, after = icu.phrase(f"currency/{code} unit-width-full-name{precision}", number, rules.locale)
    return before, _counted(after, number, rules)


def _counted(after: str, number: int | Decimal, rules: Rules) -> str:
    return _gap(number, rules) + after[1:] if after.startswith(" ") else after


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

    def several(letters: str, index: int) -> str:
        parts = [
            rf"(?P<{letter}{index}>{r'[0-5]?' if place else r'[0-9]{0,2}'}\d) ?(?:{suffixes[letter]})"
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
        rf"(?:(?<![{WORD}%])|(?<=\d[xх])){quantity(rules)} ?(?P<unit>{_choices(tuple(units))})"
        rf"(?![{WORD}²³]|/[a-zµμ]|\.[a-z]\.|['’]\w)"  # "1998 l'Europe", "1 t.e.m. 4"
    )
    for found in part.find(pattern):
        unit = found["unit"]
        if unit == "°" and text[found.end() : found.end() + 1] in ("C", "F"):
            continue
        if (after := rules.not_units.get(unit)) and compiled(after).match(text, found.end()):
            continue
        end = _end_of_unit(text, found.end())
        _, last = quantity_values(found, rules)
        case = case_before(text, *found.span(), rules)
        count = 1 if _describes(text, *found.span(), rules) else counted_as(last, case, rules)
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


_OWN_STOP = re.compile(r"\.(?=[,;:)]| [^\W\d_])")


def _end_of_unit(text: str, end: int) -> int:
    """The end with the unit's own full stop, after which the sentence goes on: "15 min. later"."""
    if not text[end - 1].isalpha() or not _OWN_STOP.match(text, end):
        return end
    return end + 1 if text[end + 1] != " " or text[end + 2].islower() else end


def find_durations(part: Part, rules: Rules) -> Iterator[Group]:
    if not rules.spaced or rules.joined:
        return
    text = part.text
    for found in part.find(_duration(rules)):
        parts = (
            say_unit(number, _PARTS_OF_TIME[name[0]], rules) for name, number in found.groupdict().items() if number
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
        rf"(?: ?(?P<unit>{_choices(tuple(units))})(?![²³/]|['’]\w))?"
    )
    for found in part.find(pattern):
        words = rules.fractions.get(_VULGAR.get(found["v"] or "", found["s"] or ""))
        if not words:
            continue
        whole = found["n"] or found["n1"]
        counted = "" if whole is None else say_written(whole, rules) + rules.fraction_and
        amount = 1 if whole is None else parse_number(whole, rules) + Decimal("0.5")
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
        return (before, after) if "#" in name else ("", _gap(number, rules) + before)
    has_zeros = isinstance(number, Decimal) and number == int(number) and decimal_point(rules)
    zeros = " .0" if has_zeros else ""  # "1.0" is a plural in English
    before, after = unit_name(name, number, rules.locale, precision=zeros)
    return before, _counted(_HUNDRED.sub(say_written("100", rules), after), number, rules)


def _takes_numeral(unit: str, name: str, rules: Rules) -> bool:
    """Whether the phrase has a numeral after its words, as for other numbers, and is no word in place of one."""
    return unit not in rules.unit_words and not _unit(unit, name, 50, rules)[1]


@lru_cache(maxsize=256)
def _choices(names: tuple[str, ...]) -> str:
    """Any of the names, longest first, that no letter of its script follows."""
    return "|".join(re.escape(name) + _end(name) for name in longest_first(names))


def _start(name: str) -> str:
    """What is before a name of a script whose letters are not `WORD`: no part of a word."""
    return r"(?<![\w\u0900-\u0903\u093a-\u094f])" if name[0].isalpha() and not re.match(f"[{WORD}]", name[0]) else ""


def _end(name: str) -> str:
    is_other = unicodedata.category(name[-1])[0] in "LM" and not re.match(f"[{WORD}]", name[-1])
    return r"(?!\w)" if is_other else rf"(?![{WORD}])" if name[-1].isalnum() else ""
