"""Numbers with a currency: prices, and amounts in millions. The plural forms are CLDR's, by ICU."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.numerals import (
    LONGEST,
    Group,
    case_before,
    counted_as,
    minus,
    minus_sign,
    quantity,
    quantity_values,
    say_quantity,
    say_written,
    spaced,
    split_number,
)
from chatterbox_worker.text.spoken.patterns import WORD, longest_first
from chatterbox_worker.text.spoken.quantities import MANY, NEAR, any_of, counted, describes, ends_sentence, gap
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled

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
_CODE_BEFORE, _CODE_AFTER = re.compile(r"(?<!\w)([A-Z]{3}) $"), re.compile(r" ?([A-Z]{3})(?!\w)")
_CONFERENCE = re.compile(r"COP ?\d\d")  # of the climate; not Colombia's pesos
# "$-5.00" and "CHF-5.00" in Switzerland, but "20 €-30 €" and "EUR-10"
_MINUS_AFTER = r"(?:(?:(?<=[$€£¥])(?<!\d.)(?<!\d .)|(?<=[A-Z]{3})(?=-\d[\d'’]{0,12}\.\d\d(?!\d)))(?P<inner>[-−]))?"
_NUMBER_BEFORE, _HUNDREDTHS = re.compile(r"\d ?\Z"), re.compile(r"\d\d? ?(?:коп|gr|øre|öre|ct|cents?|kuruş)(?!\w)")
_CODE_LENGTH = 4  # with the space
_RATE = re.compile(r" ?(?:/|per |por |pro |par |al )(?:gal|kWh|[lL](?!\w)|[lL]it)")
"""What a price of three decimals is for: a gallon, a litre or a kilowatt-hour."""
_FORM = re.compile(r"(\w+)\{([^}]+)\}")


def find_money(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    symbols = {**_SYMBOLS, **rules.symbols_of_money, **{code: code for code in _CODES}}
    prefixes = "|".join(_start(symbol) + re.escape(symbol) for symbol in longest_first(symbols))
    symbols |= rules.money_words
    names = any_of(tuple(symbols))
    scales = scales_of_money(rules)
    before = rf"(?:(?<![{WORD}$/])|(?<=\d/))(?P<minus>{minus_sign(rules)})?"
    scale = rf"(?: ?(?P<scale>{any_of(tuple(scales))})(?![{WORD}]|[.-][A-Za-z]))?" if scales else "(?P<scale>(?!))?"
    for pattern in (
        rf"{before}(?P<symbol>{prefixes}){_MINUS_AFTER} ?{quantity(rules)}{scale}",
        rf"{quantity(rules)}{scale} ?(?P<symbol>{names})(?![{WORD}])",
    ):
        for found in part.find(pattern):
            if _CONFERENCE.fullmatch(found[0]) or _belongs_before(found, text, rules):
                continue
            start, end, code = _named_again(text, *found.span(), symbols[found["symbol"]], rules)
            if code in rules.money and not split_number(found["n"], rules)[1] and describes(text, start, end, rules):
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
        and _NUMBER_BEFORE.search(text, max(0, found.start() - NEAR), found.start())
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
    return {**short, **rules.scales, **rules.money_scales}


def _say_describing(found: re.Match[str], unit: str, rules: Rules) -> str:
    scale = f" {icu.plural(scales_of_money(rules)[found['scale']], MANY, rules.locale)}" if found["scale"] else ""
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
        named = compiled(rf" (?:{of} )?(?P<name>{any_of(tuple(names))})").match(text, end)
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
        before, after = _currency(code, MANY, rules)
        return counted + (after or rules.money_of + before.strip())
    whole, decimals = split_number(found["n"], rules)
    is_price = found["n2"] is None and len(whole) <= LONGEST
    is_rate = _RATE.match(found.string, found.end()) is not None
    if is_price and len(decimals) == 3 and whole != "0" and not is_rate:  # a foreign separator
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
    return f"{word} {words[0]}" if rules.noun_first else gap(number, rules).join(words)


def _currency(code: str, number: int | Decimal, rules: Rules) -> tuple[str, str]:
    """What stands before and after the number."""
    if (money := rules.money.get(code)) is not None:
        word, space = icu.plural(money.major, number, rules.locale), gap(number, rules)
        return (word + space, "") if rules.noun_first else ("", space + word)
    precision = " precision-integer" if number == int(number) else ""
    before, after = icu.phrase(f"currency/{code} unit-width-full-name{precision}", number, rules.locale)
    return before, counted(after, number, rules)


def _start(name: str) -> str:
    """What is before a name of a script whose letters are not `WORD`: no part of a word."""
    return r"(?<![\w\u0900-\u0903\u093a-\u094f])" if name[0].isalpha() and not re.match(f"[{WORD}]", name[0]) else ""
