"""Arithmetic and chemistry: raised and lowered digits, powers, the marks of an equation, and compounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import digit

from chatterbox_worker.text.reading import Span
from chatterbox_worker.text.spoken.numerals import Group, say, say_written
from chatterbox_worker.text.spoken.patterns import WORD
from chatterbox_worker.text.spoken.rules import Rules
from chatterbox_worker.text.spoken.search import Part
from chatterbox_worker.text.spoken.words import join_prefix, letter_names

# "x⁵", "10⁻⁶"; after a word it is the mark of a footnote. Squares and cubes are symbols, or part of a unit.
_RAISED = (
    r"(?:(?<=[\d)])|(?<=[A-Za-z])(?<![^\W\d_]{2}))(?![²³](?![⁰¹²³⁴-⁹]))"
    r"(?P<sign>[⁺⁻]?)(?P<n>[⁰¹²³⁴-⁹]{1,15})(?![⁰¹²³⁴-⁹])"
)
# "10^-3", "3x^2"
_POWER = (
    r"(?:(?<=[\d)])|(?<=[A-Za-z])(?<![^\W\d_]{3}))(?: \^ |\^)(?P<sign>[-−]?)(?P<n>\d{1,4}(?:[.,]\d{1,3})?)(?![\d^])"
)
_LOWERED = r"(?:(?<=[^\W\d_])|(?<=\)))[₀-₉]{1,15}(?![₀-₉])"  # "CO₂"
_POWER_OF_TEN = r"(?<![\w.,])(?P<n>\d(?:[.,]\d+)?)[eE](?P<sign>[-+−]?)(?P<power>\d{1,3})(?![\w.])"
_OPERAND = r"[-−]?(?:(?:0|[1-9]\d*)(?:[.,]\d+)*(?!\d)[a-z]?|\.\d+|[A-Za-z]{1,2})(?:[²³]|\^\d+)?(?:\([a-z\d]\))?"
_MARK = r"[!<>=]=|[-+*/×·÷−–=≠≈<>≤≥≦≧]"
_EQUATION = rf"(?<![{WORD}.,<]){_OPERAND}(?: ?(?:{_MARK}) ?{_OPERAND})+(?![{WORD}])"
_RELATION = re.compile(r"[=≠≈≤≥≦≧]| [<>] |\^\d")  # or a power
_MARKS = re.compile(rf"(?<=[^\s=≠≈<>≤≥≦≧+*/×·÷–-]) ?(?P<mark>{_MARK}) ?")
_SAME = {
    "-": "−", "–": "−", "*": "×", "·": "×", "/": "÷", "!=": "≠", "==": "=", "<=": "≤", ">=": "≥", "≦": "≤", "≧": "≥",
}  # fmt: skip


_ELEMENTS = (
    "A[cglmrstu]|B[aehikr]?|C[adeflmnorsu]?|D[bsy]|E[rsu]|F[elmr]?|G[ade]|H[efgos]?|I[nr]?|Kr?|L[airuv]|M[cdgnot]|"
    "N[abdeihop]?|O[gs]?|P[abdmortu]?|R[abefghnu]|S[bcegimnr]?|T[abcehilm]|U|V|W|Xe|Yb?|Z[nr]"
)
_COMPOUND = (
    rf"(?<![{WORD}.@#/-])(?=[A-Za-z]*\d|NaCl(?!\w)|NaOH(?!\w)|HCl(?!\w)|KCl(?!\w)|KOH(?!\w))"
    rf"(?:(?:{_ELEMENTS})\d{{0,2}}){{2,8}}"
    rf"(?![{WORD}@]|-\d)"
)
_MIXED = re.compile(r"[a-z]|\d[A-Z]{2}|[A-Z]{2}\d+[A-Z]|(?:CO|SO|NO|PO|NH|CH)\d$")
"""What of a compound no code has: a symbol of two letters, or two elements next to the digit of another."""


def find_formulas(part: Part, rules: Rules) -> Iterator[Group]:
    yield from _lowered(part, rules)
    yield from _chemical(part, rules)
    yield from _powers(part, rules)
    gap = " " if rules.spaced else ""
    for found in part.find(_EQUATION) if _RELATION.search(part.text) else ():
        if _RELATION.search(found[0]):
            for mark in _MARKS.finditer(part.text, found.start() + 1, found.end()):
                if words := rules.symbols.get(_SAME.get(mark["mark"], mark["mark"])):
                    yield [join_prefix(part.text, Span(*mark.span(), f"{gap}{words}{gap}"))]


def _chemical(part: Part, rules: Rules) -> Iterator[Group]:
    """The letters and numbers of a compound: "Na2SO4"."""
    names, gap = letter_names(rules), " " if rules.spaced else ""
    for found in part.find(_COMPOUND):
        if _MIXED.search(found[0]):
            parts = re.findall(r"\d+|[A-Za-z]", found[0])
            words = (
                say(int(each), rules) if each.isdecimal() else names.get(each.upper(), each.upper()) for each in parts
            )
            yield [Span(*found.span(), gap.join(words))]


def _powers(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    raised, minus, times = rules.between.get("^"), rules.symbols.get("−"), rules.symbols.get("×")
    if not raised or not minus or not times or not rules.spaced:
        return
    for found in part.find(_RAISED):
        power = f"{minus} " if found["sign"] == "⁻" else ""
        yield [_apart(text, *found.span(), f"{raised} {power}{say(_value(found['n']), rules)}", rules)]
    for found in part.find(_POWER):
        power = f"{minus} " if found["sign"] else ""
        short = rules.symbols.get({"2": "²", "3": "³"}.get(power + found["n"], ""))
        yield [_apart(text, *found.span(), short or f"{raised} {power}{say_written(found['n'], rules)}", rules)]
    for found in part.find(_POWER_OF_TEN):
        power = f"{minus} " if found["sign"] in ("-", "−") else ""
        number, ten = say_written(found["n"], rules), say(10, rules)
        yield [Span(*found.span(), f"{number} {times} {ten} {raised} {power}{say(int(found['power']), rules)}")]


def _lowered(part: Part, rules: Rules) -> Iterator[Group]:
    text = part.text
    for found in part.find(_LOWERED):
        yield [_apart(text, *found.span(), say(_value(found[0]), rules), rules)]


def _apart(text: str, start: int, end: int, words: str, rules: Rules) -> Span:
    """The words with a space before them, and one after them if text follows."""
    after = " " if text[end : end + 1].isalnum() else ""
    return Span(start, end, f" {words}{after}" if rules.spaced else words)


def _value(digits: str) -> int:
    return int("".join(str(digit(each)) for each in digits))
