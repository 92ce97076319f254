"""What is written without digits and read otherwise: abbreviations, Roman numerals, symbols, acronyms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group, say
from chatterbox_worker.text.spoken.patterns import alternatives
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part, compiled

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_CYRILLIC = str.maketrans("ХІ", "XI")  # letters that are written for those of a Roman numeral
_CODE_DIGITS = re.compile(r"\d{3,4}(?!\w)")
_GOES_ON = ",;:،؛.!?…-–—/"
"""What stands after an abbreviation that ends no sentence, or one that has its own mark."""
_SMALL_NUMERAL = re.compile(r"[IVX]+")  # "CD" and "DC" are letters
_SPELLED = frozenset(
    {"API", "CPU", "GPU", "IBM", "IP", "UI", "URL", "USB", "UTC"}
)  # `Rules.spelled` has a language's own
_NEAR = 40  # characters before and after a word or a numeral, for what it agrees with
_WORD, _WORD_AFTER, _WORD_BEFORE = (re.compile(pattern) for pattern in (
    r"[^\W\d_]{2,}", r" [^\W\d_]{2,}", r"[^\W\d_]{2,} $"
))  # fmt: skip
_LETTER = "[A-Za-zА-Яа-яα-ω]"
_VARIABLE = rf"(?<=\b{_LETTER})"  # "n+1", "p<0.05", "I+D"
_DAY_BEFORE = re.compile(r"\d\.? \w+ \Z")  # the tilde of a range: "2 may ~ 7 may"
_SAME = {"~": "≈", "·": "×", "-": "−", "≦": "≤", "≧": "≥"}
_NUMERAL = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")


def find_per(part: Part, rules: Rules) -> Iterator[Group]:
    """The stroke between an amount and what it is for."""
    if rules.per:
        amount = r"(?= ?/)(?:(?<=[\d%¢$€£¥₽₴₺₹])|(?<=\d[kKmM])|(?<=zł)|(?<=руб)|(?<=руб\.))"
        for found in part.find(rf"{amount} ?/ ?(?P<name>{alternatives(tuple(rules.per))})(?!\w)"):
            yield [Span(*found.span(), " " + rules.per[found["name"]])]


def find_numbered(part: Part, rules: Rules) -> Iterator[Group]:
    """An abbreviation in front of a number; a space is left between them. Letters do not touch it."""
    text = part.text
    if rules.numbered:
        names = alternatives(tuple(rules.numbered))
        for found in part.find(rf"(?<![\w.])(?i:{names})(?:(?<=[A-Za-z])(?= \d)|(?<![A-Za-z])(?= ?\d))"):
            gap = "" if text[found.end()] == " " or found[0][-1].isalnum() else " "  # after a letter the number has one
            yield [Span(*found.span(), rules.numbered[found[0].lower()] + gap)]


def find_abbreviations(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for pattern, words in rules.abbreviated:
        for found in part.find(pattern):
            start, end = found.span("a" if "a" in found.re.groupindex else 0)
            stop = "." if words.endswith(".") and _ends_sentence(text, end) else ""
            yield [Span(start, end, words.removesuffix(".") + stop)]
    if rules.adjectives:
        for found in part.find(rf"(?<![\w.])(?:{alternatives(tuple(rules.adjectives))})(?!\w)"):
            start, end = found.span()
            before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
            endings = (
                ending
                for behind, ahead, ending in rules.endings
                if compiled(behind).search(before) and compiled(ahead).match(after)
            )
            yield [Span(start, end, rules.adjectives[found[0]] + next(endings, ""))]
    for table, may_end in ((rules.abbreviations, True), (rules.titles, False)):
        if not table:
            continue
        for found in part.find(rf"(?<![\w.])(?:{alternatives(tuple(table))})(?!\w)"):
            ends = _ends_sentence(text, found.end()) if may_end else not text[found.end() :].strip()
            keep_stop = found[0].endswith(".") and ends
            yield [Span(*found.span(), table[found[0]] + ("." if keep_stop else ""))]


def _ends_sentence(text: str, end: int) -> bool:
    if text[end : end + 1] in (")", "]"):
        return False
    if text.startswith("..", end):  # an ellipsis
        return True
    following = text[end : end + 4].lstrip(" \n\"'»”)")
    return not following or not (following[0].islower() or following[0].isdigit() or following[0] in _GOES_ON)


def find_roman(part: Part, rules: Rules) -> Iterator[Group]:
    for pattern, rule_set, words in rules.roman:
        for found in part.find(pattern):
            if (value := parse_roman(found["r"])) is not None:
                start, end = found.span("all" if "all" in found.re.groupindex else "r")
                name, in_case = _in_case(rule_set, words, part.text[max(0, start - _NEAR) : start], rules)
                yield [Span(start, end, in_case.replace("{n}", say(value, rules, name)))]


def _in_case(rule_set: str, words: str, before: str, rules: Rules) -> tuple[str, str]:
    cases = (
        (name, forms[words])
        for pattern, name, forms in rules.roman_cases
        if words in forms and compiled(pattern).search(before)
    )
    return next(cases, (rule_set, words))


def parse_roman(numeral: str) -> int | None:
    """The value of a well-formed numeral."""
    numeral = numeral.translate(_CYRILLIC)
    if not numeral or not _NUMERAL.fullmatch(numeral):
        return None
    values = [_ROMAN[letter] for letter in numeral]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def find_symbols(part: Part, rules: Rules) -> Iterator[Group]:
    """The marks "&" and "@" at words, "#" before a number, "+", "=" and the like between numbers or with spaces."""
    text = part.text
    for found in part.find(r"&&?(?=\s|\w)|@(?=\s|\w)"):
        yield from _symbol(text, *found.span(), rules)
    for found in part.find(r"(?<![\w&])#(?=\d|[A-Z]{2,6}-\d)|№ ?(?=\d)|(?<!§)§+ ?(?=\d)"):
        yield from _symbol(text, *found.span(), rules)
    for found in part.find(
        r"(?<=[\w)%€$£] )[+=×÷±≈<>≤≥≦≧·*/−](?= [-+−]?[\w($€£])|[±≈≤≥≦≧] ?(?=\d)"
        rf"|(?:(?<=[\d)⁰¹²³⁴-⁹])|{_VARIABLE})[+=×÷±<>≤≥≦≧](?=[\d(])"
        rf"|(?:(?<=[\d)])|{_VARIABLE})[+=×÷](?={_LETTER}(?!\w))|(?<=[\w)] )=(?=[\d(])|(?<=[\w)])=(?= [-+−]?\d)"
    ):
        if found[0] not in "*/·":
            yield from _symbol(text, *found.span(), rules)
    for found in part.find(r"(?<=[a-zа-яёα-ω]{3} )~ (?=\d)") if rules.spaced and not rules.joined else ():
        if not _DAY_BEFORE.search(text, max(0, found.start() - _NEAR), found.start()):
            yield from _symbol(text, *found.span(), rules)
    for found in part.find(
        r"(?<=[\d%])\+(?![\w+])|(?<!\S)[+~<>](?=[$€£]?\d)|(?<=\()[+~<>] ?(?=\d)|(?<=[,:;] )[<>] (?=\d)"
        r"|(?<![\w)])√ ?(?=[\d(a-z])|(?<=\d)·(?=\d)|(?<=[\d)a-zα-ω])[²³](?!\w)|(?<=\b(?:UTC|GMT))[+-](?=\d)"
    ):
        yield from _symbol(text, *found.span(), rules)


def _symbol(text: str, start: int, end: int, rules: Rules) -> Iterator[Group]:
    mark = text[start:end].strip()[:1]
    if words := rules.symbols.get(_SAME.get(mark, mark)):
        before = " " if rules.spaced and start and text[start - 1] not in " \n(" else ""
        after = " " if rules.spaced and re.match(r"[\w($€£¥]", text[end : end + 1]) else ""
        yield [join_prefix(text, Span(start, end, before + words + after))]


def join_prefix(text: str, mark: Span) -> Span:
    """The mark, its words joined to what follows if they end with a hyphen, as a Hebrew prefix does.

    The hyphen stays before Latin letters only: "ו-USB".
    """
    if not mark.spoken.rstrip().endswith("-"):
        return mark
    end = mark.end + (text[mark.end : mark.end + 1] == " ")
    words = mark.spoken.rstrip()
    return Span(mark.start, end, words if re.match("[A-Za-z]", text[end : end + 1]) else words.removesuffix("-"))


def find_acronyms(part: Part, rules: Rules) -> Iterator[Group]:
    """Two to five capitals without a vowel, known to be spelled, or of a code (BA2490); not in a line of capitals."""
    text = part.text
    alphabet = rules.alphabet
    if not alphabet or (text.isupper() and len(_WORD.findall(text)) > 1):
        return
    for found in part.find(rf"(?<![^\W\d]|[.&])[{alphabet}]{{2,5}}(?=s?(?!\w)|[\d₀-₉])"):
        word = found[0]
        is_code = len(word) == 2 and _CODE_DIGITS.match(text, found.end()) is not None
        is_spelled = is_code or _is_spelled(word, rules)
        if is_spelled and not _SMALL_NUMERAL.fullmatch(word) and not _among_capitals(text, *found.span(), rules):
            yield [Span(*found.span(), " ".join(letter_names(rules).get(letter, letter) for letter in word))]


def find_dotted(part: Part, rules: Rules) -> Iterator[Group]:
    """Capitals with a full stop after each, as letters; the last stop stays where the text ends. Also initials."""
    text = part.text
    if not rules.alphabet:
        return
    names = letter_names(rules)
    surname = rf"[{rules.alphabet}](?![{rules.alphabet}])[^\W\d_]"
    for found in part.find(rf"(?<![\w.])(?:[{rules.alphabet}]\.[ -]?){{2,4}}(?={surname})"):
        yield [
            Span(*found.span(), "".join(f"{names.get(letter, letter)} " for letter in found[0] if letter not in ". -"))
        ]
    for found in part.find(rf"(?<![\w.])(?:[{rules.alphabet}]\.){{2,6}}(?!\w)"):
        stop = "" if text[found.end() :].strip() else "."
        yield [Span(*found.span(), " ".join(names.get(letter, letter) for letter in found[0] if letter != ".") + stop)]


def _among_capitals(text: str, start: int, end: int, rules: Rules) -> bool:
    before, after = _WORD_BEFORE.search(text[max(0, start - 20) : start]), _WORD_AFTER.match(text[end : end + 20])
    return any(
        neighbour is not None and neighbour[0].isupper() and not _is_spelled(neighbour[0].strip(), rules)
        for neighbour in (before, after)
    )


def _is_spelled(word: str, rules: Rules) -> bool:
    return word in rules.spelled or word in _SPELLED or not any(letter in rules.vowels for letter in word)


@lru_cache(maxsize=32)
def letter_names(rules: Rules) -> dict[str, str]:
    return {letter: name.replace("_", " ") for letter, name in zip(rules.alphabet, rules.letters.split(), strict=False)}


def find_plurals(part: Part, rules: Rules) -> Iterator[Group]:
    for pattern, words in rules.plurals:
        for found in part.find(pattern):
            yield [Span(*found.span(), words)]
