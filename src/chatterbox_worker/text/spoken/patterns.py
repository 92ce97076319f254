"""Patterns that several languages' tables share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

WORD = r"\d_A-Za-zªµº\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u04ff"
"""For a character class: digits, and the letters of the scripts that always separate a number from a word. Those of the
others stand next to it: "と3つ", "و3", "3개".
"""

YEAR = r"(?<![\w.,/:$€£¥-])(?P<y>1[1-9]\d\d|20\d\d)(?![\w%°²³]|[.,:/]\d| ?[%°€$£]|-\d)"
"""A number of four digits that is read as a year: 1100 to 2099, neither part of another number nor an amount."""


@lru_cache(maxsize=256)
def alternatives(names: tuple[str, ...]) -> str:
    """Any of the names, longest first."""
    return "|".join(map(re.escape, longest_first(names)))


def longest_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=len, reverse=True)


def weekdays(names: Mapping[str, str], to: str, *, after: str = r"\d", mark: str = ":?") -> tuple[tuple[str, str], ...]:
    """Forms of the days' short names before a dash with another day, or before a time: "Mon-Fri 9-17".

    `after`: a pattern of how a time begins; `mark`: of what may stand between the name and the space before it.
    """
    short = rf"(?i:{'|'.join(names)})\.?(?=[ ,:]|[-–]\w|$)"
    behind, stopped = ("|".join(rf"(?<=(?i:{name}{stop}))" for name in names) for stop in ("", r"\."))
    return (
        *((rf"(?<!\w)(?i:{name})\.?(?= ?[-–] ?{short}|{mark} (?:{after}))", words) for name, words in names.items()),
        (rf"(?=[ –-])(?:{behind}) ?[-–] ?(?={short})", to),
        (rf"(?=[ –-])(?:{stopped}) ?[-–] ?(?={short})", f" {to}"),
    )


def months_in_short(names: Mapping[str, str], link: str = " ") -> tuple[tuple[str, str], ...]:
    """Abbreviations of the months after a day: with a full stop, or before a year. `link`: what may stand between."""
    behind = "|".join(rf"(?<=\d{each})" for each in dict.fromkeys((" ", link)))
    return tuple(
        (rf"(?:{behind}){short}{stop}", f"{long}{end}")
        for short, long in names.items()
        for stop, end in ((r"\.", "."), (r"(?= (?:19|20)\d\d(?!\w))", ""))
    )


def parts_of(nouns: str, quarter: str, quarters: str, third: str, thirds: str) -> tuple[tuple[str, str], ...]:
    """Forms of a fraction alone before one of these nouns, with the word that links them: "tres cuartos de taza"."""
    parts = {"1/4|¼": quarter, "3/4|¾": quarters, "1/3|⅓": third, "2/3|⅔": thirds}
    return tuple((rf"(?<![\d.,/\w])(?<!\d )(?:{part})(?= (?:{nouns}))", words) for part, words in parts.items())


def power(words: str) -> tuple[str, str]:
    """A form of a power, "10^6" or "x ^ 2", whose words follow its base; "{n}" is the exponent."""
    base = r"(?:(?<![\d.])(?P<a>\d+)|(?<![A-Za-z\d.])(?P<b>[A-Za-z]))"
    return rf"{base}(?: \^ |\^)(?P<n>\d+)(?!\d|\.\d)", f"{{a}}{{b}}{words}"


def compared(words: Mapping[str, str], amounts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Forms of a comparison whose words follow its number, which ends the phrase: "x < 5", "(≥ 10%)".

    `words`: by marks, alternatives of a pattern; `amounts`: by what follows the number, with its words.
    """
    before, end = r"(?:(?<=[\w)] )|(?<![^\s(,;:]))", r"(?= ?(?:[,;:)।]|\.(?!\d)|\n|$))"
    return tuple(
        (rf"{before}(?:{mark}) ?(?P<n>\d[\d,]*(?:\.\d+)?){unit}{end}", f"{amount} {word}")
        for mark, word in words.items()
        for unit, amount in amounts.items()
    )


def after(*words: str, between: str = " ") -> str:
    """A place directly after one of these words and what stands `between`; each word is a pattern of one length."""
    behind = (rf"(?<=\b{word}{between})" for word in words)
    return f"(?:{'|'.join(behind)})"


def years_before(era: str, to: str) -> tuple[str, str]:
    """A form of the dash between two years of an era that counts backwards: "384-322 BC" is no score."""
    return rf"(?<!\d)\d{{1,4}}(?P<all> ?[–-] ?)(?=\d{{1,4}} ?(?:{era}))", f" {to} "


def without_spaces(table: Mapping[str, str]) -> dict[str, str]:
    """The table, and its abbreviations of several parts ("z. B.") also without the spaces between them ("z.B.")."""
    return {**{name.replace(". ", "."): words for name, words in table.items()}, **table}


_PRONOUN = r"I(?! [a-z])"  # "the part I played", "Peter I think"; "Elizabeth I was" is left as written, too


def roman_after(words: str, *, one: str = "I") -> str:
    """A Roman numeral after one of these words; no single C, D, L or M, which are letters: "Type C".

    `one`: the pattern of "I".
    """
    return rf"(?<!\w)(?:{words}) (?P<r>[IVXLC]{{2,}}|[VX]|{one})(?!\w)"


def roman_after_english(words: str) -> str:
    """The same for English, where "I" is a pronoun, too."""
    return roman_after(words, one=_PRONOUN)


def regnal(names: str, *, one: str = "I") -> str:
    """A Roman numeral after one of these names of rulers and popes, with a full stop that marks it as ordinal."""
    return rf"(?<!\w)(?:{names}) (?P<all>(?P<r>[IVX]{{2,}}|[VX]|{one})(?:\.(?= [^\W\dA-ZÀ-Þ]| \(|[,;:)]))?)(?!\w)"


def regnal_english(names: str) -> str:
    """The same for English."""
    return regnal(names, one=_PRONOUN)
