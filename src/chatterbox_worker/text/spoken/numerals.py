"""Numbers as they are written, and in words that agree with what stands next to them."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.kana import in_kana
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import compiled

Group = list[Span]
"""The spans of one find: all of them are taken, or none."""

LONGEST = 15
"""Digits of the longest number that is read as one; a longer one is read digit by digit."""
DASHES = "–—〜-"  # the hyphen last: it stands in character classes
NEAR = 60  # characters after a number, for what agrees with it
_SHORT_DIGITS = 4  # of a number in an address or a name in code
_JOINED = re.compile(r"[\w/×*^+=]|-[A-Za-z]| ?[:/×*^] ?\d")  # after a number that is no amount: "3D", "16:9"


@lru_cache(maxsize=32)
def number_pattern(rules: Rules) -> str:
    """A number with the language's separators; where it writes a decimal comma, also with a decimal point.

    It has at most 14 groups: without a bound a text of groups alone is read in quadratic time.
    """
    grouped = "(?!)"
    if rules.group:
        group = f"[{re.escape(rules.group)}]"
        grouped = rf"\d{{1,3}}(?:{group}\d{rules.group_digits}(?=\D|\d?{group})){{0,12}}{group}\d{{3}}(?!\d)"
    decimal = f"[{re.escape(rules.decimal)}]"
    other = r"|\d+\.\d{1,2}(?!\d|\.\d)" if rules.decimal == "," else ""
    single = rf"(?<!\d{decimal})\d+{decimal}\d+(?!\d|{decimal}\d)"  # no two of a list: "1,2,19"
    return rf"(?:{_foreign(rules)}{grouped}(?:{decimal}\d+(?![\d.,]\d))?|{single}{other}|\d+)"


def _foreign(rules: Rules) -> str:
    """Numbers with the separators of other languages, where their groups leave no doubt."""
    apostrophes = r"\d{1,3}(?:['’]\d{3}){1,13}(?:[.,]\d{1,2})?(?!\d)|"  # 1'234.50 in Switzerland
    if rules.decimal == ",":
        return apostrophes + r"\d{1,3}(?:,\d{3}){1,13}\.\d{1,2}(?!\d)|\d{1,3}(?:,\d{3}){2,13}(?![.,]?\d)|"
    comma = r"\d{1,3}(?:[. ]\d{3}){1,13},\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3}){2,13}(?![.,]?\d)|"
    if "٫" in rules.decimal:  # Arabic has the comma between words "،"
        return apostrophes + comma + r"(?<![\d,])\d+,\d{1,2}(?![\d,]|[.٫]\d)|"
    return apostrophes + comma + r"\d+,\d{2}(?= ?(?:€|EUR))|"


ALL_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:,\d{3}){2,}")


@lru_cache(maxsize=32)
def _grouped(rules: Rules) -> re.Pattern[str]:
    group = f"[{re.escape(rules.group)}]"
    pattern = rf"\d{{1,3}}(?:{group}\d{rules.group_digits})*{group}\d{{3}}(?:[{re.escape(rules.decimal)}]|$)"
    return re.compile(pattern)


@lru_cache(maxsize=8192)
def split_number(written: str, rules: Rules) -> tuple[str, str]:
    """The digits before and after the decimal mark of what `number_pattern` matched."""
    if ALL_GROUPS.fullmatch(written):
        return re.sub(r"\D", "", written), ""
    last = max(written.rfind(mark) for mark in ".," + rules.decimal)
    is_group = last >= 0 and written[last] not in rules.decimal and _grouped(rules).match(written) is not None
    whole, decimals = (written, "") if last < 0 or is_group else (written[:last], written[last + 1 :])
    return re.sub(r"\D", "", whole), decimals


def parse_number(written: str, rules: Rules) -> int | Decimal:
    """The value of what `number_pattern` matched; of more digits than are read as a number, the last ones."""
    whole, decimals = split_number(written, rules)
    whole = whole[-LONGEST:]
    return Decimal(f"{int(whole)}.{_plain(decimals[:LONGEST])}") if decimals else int(whole)


def _plain(digits: str) -> str:
    """The digits of any script as 0 to 9."""
    return "".join(str(int(digit)) for digit in digits)


@lru_cache(maxsize=8192, typed=True)
def say(number: int | Decimal, rules: Rules, rule_set: str = "") -> str:
    words = correct(_spell(number, rules, rule_set or rules.cardinal), rules.fixes)
    return in_kana(words) if rules.kana else " ".join(words.split())


def _spell(number: int | Decimal, rules: Rules, rule_set: str) -> str:
    whole = rules.speller(int(number), rule_set) if rules.speller and number >= 0 else None
    if whole is None:
        return _spell_apart(number, rules, rule_set)
    zero, part = icu.spell(0, rules.locale, rule_set), icu.spell(number % 1, rules.locale, rule_set)
    return whole + part.removeprefix(zero)


def _spell_apart(number: int | Decimal, rules: Rules, rule_set: str) -> str:
    """The thousands apart where decimals are read as one number, in which ICU has all digits of a double's error."""
    rest = number % 1000
    if number < 1000 or rest < 1 or rest == int(rest) or _has_digits_after_point(rules):
        return icu.spell(number, rules.locale, rule_set)
    return " ".join(icu.spell(part, rules.locale, rule_set) for part in (int(number - rest), rest))


