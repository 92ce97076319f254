"""Books as rows: each chapter a row, a long one several."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from chatterbox_worker.batch.book import Book, name_chapter, parts_of
from chatterbox_worker.batch.rows import SourceRow
from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request.language import parse_tag
from chatterbox_worker.text_files import decode

MARKDOWN = (".md", ".markdown")
SUFFIXES = (".epub", *MARKDOWN, ".txt")
_UNKNOWN = ("und", "mul", "zxx", "")


def read_book(path: Path) -> Book:
    """
    Raises:
        InvalidRequest: the file cannot be read as what its name says, or has nothing to read.
        OSError: it cannot be read at all.
    """
    if path.suffix.lower() == ".epub":
        from chatterbox_worker.batch.epub import read_epub  # noqa: PLC0415 - rows need none

        book = read_epub(path)
    else:
        from chatterbox_worker.batch.headings import read_text_book  # noqa: PLC0415

        try:
            text = decode(path.read_bytes())
        except ValueError as error:
            raise InvalidRequest(f"{path}: {error}", field="input") from None
        book = read_text_book(text, path.stem, is_markdown=path.suffix.lower() in MARKDOWN)
    if not book.chapters:
        raise InvalidRequest(f"{path} has no text to read", field="input")
    return book


def defaults_of(book: Book, given: Collection[str]) -> dict[str, Any]:
    """The fields for a book's rows, but for those that are given.

    Raises:
        InvalidRequest: no model speaks the book's language.
    """
    defaults: dict[str, Any] = {"format": "auto"}
    if book.text_format is not None:
        defaults["text_format"] = book.text_format
    if "language" not in given and (language := _language(book.language)) is not None:
        defaults["language"] = language
    return {name: value for name, value in defaults.items() if name not in given}


def _language(tag: str | None) -> str | None:
    """Ours for a tag of BCP 47; None where a book says nothing."""
    named = parse_tag(tag or "")
    if named.language in _UNKNOWN:
        return None
    if named.language not in LANGUAGES:
        raise InvalidRequest(
            f"the book's language is {quote(tag)}; choose another with --language: {choices(LANGUAGES)}",
            field="language",
        )
    return str(named)


def rows_of_book(book: Book, source: Path, longest: int, skipped: Collection[int]) -> Iterator[SourceRow]:
    """A row for each part of at most `longest` characters of each chapter whose number is not in `skipped`."""
    count = len(book.chapters)
    for number, chapter in enumerate(book.chapters, 1):
        if number in skipped:
            continue
        parts = parts_of(chapter, longest)
        for index, text in enumerate(parts, 1):
            name = name_chapter(number, count, chapter.title, index if len(parts) > 1 else None)
            title = chapter.title or str(number)
            yield SourceRow(f"{source}, chapter {number}", name, {"text": text}, title, number)
