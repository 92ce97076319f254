"""An EPUB, 2 or 3, as a book: its spine in order, chapters by its table of contents, its cover.

Interfaces: EPUB 3.3 (W3C), OPF 2.0.1 and NCX (DAISY Z39.86) for EPUB 2.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path

from chatterbox_worker.batch.book import Book, Chapter, Picture, Skipped, with_titles_joined
from chatterbox_worker.batch.epub_contents import ContentsEntry, read_contents
from chatterbox_worker.batch.epub_package import EpubItem, EpubPackage
from chatterbox_worker.batch.xhtml import Page, read_page
from chatterbox_worker.errors import InvalidRequest

_DOCUMENTS = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_PICTURES = ("image/jpeg", "image/jpg", "image/png")


def read_epub(path: Path) -> Book:
    """
    Raises:
        InvalidRequest: it is no EPUB, is encrypted or damaged, or unpacks to too much.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(EpubPackage(archive, str(path)))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise InvalidRequest(
            f"{path} is not an EPUB that can be read: {error or 'it is damaged'}", field="input"
        ) from None


def _read(package: EpubPackage) -> Book:
    entries, unread = read_contents(package)
    pages: list[tuple[str, Page]] = []
    skipped: list[Skipped] = []
    for reference in package.root.iterfind("{*}spine/{*}itemref"):
        item = package.items.get(reference.get("idref", ""))
        if item is None or item.mimetype not in _DOCUMENTS:
            continue
        page = read_page(package.text(item.path))
        reason = _unread_reason(reference.get("linear") == "no", item, unread, page)
        if reason is None:
            pages.append((item.path, page))
        else:
            skipped.append(Skipped(posixpath.basename(item.path), reason))
    title = _metadata(package, "title")
    return Book(
        title=title,
        author=", ".join(_all_metadata(package, "creator")) or None,
        language=_metadata(package, "language"),
        date=(_metadata(package, "date") or "")[:4] or None,
        cover=_cover(package),
        chapters=with_titles_joined(_chapters(pages, entries), title),
        skipped=tuple(skipped),
        text_format="markdown",
    )


def _unread_reason(is_aside: bool, item: EpubItem, unread: dict[str, str], page: Page) -> str | None:
    if "nav" in item.properties:
        return "the table of contents"
    if is_aside:
        return "outside the reading order"
    if item.path in unread:
        return f"declared as {unread[item.path]}"
    return page.unread_reason()


def _metadata(package: EpubPackage, name: str) -> str | None:
    return next(iter(_all_metadata(package, name)), None)


def _all_metadata(package: EpubPackage, name: str) -> list[str]:
    found = package.root.iterfind(f"{{*}}metadata//{{http://purl.org/dc/elements/1.1/}}{name}")
    return [words for one in found if (words := " ".join("".join(one.itertext()).split()))]


def _cover(package: EpubPackage) -> Picture | None:
    """The picture of EPUB 3's property, else of EPUB 2's metadata; only JPEG and PNG, which players show."""
    named = [m.get("content", "") for m in package.root.iterfind("{*}metadata/{*}meta") if m.get("name") == "cover"]
    declared = [item for item in package.items.values() if "cover-image" in item.properties]
    for item in declared + [package.items[name] for name in named if name in package.items]:
        if item.mimetype in _PICTURES and item.path in package:
            return Picture(package.read(item.path), item.path)
    return None


def _chapters(pages: list[tuple[str, Page]], entries: list[ContentsEntry]) -> list[Chapter]:
    """The pages, cut where entries of the table of contents point to; one without any continues the last chapter."""
    by_path: dict[str, dict[int, list[str]]] = {}
    documents = dict(pages)
    for entry in entries:
        if (page := documents.get(entry.path)) is not None:
            start = page.anchors.get(entry.fragment, 0)
            by_path.setdefault(entry.path, {}).setdefault(start, []).append(entry.title)
    chapters: list[Chapter] = []
    is_inside = False  # of a chapter of the table of contents
    for path, page in pages:
        titles = by_path.get(path, {})
        starts = sorted({0, *titles})
        for start, end in zip(starts, [*starts[1:], len(page.blocks)], strict=True):
            blocks = page.blocks[start:end]
            if start in titles:
                named = [title for title in dict.fromkeys(titles[start]) if title]
                chapters.append(Chapter(": ".join(named) or page.heading, blocks))
            elif is_inside and chapters:
                chapters[-1] = Chapter(chapters[-1].title, chapters[-1].blocks + blocks)
            else:
                chapters.append(Chapter(page.heading or page.title, blocks))
        is_inside = is_inside or bool(titles)
    return chapters
