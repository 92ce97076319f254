"""Cuts the reading of a cleaned text into chunks that a model generates in one run.

Why cut at all: the models drift beyond about 300 characters (25 to 30 s) and stop at 1000 tokens (40 s). Why not at
every sentence: a chunk of one or two words becomes gibberish, and the device is used best by 8 to 20 s of speech at a
time.

The laws, for the `text` of a reading, from `normalise.clean`:
- `text[chunk.start:chunk.end] == chunk.text`, in order, without overlap, and `chunk.spoken` is what is read for it.
- Between chunks there is only white space. The one exception is a run of marks without a letter or digit that is longer
  than a third of the limit, such as a drawn line: the part of it that fits no chunk is left out. Nothing speakable is.
- No chunk is longer than the limit, as it is read, and each has a letter or digit to be read. The one exception is a
  single span that is read longer than the limit: it is a chunk of its own.
- No chunk cuts a span or crosses the edge of a stretch.

How: the text is cut into pieces that fit: sentences, then clauses, words and characters, each only if the larger unit
is too long. Of all partitions into chunks the cheapest is taken, as in breaking a paragraph into lines (Knuth and
Plass, 1981): few chunks, of even length, ending where a reader would pause, within one paragraph, none tiny.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import accumulate
from types import MappingProxyType

from chatterbox_worker.audio.join import (
    CLAUSE_PAUSE_S,
    LINE_PAUSE_S,
    NO_PAUSE_S,
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
)
from chatterbox_worker.text.breaks import Break, breaks, opens
from chatterbox_worker.text.reading import Reading, Span, Stretch
from chatterbox_worker.text.scripts import clusters, require_speakable, speakable, weight

DEFAULT_CHUNK_CHARS = 240
"""16 s at 15 characters a second, the pace of read English. A slow voice (10 a second) stays below 25 s, where the
models begin to drift."""
MIN_CHUNK_CHARS = 50
"""Lowest limit: it must fit the longest sound tag and still allow a choice of where to cut."""

_SHORT = 20.0  # Latin letters, 1.3 s: about the two words below which upstream's issues #97 and #201 report gibberish

# Costs, in chunks: one chunk costs 1, and up to 1 more for its unused part, squared, which evens out the lengths.
_END_COST = {
    Break.PARAGRAPH: 0.0, Break.SENTENCE: 0.0, Break.LINE: 0.25, Break.CLAUSE: 0.5, Break.WORD: 2.0, Break.CLUSTER: 4.0,
}  # fmt: skip
_ACROSS_PARAGRAPHS = 2.5  # more than joining two chunks can save, less than a short chunk costs
_UNDER_HEADING = 2.0  # a short line without a full stop is better joined to the text after it
_SHORT_COST = 8.0


class Pause(IntEnum):
    """The pause after a chunk, from none to the longest silence."""

    NONE = 0
    CLAUSE = 1
    LINE = 2
    SENTENCE = 3
    PARAGRAPH = 4


PAUSES_S: Mapping[Pause, float] = MappingProxyType(
    {
        Pause.NONE: NO_PAUSE_S,
        Pause.CLAUSE: CLAUSE_PAUSE_S,
        Pause.LINE: LINE_PAUSE_S,
        Pause.SENTENCE: SENTENCE_PAUSE_S,
        Pause.PARAGRAPH: PARAGRAPH_PAUSE_S,
    }
)

_PAUSES = {
    Break.CLUSTER: Pause.NONE,
    Break.WORD: Pause.NONE,
    Break.CLAUSE: Pause.CLAUSE,
    Break.LINE: Pause.LINE,
    Break.SENTENCE: Pause.SENTENCE,
    Break.PARAGRAPH: Pause.PARAGRAPH,
}


@dataclass(frozen=True, slots=True)
class Chunk:
    text: str
    start: int
    """Index into the cleaned text."""
    end: int
    """Index into the cleaned text, exclusive."""
    pause: Pause
    """After this chunk; NONE after the last."""
    spoken: str
    """What is read for the text."""
    language: str
    """Of its stretch."""
    exact_pause_s: float | None = None
    """Seconds of silence after this chunk, in place of those of `pause`; it may be the last chunk."""
    lead_pause_s: float = 0.0
    """Seconds of silence before the first chunk."""
    voice: str | None = None
    """Of its stretch."""
    rate: float = 1.0
    """Of its stretch."""
    turn: int = 0
    """The index of its turn in a dialogue."""
    left_out: str = ""
    """The letters, digits and symbols of `spoken` that the model cannot speak, each once."""

    @property
    def audible(self) -> str:
        """`spoken` with a space for each character that the model cannot speak."""
        return self.spoken.translate(dict.fromkeys(map(ord, self.left_out), " "))

    def pause_s(self, speed: float = 1.0, pauses_s: Mapping[Pause, float] = PAUSES_S) -> float:
        """The silence after this chunk in seconds, at this speed of speech; `pauses_s` are those at speed 1."""
        return pauses_s[self.pause] / speed if self.exact_pause_s is None else self.exact_pause_s


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the text that is not cut again, with the break after it."""

    start: int
    end: int
    after: Break


