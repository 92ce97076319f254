"""Builds a reading from the parts of a marked-up text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chatterbox_worker.text.breaks import Break
from chatterbox_worker.text.chunk import PAUSES_S, Pause
from chatterbox_worker.text.markup.marks import drop_marks, split_at_emoji
from chatterbox_worker.text.markup.pauses import check_pauses, split_at_pauses
from chatterbox_worker.text.normalise import INVISIBLE
from chatterbox_worker.text.reading import Reading, Span, Stretch

LineBreaks = Literal["keep", "join", "auto"]

_SEPARATORS = {Break.CLUSTER: "", Break.WORD: " ", Break.LINE: "\n", Break.PARAGRAPH: "\n\n"}


@dataclass(frozen=True, slots=True)
class MarkupOptions:
    """What a request says about how its text is read."""

    language: str
    """One of `catalogue.LANGUAGES`, or `identify.AUTO`."""
    languages: tuple[str, ...]
    """Those that the text may change to."""
    line_breaks: LineBreaks = "auto"
    decoration: bool = True
    """Whether what cannot be spoken is left out: stars, lines, bullets, emoji, tags."""
    read_emoji: bool = False
    """Whether emoji are read by their names."""
    strict: bool = True
    """Whether an element of SSML that is not known is an error."""
    splits: bool = True
    """Whether a heading may be a chunk of its own."""
    speed: float = 1.0
    """The request's own, for the limits of a rate in the text."""
    pauses_s: Mapping[Pause, float] = field(default_factory=lambda: PAUSES_S)
    region: str = ""
    """Where `language` is read as there, such as "AR"."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a part of the text is spoken."""

    language: str
    voice: str | None = None
    rate: float = 1.0
    region: str = ""


class ReadingBuilder:
    """Add the parts in order, then `build`. White space between words collapses; breaks and pauses keep the longest."""

    def __init__(self, options: MarkupOptions) -> None:
        self.options = options
        self.style = Style(options.language, region=options.region)
        self._parts: list[str] = []
        self._length = 0
        self._gap = Break.CLUSTER  # before the next word
        self._is_edge = False  # whether a chunk must end before the next word
        self._pause_s: float | None = None  # exact silence before the next word
        self._pauses_s = 0.0
        self._spans: list[Span] = []
        self._stretches: list[Stretch] = []
        self._stretch_style = self.style
        self._is_after_emoji = False
        self._warnings: dict[str, None] = {}

    def add(self, text: str) -> None:
        """Text in one line, with pauses in it.

        Raises:
            InvalidRequest: of a pause.
        """
        for part in split_at_pauses(text):
            if isinstance(part, float):
                self.pause(part)
            else:
                self._add_words(part)

    def add_span(self, text: str, spoken: str) -> None:
        """Text that is read as `spoken`."""
        words = " ".join(INVISIBLE.sub("", text).split())
        if words:
            start = self._write(words)
            self._spans.append(Span(start, self._length, " ".join(spoken.split(" ")).replace("\n", " ")))

    def end_word(self) -> None:
        self._gap = max(self._gap, Break.WORD)

    def end_line(self) -> None:
        self._gap = max(self._gap, Break.LINE)

    def end_paragraph(self, *, alone: bool = False) -> None:
        """`alone`: no chunk continues across it, so its pause is sure."""
        self._gap = Break.PARAGRAPH
        self._is_edge = self._is_edge or (alone and self.options.splits)

    def pause(self, seconds: float) -> None:
        """Exact silence; several in a row add up.

        Raises:
            InvalidRequest: the pauses of the text are too long together.
        """
        self.end_word()
        self._pause_s = (self._pause_s or 0.0) + seconds
        self._pauses_s = check_pauses(self._pauses_s + seconds)

    def warn(self, warning: str) -> None:
        self._warnings[warning] = None

    def build(self) -> Reading:
        """The reading; `chunk.chunks` refuses one without anything to speak."""
        self._end_stretch()
        return Reading("".join(self._parts), tuple(self._stretches), tuple(self._spans), tuple(self._warnings))

    def _add_words(self, text: str) -> None:
        for written, name in split_at_emoji(text, self.style.language if self.options.read_emoji else None):
            if name is not None:
                self.end_word()
                self.add_span(written, name)
                self._is_after_emoji = True
                continue
            part = INVISIBLE.sub("", written)
            kept = drop_marks(part) if self.options.decoration else part
            words = kept.split()
            if not words:
                if kept or part:
                    self.end_word()
                continue
            if kept[0].isspace() or (self._is_after_emoji and kept[0].isalnum()):
                self.end_word()
            self._write(" ".join(words))
            if kept[-1].isspace():
                self.end_word()

    def _write(self, words: str) -> int:
        """Appends words after the gap before them; returns where they begin."""
        if self._length:
            self._append(_SEPARATORS[self._gap])
        if (self._length and (self._is_edge or self.style != self._stretch_style)) or self._pause_s is not None:
            self._end_stretch()
        self._stretch_style = self.style
        self._gap, self._is_edge = Break.CLUSTER, False
        self._is_after_emoji = False
        start = self._length
        self._append(words)
        return start

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _end_stretch(self) -> None:
        start = self._stretches[-1].end if self._stretches else 0
        style = self._stretch_style
        self._stretches.append(
            Stretch(
                start,
                self._length,
                style.language,
                self._pause_s,
                voice=style.voice,
                rate=style.rate,
                region=style.region,
            )
        )
        self._pause_s = None
