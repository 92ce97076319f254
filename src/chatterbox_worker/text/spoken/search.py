"""Searches a part of a text for patterns without trying them where they cannot match.

A search tries its pattern at every character, which costs the same for a hundred patterns of which few match. So the
pattern's tree, from the parser of `re`, says three things of every match: strings of which the text must contain one,
characters with which it begins, and short strings with which it begins. All leave out only what the pattern itself
would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from itertools import chain, repeat
from typing import Any

Nodes = Sequence[tuple[Any, Any]]

_tree: Any = import_module("re._constants")  # private, so without types
_parser: Any = import_module("re._parser")

_DIGIT = "0"
"""In a set of first characters: a digit that follows no digit."""
_MOST_STRINGS = 16  # a search for more strings takes longer than one for the pattern
_LONGEST_RANGE = 32  # of letters: an alphabet
_SHORTEST, _LONGEST = 2, 3  # characters of a string with which a match begins: one is too frequent, more find no fewer


@dataclass(frozen=True, slots=True)
class _Plan:
    needed: tuple[frozenset[str], ...]
    """The text contains one string of each."""
    first: frozenset[str] | None
    """The characters with which a match begins; None: any."""
    strings: frozenset[str]
    """The strings with which a match begins; empty: any."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The text of one stretch, and which of its characters are taken by what was found."""

    text: str
    taken: bytearray
    _contains: dict[str, bool] = field(default_factory=dict)
    _places: dict[str | frozenset[str], list[int]] = field(default_factory=dict)

    def find(self, pattern: str) -> Iterator[re.Match[str]]:
        """The pattern's matches, as `re.finditer` has them, but those of which every character is taken."""
        plan = _plan(pattern)
        if not all(any(map(self._has, strings)) for strings in plan.needed):
            return
        for found in self._matches(compiled(pattern), plan):
            if self.taken.find(0, *found.span()) >= 0:
                yield found

    def take(self, start: int, end: int) -> bool:
        """Takes these characters; False if one of them is taken already."""
        if self.taken.find(1, start, end) >= 0:
            return False
        self.taken[start:end] = b"\1" * (end - start)
        return True

    def _matches(self, pattern: re.Pattern[str], plan: _Plan) -> Iterator[re.Match[str]]:
        if plan.strings:
            starts = sorted(chain.from_iterable(map(self._starts_of, filter(self._has, plan.strings))))
        elif plan.first is not None:
            starts = self._starts(plan.first)
        else:
            yield from pattern.finditer(self.text)
            return
        end = 0
        for found in filter(None, map(pattern.match, repeat(self.text), starts)):
            if found.start() >= end:
                yield found
                end = found.end()

    def _has(self, string: str) -> bool:
        if (known := self._contains.get(string)) is None:
            known = self._contains[string] = string in self.text
        return known

    def _starts_of(self, string: str) -> list[int]:
        if (places := self._places.get(string)) is None:
            places = self._places[string] = []
            place = self.text.find(string)
            while place >= 0:
                places.append(place)
                place = self.text.find(string, place + 1)
        return places

    def _starts(self, first: frozenset[str]) -> list[int]:
        if (places := self._places.get(first)) is None:
            if len(first) == 1:
                pattern = r"\d\d*" if _DIGIT in first else re.escape(*first)
                places = [found.start() for found in compiled(pattern).finditer(self.text)]
            else:
                known = (frozenset(char) for char in first if char == _DIGIT or self._has(char))
                places = sorted(chain.from_iterable(map(self._starts, known)))
            self._places[first] = places
        return places


@lru_cache(maxsize=8192)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@lru_cache(maxsize=8192)
def _plan(pattern: str) -> _Plan:
    parsed = _parser.parse(pattern)
    if parsed.state.flags & re.IGNORECASE:  # other letters match, too
        return _Plan((), None, frozenset())
    strings = _beginnings(parsed.data, _LONGEST)
    is_known = len(strings) <= _MOST_STRINGS and all(len(string) >= _SHORTEST for string in strings)
    return _Plan(tuple(_needed(parsed.data)), _first(parsed.data), strings if is_known else frozenset())


def _needed(nodes: Nodes) -> Iterator[frozenset[str]]:
    """Sets of strings: every match, with what the pattern looks at around it, contains one of each."""
    run = ""
    for kind, value in [*nodes, (None, None)]:
        if kind is _tree.LITERAL:
            run += chr(value)
            continue
        if run:
            yield frozenset({run})
        run = ""
        if kind is _tree.IN and all(each is _tree.LITERAL for each, _ in value):
            yield frozenset(chr(char) for _, char in value)
        elif kind is _tree.ASSERT:
            yield from _needed(value[1].data)
        elif len(ways := _ways(kind, value)) == 1:
            yield from _needed(ways[0])
        elif ways:
            best = [max(_needed(way), key=lambda each: min(map(len, each)), default=frozenset()) for way in ways]
            strings = frozenset[str]().union(*best)
            if all(best) and len(strings) <= _MOST_STRINGS:
                yield strings


