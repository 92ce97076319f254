"""An EPUB becomes chapters in reading order; one that is locked, damaged or hostile is refused with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chatterbox_worker.batch import epub_package
from chatterbox_worker.batch.book import Book
from chatterbox_worker.batch.epub import read_epub
from chatterbox_worker.errors import InvalidRequest
from support import epubs

Files = dict[str, str | bytes]


def read(folder: Path, files: Files) -> Book:
    path = folder / "book.epub"
    path.write_bytes(epubs.zipped(files))
    return read_epub(path)


@pytest.mark.parametrize("version", [2, 3])
def test_a_book_has_its_chapters_its_facts_and_its_cover(tmp_path: Path, version: int) -> None:
    book = read(tmp_path, epubs.files(version))

    assert [chapter.title for chapter in book.chapters] == [
        "Part one: Down the Rabbit-Hole",
        "The Pool of Tears",
        "A Caucus-Race",
    ]
    assert book.chapters[0].text == (
        "# Part one\n\n## Down the Rabbit-Hole\n\nAlice was beginning to get very tired of sitting by her sister on the"
        " bank, and of having nothing to do.\n\nSo she was considering in her own mind."
    )
    assert book.chapters[1].text == (
        "## The Pool of Tears\n\n“Curiouser and curiouser!” cried Alice.\n\n---\n\nGood-bye, feet!"
    )
    assert (book.title, book.author) == ("Alice's Adventures in Wonderland", "Lewis Carroll")
    assert (book.language, book.date, book.text_format) == ("en-GB", "1865", "markdown")
    assert book.cover is not None
    assert book.cover.data == epubs.png()
    skipped = {page.name: page.reason for page in book.skipped}
    assert skipped["cover.xhtml"] == "declared as cover"
    assert skipped["title.xhtml"] == skipped["notes.xhtml"] == "nothing to read"
    assert skipped["rights.xhtml"] == "a copyright page"
    assert skipped.get("nav.xhtml") == {2: None, 3: "the table of contents"}[version]


def _with(name: str, change: Callable[[str], str]) -> Files:
    files = epubs.files()
    text = files[name]
    assert isinstance(text, str)
    changed = change(text)
    assert changed != text
    return files | {name: changed}


_LOCKED = """<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{}"/>
<CipherData><CipherReference URI="OEBPS/c1.xhtml"/></CipherData></EncryptedData></encryption>"""
_ENTITIES = '<!DOCTYPE package [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><package>&b;</package>'


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (epubs.files() | {"../../evil.xhtml": "x"}, "names a path outside itself: '../../evil.xhtml'"),
        (epubs.files() | {"/etc/passwd": "x"}, "names a path outside itself"),
        (_with("OEBPS/book.opf", lambda t: t.replace("c1.xhtml", "../../c1.xhtml")), "names a path outside itself"),
        (epubs.files() | {"META-INF/encryption.xml": _LOCKED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")},
         r"is encrypted \(DRM\)"),
        (_with("OEBPS/book.opf", lambda _: _ENTITIES), "not well-formed XML"),
        (_with("OEBPS/book.opf", lambda t: t[:300]), "not well-formed XML"),
        (_with("OEBPS/book.opf", lambda t: t.replace("c1.xhtml", "gone.xhtml")), "has no file 'OEBPS/gone.xhtml'"),
        (_with("META-INF/container.xml", lambda t: t.replace("full-path", "path")), "names no package document"),
        (_with("OEBPS/c1.xhtml", lambda t: t.replace("UTF-8", "klingon")), "c1.xhtml is not in the encoding"),
        (_with("OEBPS/c1.xhtml", lambda t: t.replace("UTF-8", "idna")), "c1.xhtml is not in the encoding"),
        (_with("OEBPS/c1.xhtml", lambda t: t.replace("UTF-8", "ascii") + "\xe9"), "c1.xhtml is not in the encoding"),
        (_with("OEBPS/c1.xhtml", lambda t: t + "x" * 300_000), "unpacks to too much"),
        (epubs.files() | {f"OEBPS/{n}": "" for n in range(60)}, "at most 50 are read"),
    ],
)  # fmt: skip
def test_a_bad_book_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Files, message: str
) -> None:  # fmt: skip
    monkeypatch.setattr(epub_package, "_MOST_BYTES", 200_000)
    monkeypatch.setattr(epub_package, "_MOST_FILES", 50)

    with pytest.raises(InvalidRequest, match=message) as refusal:
        read(tmp_path, files)
    assert "\n" not in refusal.value.message


def test_a_book_whose_files_unpack_to_too_much_together_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epub_package, "_MOST_BYTES_IN_ALL", 3_000)

    with pytest.raises(InvalidRequest, match="unpacks to too much"):
        read(tmp_path, epubs.files())


def test_a_file_that_is_no_archive_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    data = epubs.zipped(epubs.files())
    for broken in (b"", b"No archive.", data[: len(data) // 2], data.replace(b"c1.xhtml", b"c1.xhtmX", 1)):
        (tmp_path / "book.epub").write_bytes(broken)
        with pytest.raises(InvalidRequest, match="is not an EPUB that can be read"):
            read_epub(tmp_path / "book.epub")


def test_a_page_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    for declared, encoding in (("windows-1252", "cp1252"), ("UTF-8", "utf-8"), ("UTF-16", "utf-16"), (None, "utf-8")):
        text = epubs.page("<h2>Caf\xe9</h2><p>He said \u201cyes\u201d.</p>")
        text = text.replace("UTF-8", declared) if declared else text.partition("\n")[2]
        book = read(tmp_path, epubs.files() | {"OEBPS/c3.xhtml": text.encode(encoding)})
        assert book.chapters[2].text == "## Caf\xe9\n\nHe said \u201cyes\u201d."


def test_fonts_that_are_only_obfuscated_lock_nothing(tmp_path: Path) -> None:
    files = epubs.files() | {"META-INF/encryption.xml": _LOCKED.format("http://www.idpf.org/2008/embedding")}

    assert len(read(tmp_path, files).chapters) == 3


def test_chapters_in_one_file_are_cut_where_the_contents_point_to(tmp_path: Path) -> None:
    both = epubs.page('<p>Before.</p><h2 id="a">One</h2><p>First.</p><p><a id="b"></a>Two begins.</p><p>Second.</p>')
    nav = (
        '<nav epub:type="toc"><ol><li><a href="c1.xhtml#a">One</a></li><li><a href="c1.xhtml#b">Two</a></li></ol></nav>'
    )
    files = epubs.files() | {"OEBPS/c1.xhtml": both, "OEBPS/nav.xhtml": epubs.page(nav)}

    chapters = read(tmp_path, files).chapters

    # what has no entry goes on with the chapter before it
    assert [(chapter.title, chapter.text.split("\n")[0]) for chapter in chapters] == [
        ("Part one: One", "# Part one"),
        ("One", "## One"),
        ("Two", "Two begins."),
    ]
    assert chapters[2].text.endswith("Lewis Carroll wrote this in 1865.")


def test_without_contents_each_page_is_a_chapter_and_a_page_of_links_is_none(tmp_path: Path) -> None:
    links = "".join(f'<p><a href="c{n}.xhtml">Chapter {n}</a></p>' for n in range(1, 4))
    files = epubs.files() | {"OEBPS/nav.xhtml": epubs.page("<p>-</p>"), "OEBPS/title.xhtml": epubs.page(links)}

    book = read(tmp_path, files)

    assert [chapter.title for chapter in book.chapters][1:] == ["The Pool of Tears", "A Caucus-Race"]
    assert "a list of links" in {page.reason for page in book.skipped}
