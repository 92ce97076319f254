"""Long texts become rows: chapters at headings, long chapters in parts; text files in every Unicode encoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatterbox_worker.batch import books
from chatterbox_worker.batch.book import Block, Book, Chapter, name_chapter, numbers_of, parts_of
from chatterbox_worker.batch.headings import read_text_book
from chatterbox_worker.batch.names import LONGEST_BYTES, stem_of
from chatterbox_worker.batch.rows import BatchRow, check_rows, read
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import fields_of


def titles(text: str, *, is_markdown: bool = True) -> list[tuple[str | None, str]]:
    chapters = read_text_book(text, "name", is_markdown=is_markdown).chapters
    return [(chapter.title, chapter.text) for chapter in chapters]


def test_markdown_is_cut_at_its_headings_of_two_levels() -> None:
    text = (
        "# My *Book*\n\n## One\n\nFirst.\n\n### In\n\n- a\n\n## Two `code`\nSecond.\n\nSub\n---\nThird.\n\n    # code"
    )

    assert titles(text) == [
        ("One", "# My *Book*\n\n## One\n\nFirst.\n\n### In\n\n- a"),
        ("Two code", "## Two `code`\n\nSecond."),
        ("Sub", "Sub\n---\n\nThird.\n\n    # code"),
    ]
    assert read_text_book(text, "name", is_markdown=True).title == "My Book"


def test_what_stands_before_the_first_heading_is_a_chapter_and_a_text_without_any_is_one() -> None:
    assert titles("Before.\n\n# A\n\nText.\n\n# End") == [(None, "Before."), ("A", "# A\n\nText.\n\n# End")]
    assert titles("Only\ntext.\n\nMore.") == [(None, "Only\ntext.\n\nMore.")]
    assert titles("\n \n") == []


def test_front_matter_is_about_the_book_and_notes_are_not_read() -> None:
    front = '---\ntitle: "The Book"\nauthor: Ann Ash\nlang: de\n---\n\n'
    text = front + "A claim[^1] and more.\n\n[^1]: The note\n    goes on.\n\nEnd.\n"
    book = read_text_book(text, "name", is_markdown=True)

    assert (book.title, book.author, book.language) == ("The Book", "Ann Ash", "de")
    assert [chapter.text for chapter in book.chapters] == ["A claim and more.\n\nEnd."]


def test_a_plain_text_has_chapters_only_where_it_is_marked() -> None:
    assert titles("A line\n---\nAnother.", is_markdown=False) == [(None, "A line\n---\nAnother.")]
    assert titles("# One\nText.\n# Two\nText.", is_markdown=False) == [
        ("One", "# One\n\nText."),
        ("Two", "# Two\n\nText."),
    ]
    assert read_text_book("Text.", "name", is_markdown=False).text_format is None
    assert read_text_book("# One\nText.", "name", is_markdown=False).text_format == "markdown"


@given(st.lists(st.text("ab. \n", min_size=1, max_size=400), max_size=30), st.integers(50, 300))
def test_parts_keep_every_word_and_are_within_the_limit(paragraphs: list[str], longest: int) -> None:
    blocks = tuple(Block(text.strip()) for text in paragraphs if text.strip())
    parts = parts_of(Chapter("T", blocks), longest)

    assert "".join("".join(parts).split()) == "".join("".join(block.text for block in blocks).split())
    assert all(0 < len(part) <= longest for part in parts)


def test_parts_are_about_the_same_length() -> None:
    parts = parts_of(Chapter("T", tuple(Block("x" * 99) for _ in range(110))), 5_000)

    assert [len(part) for part in parts] == pytest.approx([3_700] * 3, rel=0.05)


def test_rows_have_the_number_the_title_and_the_part_of_their_chapter(tmp_path: Path) -> None:
    long = tuple(Block("A sentence of a long chapter. " * 10) for _ in range(4))
    book = Book("B", (Chapter(None, (Block("Zero."),)), Chapter("The 1st", long), Chapter("日" * 90, (Block("Two."),))))

    found = check_rows(books.rows_of_book(book, tmp_path / "b.epub", 700, {1}), tmp_path, {}, fields_of)

    rows = [row for row in found if isinstance(row, BatchRow)]
    assert [(row.id, row.title, row.chapter) for row in rows] == [
        ("02.1 The 1st", "The 1st", 2),
        ("02.2 The 1st", "The 1st", 2),
        ("03 " + "日" * 40, "日" * 90, 3),
    ]
    assert rows[0].where == f"{tmp_path / 'b.epub'}, chapter 2"
    assert rows[0].stem == "02.1_The_1st"
    assert len(stem_of(name_chapter(1000, 5000, "𝔄" * 90, 12)).encode()) <= LONGEST_BYTES


@pytest.mark.parametrize(
    ("skipped", "numbers"), [(["2", "4-6"], {2, 4, 5, 6}), (["7"], None), (["0"], None), (["3-2"], None), (["x"], None)]
)
def test_chapters_are_skipped_by_number(skipped: list[str], numbers: set[int] | None) -> None:
    if numbers is not None:
        assert numbers_of(skipped, 6) == numbers
        return
    with pytest.raises(ValueError, match="a chapter from 1 to 6 or a range"):
        numbers_of(skipped, 6)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en-GB", "en-GB"),
        ("es-419", "es-419"),
        ("pt-br", "pt-BR"),
        ("nb", "no"),
        ("DE", "de"),
        ("zh_CN", "zh-CN"),
        ("und", None),
        (None, None),
    ],
)
def test_a_books_language_is_that_of_its_rows(tag: str | None, language: str | None) -> None:
    book = Book("B", (), language=tag, text_format="markdown")

    assert books.defaults_of(book, {}).get("language") == language
    assert books.defaults_of(book, {"language": "fi", "format": "mp3"}) == {"text_format": "markdown"}


def test_a_language_that_no_model_speaks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="the book's language is 'la'; choose another with --language"):
        books.defaults_of(Book("B", (), language="la"), {})
    assert "language" not in books.defaults_of(Book("B", (), language="la"), {"language": "it"})


_WORDS = "Größe: 日本, 𝔄."


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", json.dumps({"text": _WORDS}, ensure_ascii=False) + "\r\n\r\n"),
        ("rows.csv", f'text,seed\r\n"{_WORDS}",1\r\n'),
        ("rows.tsv", f"seed\ttext\n1\t{_WORDS}\n"),
        ("folder/a.txt", _WORDS),
    ],
)
def test_every_input_may_be_utf_8_16_or_32(tmp_path: Path, codec: str, name: str, content: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode(codec))

    (row,) = read(path.parent if path.suffix == ".txt" else path, {}, fields_of)

    assert isinstance(row, BatchRow), row
    assert row.fields["text"] == _WORDS


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "book.md", "book.txt"])
@pytest.mark.parametrize("data", [b"\xff\xfea\0b", b"\xff\xfe\x00\xd8a\0"], ids=["cut off", "half a pair"])
def test_a_file_that_is_not_what_its_mark_says_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(InvalidRequest, match="is not UTF-16"):
        _read_any(path)


def test_text_without_a_mark_must_be_utf_8(tmp_path: Path) -> None:
    for name, data, hint in (
        ("a.md", "Größe".encode("latin-1"), "save it as UTF-8"),
        ("b.txt", "ö!".encode("utf-16-le"), "byte order mark"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidRequest, match=f"the file is not UTF-8; .*{hint}"):
            books.read_book(tmp_path / name)


def _read_any(path: Path) -> Any:
    return books.read_book(path) if path.suffix in books.SUFFIXES else read(path, {}, fields_of)