def _first(nodes: Nodes, *, after_digit: bool = True) -> frozenset[str] | None:
    """The characters with which a match begins; None: any. `after_digit`: a digit may be before it."""
    if not nodes:
        return None
    (kind, value), rest = nodes[0], nodes[1:]
    if kind in (_tree.ASSERT, _tree.ASSERT_NOT, _tree.AT):
        return _first(rest, after_digit=after_digit and not _excludes_digit(kind, value))
    if kind in (_tree.LITERAL, _tree.IN):
        return _characters(value if kind is _tree.IN else nodes[:1], after_digit=after_digit)
    sets = [_first([*way, *rest], after_digit=after_digit) for way in _ways(kind, value)]
    known = [each for each in sets if each is not None]
    return frozenset[str]().union(*known) if known and len(known) == len(sets) else None


def _beginnings(nodes: Nodes, length: int) -> frozenset[str]:
    """Strings of at most `length` characters: every match begins with one, which lookaheads may have the end of.

    A string is shorter where it is not known what follows.
    """
    if not nodes or not length:
        return frozenset({""})
    (kind, value), rest = nodes[0], nodes[1:]
    if kind is _tree.ASSERT and value[0] > 0:
        ahead = _beginnings(value[1].data, length)
        return ahead if all(ahead) else _beginnings(rest, length)
    if kind in (_tree.ASSERT, _tree.ASSERT_NOT, _tree.AT):
        return _beginnings(rest, length)
    if kind is _tree.LITERAL or (kind is _tree.IN and all(each is _tree.LITERAL for each, _ in value)):
        chars = [value] if kind is _tree.LITERAL else [char for _, char in value]
        ends = _beginnings(rest, length - 1)
        return frozenset(chr(char) + end for char in chars for end in ends)
    is_repeated = kind in (_tree.MAX_REPEAT, _tree.MIN_REPEAT) and value[1] > 1
    strings: frozenset[str] = frozenset()
    for way in _ways(kind, value):
        strings |= _beginnings(way if way and is_repeated else [*way, *rest], length)
        if len(strings) > _MOST_STRINGS:
            break
    return strings or frozenset({""})


def _ways(kind: Any, value: Any) -> list[Nodes]:
    """The nodes that may stand in the place of a node; none for what is not known."""
    if kind is _tree.SUBPATTERN and not value[1]:  # no flags, which may mean other letters
        return [value[3].data]
    if kind in (_tree.MAX_REPEAT, _tree.MIN_REPEAT):
        return [value[2].data] if value[0] else [value[2].data, []]
    return [branch.data for branch in value[1]] if kind is _tree.BRANCH else []


def _excludes_digit(kind: Any, value: Any) -> bool:
    """Whether what looks backward finds no digit."""
    if kind is _tree.AT:
        return bool(value is _tree.AT_BOUNDARY)
    direction, inner = value
    if direction > 0 or not inner.data:
        return False
    name, members = inner.data[-1]
    if kind is _tree.ASSERT:
        return name is _tree.LITERAL and not chr(members).isdecimal()
    classes = [(_tree.CATEGORY, each) for each in (_tree.CATEGORY_DIGIT, _tree.CATEGORY_WORD)]
    is_class = len(inner.data) == 1 and name is _tree.IN and members[0][0] is not _tree.NEGATE
    return is_class and any(each in members for each in classes)


def _characters(members: Nodes, *, after_digit: bool) -> frozenset[str] | None:
    """The members of a class; None if a search for them stops too often: at a space or in every word."""
    chars: set[str] = set()
    for kind, value in members:
        if kind is _tree.LITERAL:
            chars.add(chr(value))
        elif kind is _tree.RANGE and value[1] - value[0] < _LONGEST_RANGE:
            chars.update(map(chr, range(value[0], value[1] + 1)))
        elif (kind, value) == (_tree.CATEGORY, _tree.CATEGORY_DIGIT):
            chars.add(_DIGIT)
        else:
            return None
    digits = set(filter(str.isdecimal, chars))
    is_common = any(char.isspace() or (char.isalpha() and not char.isupper()) for char in chars)
    if is_common or (digits and after_digit):
        return None
    return frozenset(chars - digits | ({_DIGIT} if digits else set()))
