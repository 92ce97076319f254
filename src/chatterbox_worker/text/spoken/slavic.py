"""What Polish and Russian share: patterns of places, and forms by case whose words are in tables.

Sources are those of `polish` and `russian`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chatterbox_worker.text.spoken import patterns

Cases = Iterable[tuple[str, str]]
"""Endings with what they add to the name of a rule set: ("a", "-genitive")."""

ALONE = r"(?<![\w.,:/-])(?<!\d )"
YEAR = r"(?<![\d.])(?P<y>1\d\d\d|20\d\d)"


def after(words: str, between: str = " ") -> str:
    """As `patterns.after`, of words that may also begin with a capital."""
    return patterns.after(*(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in words.split()), between=between)


def units_of_scales(scales: Iterable[str], units: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Forms of a unit after a thousand and the like: the genitive plural."""
    for scale in scales:
        for unit, words in units:
            yield rf"(?<={scale} ){unit}(?!\w)", words


def numbered_nouns(nouns: Mapping[str, tuple[str, str]], governors: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Forms of an abbreviated noun after a preposition and before a number.

    `nouns`: by their abbreviations what stays, and the ends by case, "-" for none; `governors`: a place of each case.
    """
    for short, (stem, endings) in nouns.items():
        for before, ending in zip(governors, endings.split(), strict=True):
            yield rf"{before}{short}\. ?(?=\d)", f"{stem}{ending.strip('-')} "


def rulers(*genders: tuple[str, str, Cases]) -> Iterator[tuple[str, str, str]]:
    """Roman numerals after a ruler's name in any case: (gender, names, cases)."""
    for gender, names, cases in genders:
        for ending, case in cases:
            yield patterns.regnal(f"(?:{names}){ending}"), f"ordinal-{gender}{case}", "{n}"


def numerals(roman: str, nouns: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Roman numerals before nouns: (alternatives, rule set)."""
    for names, rule_set in nouns:
        yield rf"(?<!\w){roman}(?= (?:{names})(?!\w))", rule_set, "{n}"