@dataclass(frozen=True, slots=True)
class _Measure:
    """The text with running totals, so that the weight of any part is known in one step.

    A span counts at its first character with what is read for it.
    """

    text: str
    weights: list[float]
    speakable_counts: list[int]
    spans: Mapping[int, Span]
    """By their first character."""
    inside: frozenset[int]
    """The indices inside a span, where no chunk may end."""

    @classmethod
    def of(cls, reading: Reading) -> _Measure:
        weights, counts = list(map(weight, reading.text)), list(map(speakable, reading.text))
        for span in reading.spans:
            size = span.end - span.start
            weights[span.start : span.end] = [sum(map(weight, span.spoken))] + [0.0] * (size - 1)
            counts[span.start : span.end] = [any(map(speakable, span.spoken))] + [False] * (size - 1)
        return cls(
            reading.text,
            list(accumulate(weights, initial=0.0)),
            list(accumulate(counts, initial=0)),
            {span.start: span for span in reading.spans},
            frozenset(index for span in reading.spans for index in range(span.start + 1, span.end)),
        )

    def weight(self, start: int, end: int) -> float:
        return self.weights[end] - self.weights[start]

    def is_speakable(self, start: int, end: int) -> bool:
        return self.speakable_counts[end] > self.speakable_counts[start]

    def trim(self, start: int, end: int) -> tuple[int, int]:
        """The part without white space at its ends."""
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        return start, end


def chunks(reading: Reading, limit: int = DEFAULT_CHUNK_CHARS) -> list[Chunk]:
    """Cut the reading of a cleaned text into chunks of at most `limit` characters, weighted by script.

    `limit` is counted in Latin letters (`scripts.weight`) of what is read: a Han character takes the time of three, so
    a limit of 240 allows chunks of up to 240 Latin or 80 Chinese characters. A stretch's language chooses the rules for
    abbreviations. Linear in the length of the text.

    Raises:
        InvalidRequest: the text contains nothing to speak.
        ValueError: the limit is below MIN_CHUNK_CHARS.
    """
    if limit < MIN_CHUNK_CHARS:
        raise ValueError(f"a chunk limit of {limit} characters is below {MIN_CHUNK_CHARS}")
    require_speakable(reading.spoken(0, len(reading.text)))
    measure = _Measure.of(reading)
    result: list[Chunk] = []
    lead_s = 0.0
    for stretch in reading.stretches:
        if measure.is_speakable(stretch.start, stretch.end):
            result += _cut(reading, measure, stretch, limit)
        elif stretch.pause_s is None:
            continue
        elif result:
            result[-1] = replace(result[-1], exact_pause_s=(result[-1].exact_pause_s or 0.0) + stretch.pause_s)
        else:
            lead_s += stretch.pause_s
    result[0] = replace(result[0], lead_pause_s=lead_s)
    return [*result[:-1], replace(result[-1], pause=Pause.NONE)]


def _cut(reading: Reading, measure: _Measure, stretch: Stretch, limit: int) -> list[Chunk]:
    found = _breaks(measure, stretch)
    pieces = list(_fit(measure, _words(measure, stretch, found), limit, Break.SENTENCE))
    spans = [(group[0].start, group[-1].end, group[-1].after) for group in _pack(measure, pieces, limit)]
    result = [
        Chunk(
            reading.text[start:end], start, end, _PAUSES[after], reading.spoken(start, end), stretch.language,
            voice=stretch.voice, rate=stretch.rate,
        )
        for start, end, after in spans
    ]  # fmt: skip
    at_edge = _PAUSES[found.get(result[-1].end, Break.WORD)]  # the edge itself is no reason for a pause
    return [*result[:-1], replace(result[-1], pause=at_edge, exact_pause_s=stretch.pause_s)]


def _breaks(measure: _Measure, stretch: Stretch) -> dict[int, Break]:
    found = breaks(measure.text[stretch.start : stretch.end], stretch.language)
    moved = ((place + stretch.start, strength) for place, strength in found.items())
    return {place: strength for place, strength in moved if place not in measure.inside}


def _words(measure: _Measure, stretch: Stretch, found: dict[int, Break]) -> list[_Piece]:
    """The smallest pieces, cut at every break of at least a word. Each is speakable: lone marks join a neighbour."""
    words: list[_Piece] = []
    start = stretch.start
    for end, after in [*sorted(found.items()), (stretch.end, Break.PARAGRAPH)]:
        begin, stop = measure.trim(start, end)
        if begin == stop:
            continue
        if measure.is_speakable(begin, stop):
            words.append(_Piece(begin, stop, after))
            start = end
        elif words and not opens(measure.text[begin:stop], words[-1].after, after):
            words[-1] = _Piece(words[-1].start, stop, max(words[-1].after, after))
            start = end
    return words


