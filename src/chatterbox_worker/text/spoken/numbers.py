"""Numbers that count, order or measure nothing but themselves: also years, ranges, fractions and percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.kana import in_kana
from chatterbox_worker.text.spoken.patterns import WORD, alternatives
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled

Group = list[Span]
"""The spans of one find: all of them are taken, or none."""

LONGEST = 15
"""Digits of the longest number that is read as one; a longer one is read digit by digit."""
_DASHES = "–—〜-"  # the hyphen last: it stands in character classes
_SCORE = 3  # digits
_SHORT = 4  # digits without separators of the ends of a range
_ENDS = {
    "じゅう": "…10",
    "ひゃく": "…100",
    "びゃく": "…100",
    "ぴゃく": "…100",
    "せん": "…1000",
    "ぜん": "…1000",
    "まん": "…1000",
}
"""How a Japanese number of tens, hundreds and thousands ends, with the key of its counters' readings."""
_SLOT = re.compile(r"\{(?P<name>\w+)(?::(?P<set>[\w-]+))?\}")  # of a form's words
_NEAR = 60  # characters after a number, for what agrees with it
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
    return rf"(?:{_foreign(rules)}{grouped}(?:{decimal}\d+(?![\d.,]\d))?|\d+{decimal}\d+(?!{decimal}\d){other}|\d+)"


def _foreign(rules: Rules) -> str:
    """Numbers with the separators of other languages, where their groups leave no doubt."""
    apostrophes = r"\d{1,3}(?:['’]\d{3}){1,13}(?!\d)|"
    if rules.decimal == ",":
        return apostrophes + r"\d{1,3}(?:,\d{3}){1,13}\.\d{1,2}(?!\d)|\d{1,3}(?:,\d{3}){2,13}(?![.,]?\d)|"
    comma = r"\d{1,3}(?:[. ]\d{3}){1,13},\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3}){2,13}(?![.,]?\d)|"
    return apostrophes + comma + r"\d+,\d{2}(?= ?(?:€|EUR))|"


_ALL_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:,\d{3}){2,}")


@lru_cache(maxsize=32)
def _grouped(rules: Rules) -> re.Pattern[str]:
    group = f"[{re.escape(rules.group)}]"
    pattern = rf"\d{{1,3}}(?:{group}\d{rules.group_digits})*{group}\d{{3}}(?:[{re.escape(rules.decimal)}]|$)"
    return re.compile(pattern)


@lru_cache(maxsize=8192)
def split_number(written: str, rules: Rules) -> tuple[str, str]:
    """The digits before and after the decimal mark of what `number_pattern` matched."""
    if _ALL_GROUPS.fullmatch(written):
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
        return icu.spell(number, rules.locale, rule_set)
    zero, part = icu.spell(0, rules.locale, rule_set), icu.spell(number % 1, rules.locale, rule_set)
    return whole + part.removeprefix(zero)


def minus(rules: Rules) -> str:
    """The word before a negative number, with its gap."""
    negative, positive = (icu.spell(number, rules.locale, rules.cardinal) for number in (-2, 2))
    return negative.removesuffix(positive)


def say_digits(digits: str, rules: Rules) -> str:
    return (" " if rules.spaced else "").join(rules.digits.get(digit) or say(int(digit), rules) for digit in digits)


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
    if len(whole) + len(decimals) > LONGEST or (len(whole) > 1 and int(whole[0]) == 0 and not decimals):
        return say_digits(whole + decimals, rules)
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
    near = text[max(0, start - _NEAR) : start]
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


