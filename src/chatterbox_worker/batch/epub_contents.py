"""The table of contents of an EPUB: EPUB 3's navigation document, else EPUB 2's NCX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from chatterbox_worker.batch.epub_package import EpubPackage
from chatterbox_worker.batch.xhtml import UNREAD_KINDS, plain_markup

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DEEPEST = 2
"""Levels of the table of contents that begin a chapter: parts and chapters, not the sections in them."""


@dataclass(frozen=True, slots=True)
class ContentsEntry:
    """One of the table of contents."""

    title: str
    path: str
    fragment: str
    depth: int
    kind: str = ""


def read_contents(package: EpubPackage) -> tuple[list[ContentsEntry], dict[str, str]]:
    """The table of contents, and the documents that are declared as something that is not read."""
    nav = next((item.path for item in package.items.values() if "nav" in item.properties), None)
    spine = package.root.find("{*}spine")
    ncx = package.items.get("" if spine is None else spine.get("toc", ""))
    entries = [] if nav is None or nav not in package else _read_nav(package, nav)
    declared = [entry for entry in entries if entry.kind]
    entries = [entry for entry in entries if not entry.kind]
    if not entries and ncx is not None and ncx.path in package:
        points = package.xml(ncx.path).iterfind("{*}navMap/{*}navPoint")
        entries = list(_read_points(package, points, ncx.path, 1))
    for reference in package.root.iterfind("{*}guide/{*}reference"):
        path, fragment = package.resolve(reference.get("href", ""), package.path)
        declared.append(ContentsEntry("", path, fragment, 1, reference.get("type", "").lower()))
    return entries, {e.path: e.kind for e in declared if e.kind in UNREAD_KINDS and not e.fragment}


def _read_points(package: EpubPackage, points: Iterable[Element], base: str, depth: int) -> Iterator[ContentsEntry]:
    for point in points:
        label, content = point.find("{*}navLabel/{*}text"), point.find("{*}content")
        if content is not None:
            words = " ".join("".join(label.itertext()).split()) if label is not None else ""
            yield ContentsEntry(words, *package.resolve(content.get("src", ""), base), depth)
        if depth < _DEEPEST:
            yield from _read_points(package, point.iterfind("{*}navPoint"), base, depth + 1)


def _read_nav(package: EpubPackage, path: str) -> list[ContentsEntry]:
    reader = _NavReader()
    reader.feed(plain_markup(package.text(path)))
    reader.close()
    return [
        ContentsEntry(title, *package.resolve(href, path), depth, kind) for title, href, depth, kind in reader.found
        if depth <= _DEEPEST
    ]  # fmt: skip


class _NavReader(HTMLParser):
    """The links of a navigation document: of its table of contents, and its landmarks with their kinds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str, int, str]] = []
        """Title, address, depth, and the kind of a landmark or ""."""
        self._nav = ""
        self._depth = 0
        self._link: tuple[str, str] | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        kind = given.get("epub:type", "") or given.get("role", "").removeprefix("doc-")
        if tag == "nav":
            self._nav, self._depth = ("toc" if "toc" in kind.split() else kind), 0
        self._depth += tag == "ol"
        if tag == "a" and "href" in given and self._nav in ("toc", "landmarks"):
            landmark = kind.split()[:1] or ["bodymatter"]
            self._link = (given["href"], landmark[0] if self._nav == "landmarks" else "")
            self._words = []

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "ol"
        if tag == "nav":
            self._nav = ""
        if tag == "a" and self._link is not None:
            self.found.append((" ".join("".join(self._words).split()), self._link[0], self._depth, self._link[1]))
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._words.append(data)
