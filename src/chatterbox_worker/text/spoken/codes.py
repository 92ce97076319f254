"""Numbers that count nothing: codes read digit by digit, bank accounts, hexadecimal numbers, addresses of networks,
handles, hashtags and names in code.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group, say, say_digits, say_in_name
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part
from chatterbox_worker.text.spoken.words import letter_names

_CODE = (
    r"(?<=\bISBN )[\dX][\d -]{8,15}[\dX](?!\w)|(?<=\bISBN: )[\dX][\d -]{8,15}[\dX](?!\w)"
    r"|(?<![\w-])97[89]-\d{1,5}-\d{1,7}-\d{1,7}-\d(?![\w-])|(?<=\bISSN )\d{4}-\d{3}[\dX](?!\w)"
    r"|(?<![\w-])(?!19|20)\d{4}(?:[ -]\d{4}){3}(?![\w-])"  # a payment card; none begins as a year does
    r"|(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"  # a social security number
    r"|(?<![\w-])\d{3}-\d{3}-\d\d-\d\d(?![\w-])"  # a Polish taxpayer
    r"|(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d\d(?![\w-])"  # a Brazilian taxpayer, and a company
    r"|(?<![\w.-])\d\d\.\d{3}\.\d{3}/\d{4}-\d\d(?![\w-])"
    r"|(?<=, [A-Z]{2} )\d{5}(?:-\d{4})?(?![\w-])"  # a postal code of the United States
    r"|(?<![\w-])(?!(?:(?:19|20)\d\d ?){3})[2-9]\d{3} \d{4} \d{4}(?![\w-]| \d)"  # India's, but no three years
    r"|(?:(?<=Aadhaar )|(?<=आधार ))\d{4} \d{4} \d{4}(?![\w-]| \d)"
    r"|(?<![\w-])(?:19|20)?\d{6}-\d{4}(?![\w-])"  # Sweden's
    r"|(?<![\w.-])\d{4}\.\d\d\.\d{5}(?![\w-]|\.\d)"  # a Norwegian account
)
_AFTER_CAPITALS = rf"(?<![{WORD}-])(?:[A-Z]{{2}}(?P<n>\d{{3,4}})|[A-Z](?P<m>\d{{4}}))(?![{WORD}]|[.,]\d)"
_IBAN = r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?!\w)"
_HEXADECIMAL_NUMBER = rf"(?<![{WORD}])0[xX](?P<digits>[\dA-Fa-f]{{1,16}})(?![{WORD}])"
_LONG_CODE = r"(?<![\w-])(?=[A-Z\d]{9})(?=[A-Z]+\d|\d+[A-Z])[A-Z\d]{9,40}(?![\w-])"
_PART = re.compile(r"\d+|X")
_IP = r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?::\d{2,5})?(?![\w]|\.\d)"
_PARTS = re.compile(r"\d+|[.:]")
_HEXADECIMAL = (
    rf"(?<![{WORD}:.-])(?:[\dA-Fa-f]{{2}}(?:-[\dA-Fa-f]{{2}}){{5}}|[\dA-Fa-f]{{0,4}}(?::[\dA-Fa-f]{{0,4}}){{2,7}})"
    rf"(?![{WORD}:]|-\w)"
)
_HARDWARE = re.compile(r"[\dA-Fa-f]{2}(?:[:-][\dA-Fa-f]{2}){5}")
_GROUPS = re.compile(r"[^:-]+|[:-]")
_HANDLE = r"(?<![\w./@#&])[@#][^\W\d][\w]{0,40}(?![\w@]|-\d)"
_IN_CODE = r"(?<![\w./@#&])[^\W_]+(?:_[^\W_]+)+(?![\w@]|\.\d)"
_LETTERS = rf"(?:(?!_)[{WORD}])+"
_AMONG_CHARACTERS = rf"(?<![{WORD}./@#&]){_LETTERS}(?:_{_LETTERS})+(?![{WORD}@]|\.\d)"  # other letters touch the name
_RUNS = re.compile(r"\d+|\D+")
_GROUPED = re.compile(r"\d{1,3}(?:_\d{3}){1,4}")
_WORDS = re.compile(r"\d+|_|[A-ZÀ-ÞА-ЯЁ]?[^\W\d_A-ZÀ-ÞА-ЯЁ]+|[A-ZÀ-ÞА-ЯЁ]+(?![^\W\d_A-ZÀ-ÞА-ЯЁ])|[^\W\d_]|\w")


def find_codes(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for pattern in (_IBAN, _LONG_CODE):
        for found in part.find(pattern):
            yield list(_one_by_one(*found.span(), text, rules))
    for found in part.find(_HEXADECIMAL_NUMBER):
        gap, start = " " if rules.spaced else "", found.start("digits")
        prefix = f"{say_digits('0', rules)}{gap}{letter_names(rules).get('X', 'x')}{gap}"
        yield [Span(found.start(), start, prefix), *_one_by_one(start, found.end(), text, rules)]
    for found in part.find(_CODE):
        parts = (part if part == "X" else say_digits(part, rules) for part in _PART.findall(found[0]))
        yield [Span(*found.span(), ", ".join(parts))]
    if rules.code_number:
        for found in part.find(_AFTER_CAPITALS):
            yield [Span(*found.span(found.lastgroup or ""), " " + _say_code(found[found.lastgroup or ""], rules))]
    if rules.emergency:
        for found in part.find(rf"(?:{rules.emergency})(?P<n>\d{{3}})(?![\w-]|[.,/ ]\d)"):
            yield [Span(*found.span("n"), say_digits(found["n"], rules))]


def _say_code(digits: str, rules: Rules) -> str:
    if len(digits) == 3 or digits[0] == "0":
        return say_digits(digits, rules)
    if rules.code_number != "pairs":
        return say(int(digits), rules, rules.code_number)
    first, last = digits[:2], digits[2:]
    return f"{say(int(first), rules)} {say_digits(last, rules) if last[0] == '0' else say(int(last), rules)}"


def _one_by_one(start: int, end: int, text: str, rules: Rules) -> Iterator[Span]:
    """Letters and digits of a code, with a pause after each four."""
    gap, count = "", 0
    for index in range(start, end):
        char = text[index]
        if not char.isalnum():
            yield Span(index, index + 1, "")
            continue
        name = say_digits(char, rules) if char.isdecimal() else letter_names(rules).get(char.upper(), char)
        yield Span(index, index + 1, gap + name)
        count += 1
        gap = (", " if count % 4 == 0 else " ") if rules.spaced else ""


def find_network_addresses(part: Part, rules: Rules) -> Iterator[Group]:
    if not rules.marks:
        return
    for found in part.find(_IP):
        parts = [say(int(part), rules) if part.isdecimal() else rules.marks[part] for part in _PARTS.findall(found[0])]
        yield [Span(*found.span(), (" " if rules.spaced else "").join(parts))]
    for found in part.find(_HEXADECIMAL):
        if _HARDWARE.fullmatch(found[0]):
            yield _read_groups(*found.span(), part.text, ",", rules)
        elif _is_ipv6(found[0], part.text[found.end() : found.end() + 1]):
            yield _read_groups(*found.span(), part.text, rules.marks[":"], rules)


def _is_ipv6(written: str, following: str) -> bool:
    """Not a ratio ("1:2:3:4:5:6:7:8"), a name ("a::b"), a slice ("::2") or the end of "Example 1::"."""
    if not re.search(r"::|[A-Fa-f]|\d{3}", written) or not re.search(r"\d", written):
        return False
    if re.fullmatch(r"::(?!1$)[^:]*", written) or (written.endswith("::") and following != "/"):
        return False
    try:
        ipaddress.IPv6Address(written)
    except ValueError:
        return False
    return True


def _read_groups(start: int, end: int, text: str, mark: str, rules: Rules) -> Group:
    """Digits and letters one by one, with `mark` between the groups; a span for each, so that it can be cut."""
    gap, names = " " if rules.spaced else "", letter_names(rules)
    spans: Group = []
    for found in _GROUPS.finditer(text, start, end):
        if found[0] in ":-":
            spans.append(Span(*found.span(), mark if mark == "," or not spans else gap + mark))
            continue
        chars = found[0].upper()
        words = gap.join(say_digits(char, rules) if char.isdecimal() else names.get(char, char) for char in chars)
        spans.append(Span(*found.span(), (gap if spans else "") + words))
    return spans


def find_names_in_code(part: Part, rules: Rules) -> Iterator[Group]:
    """The words of a name such as "max_chunk_2", which underscores separate; "10_000" is one number."""
    for found in part.find(_IN_CODE if rules.spaced and not rules.joined else _AMONG_CHARACTERS):
        if _GROUPED.fullmatch(found[0]):
            words = [say(int(found[0].replace("_", "")), rules)]
        else:
            runs = _RUNS.findall(found[0].replace("_", " "))
            words = [say_in_name(run, rules) if run.isdecimal() else run.strip() for run in runs if run.strip()]
        yield [Span(*found.span(), " ".join(words))]


def find_handles(part: Part, rules: Rules) -> Iterator[Group]:
    """A name after "@" and the words of a hashtag, which capitals or underscores separate."""
    if not rules.marks:
        return
    for found in part.find(_HANDLE):
        is_handle = found[0][0] == "@"
        low_line = rules.marks["_"] if is_handle else ""
        parts = (
            say(int(part), rules) if part.isdecimal() else low_line if part == "_" else part
            for part in _WORDS.findall(found[0][1:])
        )
        mark = rules.marks["@"] if is_handle else rules.marks.get("hashtag", "hashtag")
        yield [Span(*found.span(), " ".join([mark, *filter(None, parts)]))]
