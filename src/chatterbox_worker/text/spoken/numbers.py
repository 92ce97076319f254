"""Numbers that count, order or measure nothing but themselves: also years, ranges, fractions and percentages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import chain

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.numerals import (
    ALL_GROUPS,
    DASHES,
    LONGEST,
    NEAR,
    Group,
    between,
    case_before,
    counted_as,
    minus,
    minus_sign,
    number_pattern,
    parse_number,
    quantity,
    quantity_values,
    say,
    say_digits,
    say_quantity,
    say_written,
    say_year_or_number,
    spaced,
    split_number,
)  # fmt: skip
from chatterbox_worker.text.spoken.patterns import WORD, alternatives
from chatterbox_worker.text.spoken.rules import Rules, correct
from chatterbox_worker.text.spoken.search import Part, compiled

_SCORE = 3  # digits
_SHORT, _LONG = 4, 6  # digits without separators of the ends of a range; longer ones are rather a telephone number
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


def find_numbers(part: Part, rules: Rules) -> Iterator[Group]:
    """Every number that no other recogniser knows."""
    text = part.text
    for found in part.find(rf"(?=[-−\d])(?:(?<![\w.,)\]%°$€£\"'’?!{DASHES}])[-−](?=\d))?({number_pattern(rules)})"):
        whole, decimals = split_number(found[1], rules)
        if len(whole) > LONGEST and not decimals:
            yield from _digit_by_digit(found.start(1), found[1], rules)
            continue
        is_label = bool(rules.labels) and compiled(rules.labels).search(
            text[max(0, found.start() - NEAR) : found.start()]
        )
        following = "" if is_label else text[found.end() : found.end() + NEAR]
        case = "" if is_label else case_before(text, *found.span(), rules)
        spoken = say_written(found[1], rules, following, case=case)
        for before, fixes in rules.concords:
            if compiled(before).search(text[max(0, found.start() - NEAR) : found.start()]):
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
        if grouped.match(found[1]) or ALL_GROUPS.fullmatch(found[1]):
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


def find_ordinals(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for suffix, rule_set in rules.ordinals:
        for found in part.find(rf"(?<![{WORD}.,])(\d{{1,4}}){suffix}(?![{WORD}])"):
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
        rf"(?<![\d.,])(?P<sign>{minus_sign(rules)})?"
        rf"(?P<n>\d[\d,]*)(?: ?(?P<power>[万億兆]))?(?:(?P<counter>{names})| (?P<apart>{names})(?:{after}))?"
    ):
        if len(found["n"]) > LONGEST:
            continue  # read digit by digit
        value = int(found["n"].replace(",", "")) * {None: 1, "万": 10**4, "億": 10**8, "兆": 10**12}[found["power"]]
        has_sign = found["sign"] and not part.taken[found.start()]
        start, sign = (found.start(), minus(rules)) if has_sign else (found.start("n"), "")
        if counter := found["counter"] or found["apart"]:
            yield [Span(start, found.end(), sign + count(value, *rules.counters[counter], rules))]
        elif found["power"]:
            yield [Span(start, found.end(), sign + say(value, rules))]


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
    pattern = rf"(?<![{WORD}.,/^{DASHES}])({number})( ?[–—〜] ?| - |-)({number})(?![{WORD}/{DASHES}]|[.,]\d)"
    for found in part.find(pattern):
        ends = (found[1], found[3])
        longest = _LONG if found[2].strip() == "–" and len(found[1]) == len(found[3]) else _SHORT
        if any(
            (end[0] == "0" and end != "0" and end.isdecimal()) or (end.isdecimal() and len(end) > longest)
            for end in ends
        ):
            continue
        first, last = (parse_number(end, rules) for end in ends)
        if first > last and rules.score and max(map(len, ends)) <= _SCORE and not _after_name(text, found.start()):
            yield [Span(*found.span(), f"{say(first, rules)} {rules.score} {say(last, rules)}")]
        elif first < last:
            following = text[found.end() : found.end() + NEAR]
            case = case_before(text, *found.span(), rules)
            before, after = (say_year_or_number(end, rules, following, case=case) for end in ends)
            yield [Span(*found.span(), between(before, after, rules))]


def _after_name(text: str, start: int) -> bool:
    """Whether a name precedes; two that are joined are those of a match: "Inter-Milan 2-1"."""
    before = text[max(0, start - NEAR) : start]
    name = r"[A-ZÀ-Þ][^\W\d_]*"
    return re.search(rf"{name} $", before) is not None and re.search(rf"{name} ?[-–] ?{name} $", before) is None


_LETTERS = frozenset("KkMBJ")  # after a decimal only: "1.2M"; others are units
_WORD_LENGTH = 4  # with the space: shorter ones are words or units of their own


@lru_cache(maxsize=32)
def _scales(rules: Rules) -> Mapping[str, str]:
    short = icu.short_scales(rules.locale) if rules.spaced else {}
    found = {
        name if name.strip() in _LETTERS else name.strip(): words
        for name, words in short.items()
        if name.strip() in _LETTERS or (len(name) >= _WORD_LENGTH - name.endswith("॰") and name.strip() not in words)
    }
    return found | dict(rules.scales)


def find_scaled(part: Part, rules: Rules) -> Iterator[Group]:
    """The scale of "5 Mio." or "3 млн" in words."""
    text = part.text
    if rules.scale_letters:
        letters = "|".join(f"(?P<letter{i}>{letter})" for i, (letter, _) in enumerate(rules.scale_letters))
        for found in part.find(rf"(?<![{WORD}]){quantity(rules)}(?:{letters})"):
            _, message = rules.scale_letters[int((found.lastgroup or "").removeprefix("letter"))]
            word = icu.plural(message, quantity_values(found, rules)[1], rules.locale)
            yield [Span(*found.span(), f"{say_quantity(found, rules, f'= {word}')} {word}")]
    scales = _scales(rules)
    short = tuple(name for name in scales if name.strip() in _LETTERS)
    words = alternatives(tuple(name for name in scales if name not in short))
    patterns = [rf" ?(?P<scale>{words})(?![{WORD}])"] if words else []
    if short:
        patterns.append(rf"(?<=[.,]\d)(?P<scale>{alternatives(short)})(?![{WORD}/-])")
    for found in chain.from_iterable(part.find(quantity(rules) + pattern) for pattern in patterns):
        _, last = quantity_values(found, rules)
        case = case_before(text, *found.span(), rules)
        word = icu.plural(scales[found["scale"]], counted_as(last, case, rules), rules.locale)
        gap = " " if rules.spaced else ""
        spoken = say_quantity(found, rules, f"={gap}{word}", case=case) + gap + word
        yield [spaced(text, *found.span(), spoken, rules)]
