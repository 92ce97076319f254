"""A long text as chapters: what every source of a book becomes, and how a chapter becomes parts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

LONGEST_PART_CHARS = 20_000
"""About 20 minutes of speech: as opus it fits into an answer of RunPod's queue, 10 MB."""
RULE = "---"
"""The text of a block that is only a line, or stars, between scenes."""
_TITLE_SEPARATOR = ": "
NAMED_CHARS = 40
"""Of a title in a file name, which has 180 bytes: a character has up to 4."""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading or a paragraph."""

    text: str
    """Markdown, or plain text."""
    title: str | None = None
    """The words of a heading."""


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str | None
    blocks: tuple[Block, ...]

    @property
    def is_heading(self) -> bool:
        """Whether there is nothing to read but titles."""
        return all(block.title is not None or block.text == RULE for block in self.blocks)

    @property
    def text(self) -> str:
        return "\n\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes
    name: str
    """Its file, for messages."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A page of a book that is not read."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Book:
    title: str | None
    chapters: tuple[Chapter, ...]
    author: str | None = None
    language: str | None = None
    """As the book says it: "en-GB"."""
    date: str | None = None
    cover: Picture | None = None
    skipped: tuple[Skipped, ...] = ()
    text_format: str | None = None
    """Of the chapters' texts; None for a request's default."""


def with_titles_joined(chapters: Iterable[Chapter], book_title: str | None) -> tuple[Chapter, ...]:
    """The chapters with text; one that is only a title ("Part one") is read with the next, or with the one before.

    The book's own title is read too, but it is no part of the chapter's.
    """
    joined: list[Chapter] = []
    waiting: Chapter | None = None
    for chapter in chapters:
        if not chapter.blocks:
            continue
        whole = chapter if waiting is None else _join(waiting, chapter, book_title)
        if whole.is_heading:
            waiting = whole
        else:
            waiting = None
            joined.append(whole)
    if waiting is not None:
        joined[-1:] = [replace(last, blocks=last.blocks + waiting.blocks) for last in joined[-1:]] or [waiting]
    return tuple(joined)


def _join(first: Chapter, second: Chapter, book_title: str | None) -> Chapter:
    titles = dict.fromkeys(title for title in (first.title, second.title) if title and title != book_title)
    return Chapter(_TITLE_SEPARATOR.join(titles) or None, first.blocks + second.blocks)


def parts_of(chapter: Chapter, longest: int) -> list[str]:
    """The chapter's text in parts of at most so many characters and of about the same length, cut at paragraphs."""
    pieces = [piece for block in chapter.blocks for piece in _pieces(block.text, longest)]
    total = sum(map(len, pieces))
    wanted = total / max(1, -(-total // longest))
    parts: list[str] = []
    done = 0  # characters before the piece
    for piece in pieces:
        starts_part = not parts or len(parts[-1]) + len(piece) + 2 > longest
        if starts_part or done + len(piece) / 2 > len(parts) * wanted:
            parts.append(piece)
        else:
            parts[-1] += "\n\n" + piece
        done += len(piece)
    return parts


def _pieces(text: str, longest: int) -> Iterator[str]:
    """A paragraph whole, or cut after a line, a sentence or a word if it is longer."""
    while len(text) > longest:
        head = text[:longest]
        cut = next((end for mark in ("\n", ". ", " ") if (end := head.rfind(mark) + len(mark)) > longest // 2), longest)
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text


def name_chapter(number: int, count: int, title: str | None, part: int | None) -> str:
    """The id of a row: "03 The Pool of Tears", with a part "03.2 The Pool of Tears"."""
    name = f"{number:0{max(2, len(str(count)))}}" + ("" if part is None else f".{part}")
    return f"{name} {title[:NAMED_CHARS].strip()}" if title and re.search(r"\w", title) else name


def numbers_of(skipped: Sequence[str], count: int) -> set[int]:
    """Chapter numbers from "3" and "10-12". Raises ValueError."""
    numbers: set[int] = set()
    for text in skipped:
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= count:
            raise ValueError(f"--skip takes a chapter from 1 to {count} or a range such as 2-4, not {text!r}")
        numbers |= set(range(first, last + 1))
    return numbers