def _fit(measure: _Measure, words: Sequence[_Piece], limit: int, level: Break) -> Iterator[_Piece]:
    """Whole sentences if they fit, else their clauses, else words, else parts of words."""
    group: list[_Piece] = []
    for index, word in enumerate(words):
        group.append(word)
        if word.after < level and index + 1 < len(words):
            continue
        if measure.weight(group[0].start, word.end) <= limit:
            yield _Piece(group[0].start, word.end, word.after)
        elif level > Break.WORD:
            yield from _fit(measure, group, limit, Break(level - 1))
        else:
            yield from _split_word(measure, word, limit)
        group = []


def _split_word(measure: _Measure, word: _Piece, limit: int) -> list[_Piece]:
    """A very long word in even parts, cut between grapheme clusters; parts without a letter or digit are left out."""
    places = [word.start + place for place in clusters(measure.text[word.start : word.end])]
    places = [place for place in places if place not in measure.inside]
    parts: list[_Piece] = []
    start, first = word.start, 0
    while start < word.end:
        last = first
        while last < len(places) and measure.weight(start, places[last]) <= limit:
            last += 1
        if last > first:
            end = _best_place(measure, start, places[first:last], word.end, limit)
        elif start in measure.spans:
            end = places[first]
        else:  # one character with very many accents: cut inside it, because the limit must hold
            end = start + _fitting_length(measure, start, limit)
        begin, stop = measure.trim(start, end)
        if measure.is_speakable(begin, stop):
            parts.append(_Piece(begin, stop, Break.CLUSTER))
        start = end
        while first < len(places) and places[first] <= start:
            first += 1
    return [*parts[:-1], replace(parts[-1], after=word.after)]


def _best_place(measure: _Measure, start: int, places: Sequence[int], end: int, limit: int) -> int:
    """The end if it fits; a seam shortly before an even share; else the place nearest to an even share."""
    if places[-1] == end:
        return end
    remaining = measure.weight(start, end)
    share = remaining / math.ceil(remaining / limit)
    seams = [
        place
        for place in places
        if 0.75 * share <= measure.weight(start, place) <= share and _is_seam(measure.text, place)
    ]
    return max(seams) if seams else min(places, key=lambda place: abs(measure.weight(start, place) - share))


def _fitting_length(measure: _Measure, start: int, limit: int) -> int:
    length = 1
    while measure.weight(start, start + length + 1) <= limit:
        length += 1
    return length


def _is_seam(text: str, place: int) -> bool:
    """After a mark (for example in a web address), or where hiragana ends and the next word begins."""
    before, after = text[place - 1 : place], text[place : place + 1]
    return after.isalnum() and (
        not before.isalnum() or ("\u3041" <= before <= "\u3096" and not "\u3041" <= after <= "\u30ff")
    )


def _pack(measure: _Measure, pieces: Sequence[_Piece], limit: int) -> list[Sequence[_Piece]]:
    """The cheapest partition of neighbouring pieces into chunks within the limit."""
    pieces = _merge_short(measure, pieces, limit)
    crossing = list(accumulate((_crossing_cost(measure, piece) for piece in pieces), initial=0.0))
    cost = [0.0] + [math.inf] * len(pieces)
    origin = [0] * (len(pieces) + 1)
    weights, starts = measure.weights, [piece.start for piece in pieces]
    for end, piece in enumerate(pieces, 1):
        reach, crossed = weights[piece.end], crossing[end - 1]
        end_cost = _END_COST[piece.after]
        best, best_start = math.inf, end - 1
        for start in range(end - 1, -1, -1):
            length = reach - weights[starts[start]]
            if length > limit:
                break
            slack = 1.0 - length / limit
            total = cost[start] + slack * slack + crossed - crossing[start]
            if length < _SHORT:
                total += _SHORT_COST
            if total < best:
                best, best_start = total, start
        cost[end], origin[end] = 1.0 + end_cost + best, best_start
    groups: list[Sequence[_Piece]] = []
    end = len(pieces)
    while end > 0:
        groups.append(pieces[origin[end] : end])
        end = origin[end]
    return groups[::-1]


def _merge_short(measure: _Measure, pieces: Sequence[_Piece], limit: int) -> list[_Piece]:
    """Join short pieces to the next one in their paragraph, and short paragraphs to short ones.

    This bounds how many pieces fit into a chunk.
    """
    merged: list[_Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if (
            last is not None
            and measure.weight(last.start, last.end) < _SHORT
            and measure.weight(last.start, piece.end) <= limit
        ):
            is_paragraph = len(merged) == 1 or merged[-2].after == Break.PARAGRAPH
            if last.after < Break.PARAGRAPH or (is_paragraph and measure.weight(piece.start, piece.end) < _SHORT):
                merged[-1] = _Piece(last.start, piece.end, piece.after)
                continue
        merged.append(piece)
    return merged


def _crossing_cost(measure: _Measure, piece: _Piece) -> float:
    """The cost of continuing the same chunk after `piece`."""
    if piece.after < Break.PARAGRAPH:
        return 0.0
    return _UNDER_HEADING if measure.text[piece.end - 1].isalnum() else _ACROSS_PARAGRAPHS