def find_numbers(part: Part, rules: Rules) -> Iterator[Group]:
    """Every number that no other recogniser knows."""
    text = part.text
    for found in part.find(rf"(?=[-−\d])(?:(?<![\w.,)\]%°$€£\"'’?!{_DASHES}])[-−](?=\d))?({number_pattern(rules)})"):
        whole, decimals = split_number(found[1], rules)
        if len(whole) > LONGEST and not decimals:
            yield from _digit_by_digit(found.start(1), found[1], rules)
            continue
        is_label = bool(rules.labels) and compiled(rules.labels).search(
            text[max(0, found.start() - _NEAR) : found.start()]
        )
        following = "" if is_label else text[found.end() : found.end() + _NEAR]
        case = "" if is_label else case_before(text, *found.span(), rules)
        spoken = say_written(found[1], rules, following, case=case)
        for before, fixes in rules.concords:
            if compiled(before).search(text[max(0, found.start() - _NEAR) : found.start()]):
                spoken = correct(spoken, fixes)
        if found[0] != found[1]:
            spoken = minus(rules) + spoken
        yield [spaced(text, found.start(), found.end(), spoken, rules)]


def _digit_by_digit(start: int, written: str, rules: Rules) -> Iterator[Group]:
    """A span for each digit, so that even a very long number can be cut."""
    gap = " " if rules.spaced else ""
    for index, char in enumerate(written):
        if char.isdecimal():
            yield [Span(start + index, start + index + 1, (gap if index else "") + say(int(char), rules))]


_SOFTWARE = "|".join(
    f"(?<={name} )"
    for name in (
        "Python", "Perl", "PHP", "Java", "iOS", "iPadOS", "macOS", "Android", "Ubuntu", "Debian", "Go", "Ruby", "Node",
        "Rust", "Swift", "Firefox", "Chrome", "[Vv]ersion", "Windows", "Linux", "[Kk]ernel", "GNOME", "KDE", "Qt",
        "Apache", "PostgreSQL", "MySQL", "OpenSSL", "CUDA", "HTTP", "TLS", "USB", "HDMI", "Bluetooth",
    )
)  # fmt: skip
"""Before a version of two parts, whose second is no decimal: Python 3.11. `Rules.sections` has a language's words."""


def find_versions(part: Part, rules: Rules) -> Iterator[Group]:
    """The parts of "v2.0" or "1.2.3" with the word for the mark; not what is a number with groups of three."""
    grouped = re.compile(rf"\d{{1,3}}([{re.escape(rules.group or ',')}]\d{{3}})+$")
    point = rules.marks.get("point", rules.marks.get(".", ""))
    names = "|".join([_SOFTWARE, *(f"(?<={word} )" for word in rules.sections.split("|") if word)])
    second = r"\d\d?" if rules.decimal == "," else r"\d\d"  # of one digit it is read the same after a decimal point
    pattern = (
        rf"(?<![{WORD}.])(?:[vV](?=\d+\.\d))?"
        rf"(\d{{1,4}}(?:\.\d{{1,4}}){{2,}}|(?<=[vV])\d{{1,4}}\.\d{{1,4}}|(?=\d\d?\.\d)(?:{names})\d\d?\.{second}"
        rf"|(?<![^\n])\d\d?\.\d\d?(?=\. [^\W\d_a-z]))"  # a heading: "6.2. Soups"
        rf"(?![{WORD}]|[.,]\d)"
    )
    if not point:
        return
    for found in part.find(pattern):
        if grouped.match(found[1]) or _ALL_GROUPS.fullmatch(found[1]):
            continue
        gap = " " if rules.spaced else ""
        spoken = f"{gap}{point}{gap}".join(
            say_digits(part, rules) if len(part) > 1 and part[0] == "0" else say(int(part), rules)
            for part in found[1].split(".")
        )
        yield [Span(found.start(1), found.end(1), (gap if found.start(1) > found.start() else "") + spoken)]


