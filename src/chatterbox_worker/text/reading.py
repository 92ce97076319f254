"""What is read for a cleaned text: spans that are read otherwise than written, and stretches that are read apart.

A `Reading` keeps the way back: every index is one into the cleaned text, and what no span covers is read as written.
Markup, pronunciations and `spoken` add spans; markup alone adds stretches. A chunk never cuts a span and never crosses
the edge of a stretch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

_BEFORE_WHICH_NO_SPACE = ("", " ", "\n", *".,;:!?…)")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text that is read as `spoken`: "$5" as "five dollars", "**" as ""."""

    start: int
    end: int
    """Exclusive; the span is not empty."""
    spoken: str
    """Without line breaks."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the text in one language and voice, and the silence after it; empty before a leading pause."""

    start: int
    end: int
    """Exclusive."""
    language: str
    """One of `catalogue.LANGUAGES`."""
    pause_s: float | None = None
    """Exact silence after it, in seconds; None for the one that its last mark asks for."""
    voice: str | None = None
    """An id of the voice library or "default"; None for the request's voice."""
    rate: float = 1.0
    """Its tempo, as a factor of the request's speed."""
    region: str = ""
    """Where it is read as there, such as "AR"; empty: as the language is read."""


@dataclass(frozen=True)
class Reading:
    text: str
    """From `normalise.clean`."""
    stretches: tuple[Stretch, ...]
    """In order; together they are the whole text."""
    spans: tuple[Span, ...] = ()
    """In order, without overlap, each inside one stretch."""
    warnings: tuple[str, ...] = ()
    """What a caller should know about how the text is read; part of every answer's `warnings`."""

    def __post_init__(self) -> None:
        edges = [0, *(stretch.end for stretch in self.stretches)]
        if [stretch.start for stretch in self.stretches] != edges[:-1] or edges[-1] != len(self.text):
            raise ValueError("the stretches are not the whole text, in order")
        if any(one.end > two.start for one, two in pairwise(self.spans)):
            raise ValueError("two spans overlap or are out of order")
        if not all(0 <= span.start < span.end <= len(self.text) for span in self.spans):
            raise ValueError("a span is empty or outside the text")

    def spoken(self, start: int, end: int) -> str:
        """What is read for `text[start:end]`; neither edge lies inside a span.

        A span that is left out takes a space with it: no two spaces, and none before a mark, are left.
        """
        parts, place = [], start
        for span in self.spans_in(start, end):
            before, place = self.text[place : span.start], span.end
            if not span.spoken:
                following = self.text[place : min(place + 1, end)]
                if before.endswith(" ") and following in _BEFORE_WHICH_NO_SPACE:
                    before = before[:-1]
                elif span.start == start and following == " ":
                    place += 1
            parts += [before, span.spoken]
        return "".join([*parts, self.text[place:end]])

    def spans_in(self, start: int, end: int) -> tuple[Span, ...]:
        """Those of `text[start:end]`; neither edge lies inside a span."""
        return self.spans[bisect_left(self._starts, start) : bisect_left(self._starts, end)]

    @cached_property
    def _starts(self) -> list[int]:
        return [span.start for span in self.spans]


def as_written(text: str, language: str | None = None, region: str = "") -> Reading:
    """The reading of a text in one language, without any span."""
    return Reading(text, (Stretch(0, len(text), language or "", region=region),))


def free_parts(start: int, end: int, taken: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """The parts of `start` to `end` that no span covers; `taken` is in order."""
    for span in taken:
        if span.start > start:
            yield start, min(span.start, end)
        start = max(start, span.end)
    if start < end:
        yield start, end