@lru_cache(maxsize=64)
def _has_digits_after_point(rules: Rules) -> bool:
    hundredths, one = (icu.spell(number, rules.locale, rules.cardinal) for number in (Decimal("0.11"), 1))
    return hundredths.endswith(one)


def minus(rules: Rules) -> str:
    """The word before a negative number, with its gap."""
    negative, positive = (icu.spell(number, rules.locale, rules.cardinal) for number in (-2, 2))
    return negative.removesuffix(positive)


def say_digits(digits: str, rules: Rules) -> str:
    return (" " if rules.spaced else "").join(rules.digits.get(digit) or say(int(digit), rules) for digit in digits)


def say_in_name(digits: str, rules: Rules) -> str:
    """A number inside an address or a name in code: one that is long or begins with 0 is read digit by digit."""
    is_short = len(digits) <= _SHORT_DIGITS and digits[0] != "0"
    return say(int(digits), rules) if is_short else say_digits(digits, rules)


def say_written(written: str, rules: Rules, following: str = "", *, rule_set: str = "", case: str = "") -> str:
    """What `number_pattern` matched, in words that agree with the text that follows; `case`: of `case_before`."""
    if not rule_set and not split_number(written, rules)[1]:
        rule_set = (written == "1" and agreeing(following, rules, rules.singular)) or agreeing(following, rules)
    is_point = bool(split_number(written, rules)[1]) and bool(decimal_point(rules))  # what follows it has no case
    if case and rule_set.count("-") <= 1 and not is_point:  # nor does what follows the number name one itself
        gender = rule_set.partition("-")[2] or "masculine"
        rule_set = f"cardinal-{gender}-{case}"
    return _say_as(written, rules, rule_set)


@lru_cache(maxsize=8192)
def _say_as(written: str, rules: Rules, rule_set: str) -> str:
    whole, decimals = split_number(written, rules)
    if len(whole) > LONGEST or (len(whole) > 1 and int(whole[0]) == 0 and not decimals):
        return say_digits(whole + decimals, rules)
    if len(whole) + len(decimals) > LONGEST:
        return say(int(whole), rules) + (decimal_point(rules) or ", ") + say_digits(_plain(decimals), rules)
    words = say(parse_number(written, rules), rules, rule_set)
    zeros = len(decimals) - len(decimals.rstrip("0"))
    point, gap = decimal_point(rules) if zeros else "", " " if rules.spaced else ""
    if not point:
        return words
    return words + (point if zeros == len(decimals) else gap) + gap.join([say(0, rules)] * zeros)


@lru_cache(maxsize=64)
def decimal_point(rules: Rules) -> str:
    """The word before decimals, with its gaps; empty where they are read as a fraction.

    With it the last zeros of "3.10" and "2.0" are said, which CLDR drops.
    """
    tenth, zero, one = say(Decimal("0.1"), rules), say(0, rules), say(1, rules)
    is_point = tenth.startswith(zero) and tenth.endswith(one)
    return tenth[len(zero) : len(tenth) - len(one)] if is_point else ""


