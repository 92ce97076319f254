"""When each word of a chunk is spoken, from when each character of what the model was given is spoken. Pure.

A word is what stands between spaces, or between marks in a language that writes no spaces, which makes it a phrase
there. A span that is read otherwise than written ("$5 million") is never divided.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from chatterbox_worker.answer import SpokenWord
from chatterbox_worker.text.breaks import breaks
from chatterbox_worker.text.chunk import Chunk
from chatterbox_worker.text.origins import origins
from chatterbox_worker.text.reading import Reading

UNSPACED_LANGUAGES = frozenset({"ja", "zh"})
"""Written without spaces: their words cannot be told apart here."""


def time_words(reading: Reading, chunk: Chunk, boundaries_s: Sequence[float]) -> list[SpokenWord]:
    """The words of a chunk, in order, without those of which nothing is read.

    `boundaries_s`: as `Take.boundaries_s`, len(chunk.spoken) + 1 times; the words' times are on the same clock.
    """
    read, spoken = reading.spoken(chunk.start, chunk.end), chunk.audible
    audible = [
        (start, index)
        for index, (start, end) in enumerate(origins(read, chunk.spoken))
        if start < end and unicodedata.category(spoken[index])[0] in "LMN"
    ]
    words, place = [], 0
    for start, end in _words(reading, chunk):
        limit = len(reading.spoken(chunk.start, end))
        own = []
        while place < len(audible) and audible[place][0] < limit:
            own.append(audible[place][1])
            place += 1
        if own:
            text = reading.text[start:end]
            words.append(SpokenWord(text, start, end, boundaries_s[own[0]], boundaries_s[own[-1] + 1]))
    return words


def _words(reading: Reading, chunk: Chunk) -> Iterator[tuple[int, int]]:
    """The words' places in the cleaned text, without the white space around them."""
    inside = {index for span in reading.spans_in(chunk.start, chunk.end) for index in range(span.start + 1, span.end)}
    found = {chunk.start + index for index in breaks(chunk.text, chunk.language)} | {chunk.start, chunk.end}
    for before, after in pairwise(sorted(found - inside)):
        part = reading.text[before:after]
        if part.strip():
            yield before + len(part) - len(part.lstrip()), before + len(part.rstrip())
