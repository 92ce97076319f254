"""How much of a text is in a transcript: word errors, after both are read by the same rules.

A recogniser writes digits or words as it likes, and punctuation and capitals by its own taste: so both sides are put in
words by `text.spoken`, and letters are compared without case, accents and points. Two words written as one, or the
reverse, are no error, nor is a word that sounds alike: recognisers mishear names and unusual voices, and what a model
does wrong is to leave words out, repeat them and say other ones. Chinese, Japanese and Korean are compared by
characters, Japanese in kana.

Limit: simplified and traditional Chinese characters differ.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from chatterbox_worker.catalogue import NORMALIZED
from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.scripts import tags
from chatterbox_worker.text.spoken.forms import add_spoken_forms

FREE_ERRORS = 1
"""One wrong word alone proves nothing: recognisers know few names, and a short text has few words."""

MOST_MISSING = 2
"""So many words in a row may be absent: recognisers drop one or two.

Of 22 recordings of real readers without three words in a row 19 fail so, and 5 by the share of wrong words; without
five words 21 and 9; of 76 good takes none. Measured with Whisper base.
"""

_SHORTEST, _LONGEST = 0.78, 1.25
"""Of a text's letters. Of 200 good takes of the preview 197 are between them; without a third of its words a take has
about two thirds."""

_LEAST_LETTERS = 3
_BY_CHARACTER = frozenset({"ja", "ko", "zh"})
_CLOCK = re.compile(r"\b(\d{1,2})\.(\d{2})(?=\s?[ap]\.?m\b)")
"""Whisper writes 12:30 p.m. as "12.30 pm"."""
_kana_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class WordErrors:
    errors: int
    words: int
    """Of the text; at least 1."""
    missing: int = 0
    """The longest run of words of the text for which there is nothing, or less than half as much."""

    @property
    def rate(self) -> float:
        """0 if all words are right; above 1 if there are more errors than words."""
        return self.errors / self.words

    def exceeds(self, most: float) -> bool:
        """Whether a passage is missing, or the rate is above `most`, by more than one word or with no word right.

        A bound of 1 accepts everything.
        """
        if self.missing > MOST_MISSING and most < 1:
            return True
        return self.rate > most and (self.errors > FREE_ERRORS or self.rate >= 1)


def compare(texts: Iterable[str], transcript: str, language: str) -> WordErrors:
    """The errors of a transcript by the nearest of several spellings of its text ("Nguyen", "win")."""
    got = words_of(transcript, language)
    spellings = [words for text in texts if (words := words_of(text, language))]
    found = []
    for words in spellings:
        errors, missing = align(words, got)
        found.append(WordErrors(errors, len(words), 0 if language[:2] in _BY_CHARACTER else missing))
    return min(found, key=lambda each: each.rate, default=WordErrors(len(got), 1))


def has_length_of(texts: Iterable[str], transcript: str, language: str) -> bool:
    """Whether a transcript has about as many letters as a spelling of its text: other words, but none missing."""
    got = sum(map(len, words_of(transcript, language)))
    lengths = [sum(map(len, words_of(text, language))) for text in texts]
    return any(_SHORTEST * length <= got <= _LONGEST * length for length in lengths if length)


def words_of(text: str, language: str) -> list[str]:
    """The words of a text as they are compared, numbers and the like in words; in some languages, its characters."""
    for start, end in reversed(list(tags(text))):
        text = text[:start] + text[end:]
    language = language[:2]
    spoken = read_in_words(_CLOCK.sub(r"\1:\2", text).strip() or " ", language)
    if language == "ja":
        spoken = _in_kana(spoken)
    letters = "".join(c for c in unicodedata.normalize("NFKD", spoken.casefold()) if unicodedata.category(c) != "Mn")
    found = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", letters))
    return list("".join(found)) if language in _BY_CHARACTER else found


def read_in_words(text: str, language: str) -> str:
    """The text with numbers, dates, units and the like as they are read."""
    return add_spoken_forms(as_written(text, language), frozenset(NORMALIZED), keeps_case=False).spoken(0, len(text))


def align(expected: Sequence[str], got: Sequence[str]) -> tuple[int, int]:
    """Levenshtein's distance in words, and the longest run of expected words that are missing (`WordErrors`).

    Words that sound alike are equal, and two that are written as one. Between two words that are right, what is missing
    are the expected words less those that are there instead, if these are not more than the rest.
    """
    steps = _steps(expected, got)
    i, j, longest, lost, instead = len(expected), len(got), 0, 0, 0
    while i or j:
        _, is_right, before_i, before_j = steps[i][j]
        if is_right:
            longest, lost, instead = max(longest, _missing(lost, instead)), 0, 0
        else:
            lost, instead = lost + i - before_i, instead + j - before_j
        i, j = before_i, before_j
    return steps[-1][-1][0], max(longest, _missing(lost, instead))


def _missing(lost: int, instead: int) -> int:
    return lost - instead if lost >= 2 * instead else 0


def _steps(expected: Sequence[str], got: Sequence[str]) -> list[list[tuple[int, bool, int, int]]]:
    """Of the first i words and the first j: the distance, and whether the last step is right, and where it began."""
    steps = [[(j, False, 0, max(0, j - 1)) for j in range(len(got) + 1)]]
    for i, one in enumerate(expected, 1):
        row = [(i, False, i - 1, 0)]
        for j, two in enumerate(got, 1):
            is_alike = sounds_like(one, two)
            ways = [
                (steps[i - 1][j - 1][0] + (not is_alike), is_alike, i - 1, j - 1),
                (steps[i - 1][j][0] + 1, False, i - 1, j),
                (row[j - 1][0] + 1, False, i, j - 1),
            ]
            if i > 1 and expected[i - 2] + one == two:
                ways.append((steps[i - 2][j - 1][0], True, i - 2, j - 1))
            if j > 1 and got[j - 2] + two == one:
                ways.append((steps[i - 1][j - 2][0], True, i - 1, j - 2))
            row.append(min(ways, key=lambda way: (way[0], not way[1])))
        steps.append(row)
    return steps


def _in_kana(text: str) -> str:
    converter = _kana()
    with _kana_lock:  # the converter keeps state while it works
        return "".join(part["hira"] for part in converter.convert(text))


@lru_cache(maxsize=65_536)
def sounds_like(one: str, two: str) -> bool:
    """Whether a recogniser may have taken one word for the other: half of the letters of the longer one, or fewer, must
    be added, left out or replaced. A word of one or two letters must be the same.
    """
    if one == two:
        return True
    longer = max(len(one), len(two))
    most = longer // 2
    if (
        longer < _LEAST_LETTERS
        or longer - min(len(one), len(two)) > most
        or len(set(one) & set(two)) * 2 < len(set(one))
    ):
        return False
    return _distance(one, two) <= most


def _distance(one: str, two: str) -> int:
    """Levenshtein's distance in letters."""
    row = list(range(len(two) + 1))
    for i, letter in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(two, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (letter != other))
    return row[-1]


@cache
def _kana() -> Any:
    import pykakasi  # noqa: PLC0415 - loads its dictionary

    return pykakasi.kakasi()