def agreeing(following: str, rules: Rules, patterns: tuple[tuple[str, str], ...] | None = None) -> str:
    """The rule set of a number before this text; empty for the default. "=" before the text: it is a noun for sure.

    `patterns`: as `Rules.agreement`, which is the default.
    """
    known = rules.agreement if patterns is None else patterns
    return next((rule_set for pattern, rule_set in known if re.match(pattern, following)), "")


def case_before(text: str, start: int, end: int, rules: Rules) -> str:
    """The case that the text around an amount gives it, one of CLDR's; empty: that of a number that counts nothing."""
    if not rules.cases or _JOINED.match(text, end):
        return ""
    near = text[max(0, start - NEAR) : start]
    for before, after, case in rules.cases:
        if compiled(before).search(near) and compiled(after).match(text, end):
            return case
    return ""


def counted_as(number: int | Decimal, case: str, rules: Rules) -> int | Decimal:
    """The number after which a noun has, in the nominative, the form that it has after this one in the genitive.

    In the Slavic languages that is the singular after a fraction and the plural after five.
    """
    if case != "genitive" or number != int(number):
        return number
    return Decimal("1.5") if icu.plural("one{1} other{}", number, rules.locale) else 5


def spaced(text: str, start: int, end: int, spoken: str, rules: Rules) -> Span:
    """The span, with a space on each side where a letter touches it: "MP3" is "MP three"."""
    if rules.spaced:
        # between a digit and a letter the number has the space
        has_space = start and text[start - 1].isdecimal() and text[start].isalpha()
        before = " " if start and not has_space and re.match(f"[{WORD}]", text[start - 1]) else ""
        is_apart = text[end : end + 1].isalpha() and not (rules.joined and compiled(rules.joined).match(text, end))
        after = " " if is_apart else ""
        spoken = f"{before.removesuffix(spoken[:1])}{spoken}{after}"
    return Span(start, end, spoken)


def minus_sign(rules: Rules) -> str:
    """A pattern of the sign of a negative number, which is no dash between two numbers or words."""
    word = r"\w" if rules.spaced else WORD
    return rf"(?<![{word})%°$€£.\"'’])[-−]"


def quantity(rules: Rules) -> str:
    """A number or a range of two, as the groups `n` and `n2`."""
    number = number_pattern(rules)
    sign = rf"(?P<sign>{minus_sign(rules)})?"
    return rf"(?<![\d.,]){sign}(?P<n>{number})(?:(?:[~～∼{DASHES}]| [~～∼{DASHES}] )(?P<n2>{number}))?"


def quantity_values(found: re.Match[str], rules: Rules) -> tuple[int | Decimal, int | Decimal]:
    first = parse_number(found["n"], rules)
    return first, first if found["n2"] is None else parse_number(found["n2"], rules)


def say_quantity(found: re.Match[str], rules: Rules, following: str, *, case: str = "") -> str:
    """The numbers of `quantity` in words that agree with what follows; `case`: of `case_before`."""
    words = say_written(found["n"], rules, following, case=case)
    if found["sign"]:
        words = minus(rules) + words
    if found["n2"] is None:
        return words
    return between(words, say_written(found["n2"], rules, following, case=case), rules)


def between(first: str, last: str, rules: Rules) -> str:
    if not rules.to:
        return f"{first}–{last}"
    return correct(first + joining(rules) + last, rules.range_fixes)


def joining(rules: Rules) -> str:
    """The word between the ends of a range, with its gaps."""
    if not rules.spaced:
        return rules.to
    return rules.to[1:] + " " if rules.to.startswith("-") else f" {rules.to} "


def say_year_or_number(written: str, rules: Rules, following: str, *, case: str = "") -> str:
    for pattern, rule_set in rules.years:
        if re.fullmatch(pattern, written):
            return say(int(written), rules, rule_set)
    return say_written(written, rules, following, case=case)