def find_percent(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for found in part.find(rf"{quantity(rules)} ?[%٪％](?![{WORD}])"):
        _, last = quantity_values(found, rules)
        case = case_before(text, *found.span(), rules)
        before, after = _percent(counted_as(last, case, rules), rules)
        yield [spaced(text, *found.span(), before + say_quantity(found, rules, after, case=case) + after, rules)]


def _percent(number: int | Decimal, rules: Rules) -> tuple[str, str]:
    if not rules.percent:
        return icu.phrase("percent unit-width-full-name", number, rules.locale)
    before, _, after = rules.percent.partition("{n}")
    return before, after


def quantity(rules: Rules) -> str:
    """A number or a range of two, as the groups `n` and `n2`."""
    number = number_pattern(rules)
    word = r"\w" if rules.spaced else WORD
    sign = rf"(?P<sign>(?<![{word})%°$€£.\"'’])[-−])?"
    return rf"(?<![\d.,]){sign}(?P<n>{number})(?:(?:[~～∼{_DASHES}]| [~～∼{_DASHES}] )(?P<n2>{number}))?"


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
    return _between(words, say_written(found["n2"], rules, following, case=case), rules)


def _between(first: str, last: str, rules: Rules) -> str:
    if not rules.to:
        return f"{first}–{last}"
    return first + joining(rules) + last


def joining(rules: Rules) -> str:
    """The word between the ends of a range, with its gaps."""
    if not rules.spaced:
        return rules.to
    return rules.to[1:] + " " if rules.to.startswith("-") else f" {rules.to} "


def find_ordinals(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for suffix, rule_set in rules.ordinals:
        for found in part.find(rf"(?<![\d.,])(\d{{1,4}}){suffix}(?![{WORD}])"):
            yield [spaced(text, *found.span(), say(int(found[1]), rules, rule_set), rules)]
    for before, after, rule_set in rules.ordinal_stops:
        for found in part.find(rf"(?<![\d.,])(?:{before})(?P<d>\d{{1,3}})\.(?={after})"):
            yield [Span(found.start("d"), found.end(), say(int(found["d"]), rules, rule_set))]


def find_compounds(part: Part, rules: Rules) -> Iterator[Group]:
    """A number with a hyphen and the word of which it is the first part: "18-летний"."""
    for pattern, rule_set in rules.compounds:
        for found in part.find(rf"(?:(?<![{WORD}.,-])|(?<=\d-))(?P<n>\d{{1,4}}){pattern}"):
            yield [Span(*found.span(), say(int(found["n"]), rules, rule_set).replace(" ", ""))]


def find_years(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for pattern, rule_set in rules.years:
        for found in part.find(pattern):
            yield [spaced(text, *found.span("y"), say(int(found["y"]), rules, rule_set), rules)]


def find_forms(part: Part, rules: Rules) -> Iterator[Group]:
    """The language's own patterns."""
    text = part.text
    if rules.decades:
        for found in part.find(r"(?<![\w,.])(?:(?P<n>1[1-9]|20)|['’])?(?P<d>[1-9])0['’]?s(?!\w)"):
            century = f"{say(int(found['n']), rules)} " if found["n"] else ""
            yield [Span(*found.span(), century + rules.decades[found["d"]])]
    for pattern, words in rules.forms:
        for found in part.find(pattern):
            spoken = _fill(words, found.groupdict(default=""), rules)
            start, end = found.span("all" if "all" in found.re.groupindex else 0)
            yield [spaced(text, start, end, spoken, rules) if text[end - 1].strip() else Span(start, end, spoken)]


def _fill(words: str, groups: Mapping[str, str], rules: Rules) -> str:
    """The words with the groups in their places: "{n}", a number in words, or "{n:ordinal-masculine}"."""
    following = f"= {groups['w']}" if "w" in groups else ""

    def say_group(slot: re.Match[str]) -> str:
        written = groups[slot["name"]]
        is_number = written[:1].isdecimal()
        return say_written(written, rules, following, rule_set=slot["set"] or "") if is_number else written

    return _SLOT.sub(say_group, words)


def find_counters(part: Part, rules: Rules) -> Iterator[Group]:
    """A number with 万 or 億 and with what it counts; between them a space, where digits stand apart: "3 つ"."""
    if not rules.counters:
        return
    names = alternatives(tuple(rules.counters))
    after = r"(?![一-龥])|(?=[以目前後間中内未半余])"  # what else follows a space is a word of its own
    for found in part.find(
        rf"(?<![\d.,])(?P<n>\d[\d,]*)(?: ?(?P<power>[万億兆]))?(?:(?P<counter>{names})| (?P<apart>{names})(?:{after}))?"
    ):
        if len(found["n"]) > LONGEST:
            continue  # read digit by digit
        value = int(found["n"].replace(",", "")) * {None: 1, "万": 10**4, "億": 10**8, "兆": 10**12}[found["power"]]
        if counter := found["counter"] or found["apart"]:
            yield [Span(*found.span(), count(value, *rules.counters[counter], rules))]
        elif found["power"]:
            yield [Span(*found.span(), say(value, rules))]


def count(number: int, reading: str, readings: Mapping[str, str], rules: Rules) -> str:
    """The most exact reading: of the number itself, of its last digits, or the plain one."""
    if (whole := readings.get(str(number))) is not None:
        return whole
    last, spoken = number % 10, say(number, rules)
    if last and (words := readings.get(f"…{last}")) is not None:
        return (say(number - last, rules) if number > last else "") + words
    for end, key in _ENDS.items():
        if spoken.endswith(end) and key in readings:
            return spoken[:-1] + readings[key][len(end) - 1 :] if key != "…1000" else spoken + readings[key][2:]
    return spoken + reading


def find_ranges(part: Part, rules: Rules) -> Iterator[Group]:
    """Two numbers with a dash: a range, or a score if the second is smaller and no name precedes them."""
    text = part.text
    if not rules.to:
        return
    number = number_pattern(rules)
    pattern = rf"(?<![{WORD}.,/^{_DASHES}])({number})( ?[–—〜] ?| - |-)({number})(?![{WORD}/{_DASHES}]|[.,]\d)"
    for found in part.find(pattern):
        ends = (found[1], found[3])
        if any(
            (end[0] == "0" and end != "0" and end.isdecimal()) or (end.isdecimal() and len(end) > _SHORT)
            for end in ends
        ):
            continue
        first, last = (parse_number(end, rules) for end in ends)
        if first > last and rules.score and max(map(len, ends)) <= _SCORE and not _after_name(text, found.start()):
            yield [Span(*found.span(), f"{say(first, rules)} {rules.score} {say(last, rules)}")]
        elif first < last:
            following = text[found.end() : found.end() + _NEAR]
            case = case_before(text, *found.span(), rules)
            before, after = (say_year_or_number(end, rules, following, case=case) for end in ends)
            yield [Span(*found.span(), _between(before, after, rules))]


def _after_name(text: str, start: int) -> bool:
    """Whether a name precedes; two that are joined are those of a match: "Inter-Milan 2-1"."""
    before = text[max(0, start - _NEAR) : start]
    name = r"[A-ZÀ-Þ][^\W\d_]*"
    return re.search(rf"{name} $", before) is not None and re.search(rf"{name} ?[-–] ?{name} $", before) is None


def say_year_or_number(written: str, rules: Rules, following: str, *, case: str = "") -> str:
    for pattern, rule_set in rules.years:
        if re.fullmatch(pattern, written):
            return say(int(written), rules, rule_set)
    return say_written(written, rules, following, case=case)


def find_scaled(part: Part, rules: Rules) -> Iterator[Group]:
    """The scale of "5 Mio." or "3 млн" in words."""
    text = part.text
    if rules.scale_letters:
        letters = "|".join(f"(?P<letter{i}>{letter})" for i, (letter, _) in enumerate(rules.scale_letters))
        for found in part.find(rf"(?<![{WORD}]){quantity(rules)}(?:{letters})"):
            _, message = rules.scale_letters[int((found.lastgroup or "").removeprefix("letter"))]
            word = icu.plural(message, quantity_values(found, rules)[1], rules.locale)
            yield [Span(*found.span(), f"{say_quantity(found, rules, f'= {word}')} {word}")]
    if not rules.scales:
        return
    names = alternatives(tuple(rules.scales))
    for found in part.find(rf"{quantity(rules)} ?(?P<scale>{names})(?![{WORD}])"):
        _, last = quantity_values(found, rules)
        case = case_before(text, *found.span(), rules)
        word = icu.plural(rules.scales[found["scale"]], counted_as(last, case, rules), rules.locale)
        gap = " " if rules.spaced else ""
        spoken = say_quantity(found, rules, f"={gap}{word}", case=case) + gap + word
        yield [spaced(text, *found.span(), spoken, rules)]
