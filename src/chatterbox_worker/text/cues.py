"""Captions' cues from timed words: at most two lines of 42 characters and 7 s each, cut at sentences and clauses. Pure.

The limits are the usual ones of subtitling (EBU-TT, the BBC's and Netflix's guides). A cut anywhere but at the end of a
sentence has a price, and so has every cue; the cheapest cut of a whole chunk is found by dynamic programming, in time
linear in its words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from chatterbox_worker.text.breaks import Break, breaks
from chatterbox_worker.text.scripts import clusters, weight

LINE_CHARS = 42
LONGEST_S = 7.0
_SHORTEST_S = 1.0  # less is hard to read

_CUE_COST = 3.0
_SHORT_COST = 2.0
_END_COST = {
    Break.PARAGRAPH: 0.0, Break.SENTENCE: 0.0, Break.LINE: 0.0, Break.CLAUSE: 1.0, Break.WORD: 4.0, Break.CLUSTER: 12.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word without the white space around it."""

    text: str
    spaced: bool
    """Whether a space is written after it."""
    after: Break
    """What ends with it."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Cue:
    lines: tuple[str, ...]
    """One or two, of at most `LINE_CHARS` characters."""
    start_s: float
    end_s: float
    speaker: str | None = None
    """Who says it, where several speak."""


def share_time(text: str, start_s: float, end_s: float, language: str | None = None) -> list[TimedWord]:
    """The words of a text that is spoken in this time, each with a share by the length of its characters."""
    found = breaks(text, language) | {len(text): Break.PARAGRAPH}
    words: list[tuple[str, bool, Break]] = []
    for before, index in pairwise([0, *sorted(found)]):
        if word := text[before:index].strip():
            words.append((word, text[index : index + 1].isspace(), found[index]))
        elif words:  # a stronger break in the white space after the word
            words[-1] = (*words[-1][:2], max(words[-1][2], found[index]))
    return _share(words, start_s, end_s)


def with_times(text: str, times: Sequence[tuple[int, float, float]], language: str | None) -> list[TimedWord]:
    """The whole text in words that begin at these indices and are spoken from one time to another, in seconds.

    What is written between two words belongs to the first.
    """
    found = breaks(text, language) | {len(text): Break.PARAGRAPH}
    begins = [0, *(index for index, _, _ in times[1:]), len(text)]
    words = []
    for (begin, end), (_, start_s, end_s) in zip(pairwise(begins), times, strict=True):
        part = text[begin:end]
        after = max(found.get(index, Break.CLUSTER) for index in range(begin + len(part.rstrip()), end + 1))
        words.append(TimedWord(" ".join(part.split()), part != part.rstrip(), after, start_s, end_s))
    return words


def cues(words: Sequence[TimedWord]) -> list[Cue]:
    """The words in cues, in order; a word that lasts longer than a cue may is shown from its start."""
    words = [part for word in words for part in _within_a_line(word)]
    columns = _Columns(words)
    best: list[tuple[float, int]] = [(0.0, 0)]  # the cost of the first n words, and where their last cue begins
    for end in range(1, len(words) + 1):
        best.append(min((best[start][0] + _cost(words, start, end), start) for start in _starts(words, columns, end)))
    starts = [len(words)]
    while starts[-1]:
        starts.append(best[starts[-1]][1])
    return [_cue(words, columns, *span) for span in pairwise(reversed(starts))]


class _Columns:
    """How wide words are in one line."""

    def __init__(self, words: Sequence[TimedWord]) -> None:
        self._begin = list(accumulate((len(word.text) + word.spaced for word in words), initial=0))
        self._end = [0, *(begin + len(word.text) for begin, word in zip(self._begin, words, strict=False))]

    def width(self, start: int, end: int) -> int:
        return self._end[end] - self._begin[start]

    def fit(self, start: int, end: int) -> bool:
        return self.width(start, end) <= LINE_CHARS

    def longest_line(self, start: int, end: int) -> int:
        """The end of the longest line from `start` on."""
        return bisect_right(self._end, self._begin[start] + LINE_CHARS, start + 1, end + 1) - 1


def _starts(words: Sequence[TimedWord], columns: _Columns, end: int) -> Iterator[int]:
    """Where a cue may begin that ends here: the last word alone, or more of them that fit."""
    yield end - 1
    for start in range(end - 2, -1, -1):
        lasts_s = words[end - 1].end_s - words[start].start_s
        second = columns.longest_line(start, end)
        if lasts_s > LONGEST_S or (second < end and not columns.fit(second, end)):
            return
        yield start


def _share(words: Sequence[tuple[str, bool, Break]], start_s: float, end_s: float) -> list[TimedWord]:
    ends = list(accumulate((sum(map(weight, word)) + spaced for word, spaced, _ in words), initial=0.0))
    times = [start_s + (end_s - start_s) * end / ends[-1] for end in ends[:-1]] + [end_s]
    return [TimedWord(*word, *time) for word, time in zip(words, pairwise(times), strict=True)]


def _within_a_line(word: TimedWord) -> list[TimedWord]:
    """The word, in parts if it is longer than a line; a grapheme cluster is only cut if it is longer itself."""
    if len(word.text) <= LINE_CHARS:
        return [word]
    parts, begin = [], 0
    places = clusters(word.text)
    while begin < len(word.text):
        fitting = [place for place in places if begin < place <= begin + LINE_CHARS]
        end = fitting[-1] if fitting else min(begin + LINE_CHARS, len(word.text))
        is_last = end == len(word.text)
        parts.append((word.text[begin:end], word.spaced and is_last, word.after if is_last else Break.CLUSTER))
        begin = end
    return _share(parts, word.start_s, word.end_s)


def _cost(words: Sequence[TimedWord], start: int, end: int) -> float:
    is_short = words[end - 1].end_s - words[start].start_s < _SHORTEST_S
    return _CUE_COST + _END_COST[words[end - 1].after] + (_SHORT_COST if is_short else 0.0)


def _cue(words: Sequence[TimedWord], columns: _Columns, start: int, end: int) -> Cue:
    second = end if columns.fit(start, end) else _second_line(words, columns, start, end)
    lines = tuple(_line(part) for part in (words[start:second], words[second:end]) if part)
    return Cue(lines, words[start].start_s, min(words[end - 1].end_s, words[start].start_s + LONGEST_S))


def _second_line(words: Sequence[TimedWord], columns: _Columns, start: int, end: int) -> int:
    """Where the second line begins: after a clause, or about in the middle."""

    def cost(index: int) -> float:
        uneven = abs(columns.width(start, index) - columns.width(index, end)) / LINE_CHARS
        return _END_COST[words[index - 1].after] / _END_COST[Break.WORD] + uneven

    fitting = (index for index in range(start + 1, end) if columns.fit(start, index) and columns.fit(index, end))
    return min(fitting, key=cost)


def _line(part: Sequence[TimedWord]) -> str:
    return "".join(word.text + " " * word.spaced for word in part).rstrip(" ")
