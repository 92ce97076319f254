"""Words that are read otherwise than they are written, as a request or a lexicon says.

- A word is found as a whole: not inside a longer word, but before "'s" or a hyphen. In scripts without spaces (Han,
  kana, Thai and its neighbours) it is found anywhere, and a Korean word of two syllables or more before a particle.
- The longest entry wins, and of two equally long the one in the text's own capitals.
- An entry in small letters is found in any capitals. One with a capital letter is found as it is written, and in
  capitals throughout ("NGUYEN" in a heading), so that "Polish" and "polish", or "US" and "us", are different words.
- An entry that is read as it is written protects a word from every other rule; one that is read as "" is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from chatterbox_worker.text.normalise import one_line
from chatterbox_worker.text.reading import Reading, Span, free_parts
from chatterbox_worker.text.scripts import tags

_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"  # Thai and Lao, Burmese, Khmer, kana and Han
)
_IS_HANGUL = re.compile(f"[{_HANGUL}]")
_HANGUL_NAME = re.compile(f"[{_HANGUL}]{{2,}}$")
_NEGATION = re.compile(r"['’]t(?!\w)", re.IGNORECASE)  # "don't" is not "don"
_DOTS = {"i": "İ", "ı": "I"}  # Turkish capitals, which Unicode's own rules do not pair

Entries = Mapping[str, str]
"""From a word as it is written to what is read for it."""


class Pronunciations:
    """Entries, prepared for finding them: in linear time, whatever their number."""

    def __init__(self, entries: Entries) -> None:
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        variants: dict[str, str] = {}
        for written, given in entries.items():
            word, spoken = one_line(written), one_line(given)
            for form in _compositions(word) - {""}:
                self._exact[form] = spoken
                if word == word.lower():
                    self._folded[_fold(form)] = spoken
                variants[form.upper()] = spoken
                variants[_DOTS.get(form[:1], form[:1]) + form[1:]] = spoken
        self._exact = variants | self._exact
        self._lengths = _lengths_by_first([*self._exact, *self._folded])

    def find(self, source: Source, start: int, end: int) -> Iterator[Span]:
        """The entries in `source.text[start:end]`, in order, without overlap."""
        place = source.edges.find(1, start, end)
        while place >= 0:
            stop = place + 1
            for length in self._lengths.get(source.folded[place], ()):
                spoken = self._look_up(source, place, place + length) if place + length <= end else None
                if spoken is not None:
                    stop = place + length
                    yield Span(place, stop, spoken)
                    break
            place = source.edges.find(1, stop, end)

    def _look_up(self, source: Source, start: int, stop: int) -> str | None:
        word = source.text[start:stop]
        if not source.edges[stop] and not (_HANGUL_NAME.search(word) and _IS_HANGUL.match(source.text[stop])):
            return None
        spoken = self._exact.get(word)
        return self._folded.get(source.folded[start:stop]) if spoken is None else spoken


@dataclass(frozen=True, slots=True)
class Source:
    """A cleaned text, prepared for finding words in it; all three parts have the same indices."""

    text: str
    """With a space for every line break."""
    folded: str
    """In small letters."""
    edges: bytearray
    """1 where a word may begin or end: one more than the text has characters."""

    @classmethod
    def of(cls, text: str) -> Source:
        spaced = text.replace("\n", " ")
        return cls(spaced, _fold(spaced), _edges(spaced))


def add_pronunciations(reading: Reading, sources: Sequence[Callable[[str], Pronunciations]]) -> Reading:
    """The reading with the entries of each source for a stretch's language; an earlier source wins, as do the
    reading's own spans.
    """
    if not sources:
        return reading
    text = Source.of(reading.text)
    for entries_for in sources:
        found = [
            span
            for stretch in reading.stretches
            for start, end in free_parts(stretch.start, stretch.end, reading.spans_in(stretch.start, stretch.end))
            for span in entries_for(stretch.language).find(text, start, end)
        ]
        spans = sorted([*reading.spans, *found], key=lambda span: span.start)
        reading = replace(reading, spans=tuple(spans))
    return reading


def _compositions(word: str) -> set[str]:
    """The same word with its accents composed and decomposed: a text may have either."""
    return {word, unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)}


def _lengths_by_first(words: Sequence[str]) -> dict[str, list[int]]:
    """By their first character, the lengths that words have, the longest first."""
    lengths: dict[str, set[int]] = {}
    for word in words:
        lengths.setdefault(_fold(word[0]), set()).add(len(word))
    return {first: sorted(of_it, reverse=True) for first, of_it in lengths.items()}


def _fold(text: str) -> str:
    """Small letters, character by character: the length stays the same. A final sigma is a sigma."""
    lowered = text.lower()
    if len(lowered) != len(text):  # "İ" has two characters in small letters
        lowered = "".join(small if len(small := each.lower()) == 1 else each for each in text)
    return lowered.replace("ς", "σ")


def _edges(text: str) -> bytearray:
    edges = bytearray(b"\1" * (len(text) + 1))
    last = ""
    for index, character in enumerate(text):
        kind = _kind(character)
        if kind == "mark":  # belongs to the character before it
            edges[index] = index == 0
            continue
        edges[index] = not (kind == last and kind in ("spaced", "hangul"))
        last = kind
    for negation in _NEGATION.finditer(text):
        edges[negation.start() : negation.end()] = bytes(2)
    for start, end in tags(text):
        edges[start + 1 : end] = bytes(end - start - 1)
    return edges


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    if unicodedata.category(character).startswith("M"):
        return "mark"
    if not character.isalnum():
        return ""
    if _UNSPACED.match(character):
        return "unspaced"
    return "hangul" if _IS_HANGUL.match(character) else "spaced"
