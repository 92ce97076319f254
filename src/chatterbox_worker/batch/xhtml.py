"""A content document of an EPUB as blocks of markdown, with the places that a table of contents can point to. Pure.

Left out are what is not read aloud: notes and their marks, page numbers, tables of contents, title and copyright pages
that say so (`epub:type` of EPUB 3's structural vocabulary, DPUB-ARIA's `role`, Project Gutenberg's classes), images,
scripts. The parser is Python's for HTML: it knows no external files and expands no entities but HTML's characters.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from chatterbox_worker.batch.book import RULE, Block
from chatterbox_worker.text.markup.html import CELL_TAGS, PARAGRAPH_TAGS

UNREAD_KINDS = frozenset((
    "cover", "titlepage", "halftitlepage", "title-page", "copyright-page", "imprint", "imprimatur", "colophon", "toc",
    "toc-brief", "landmarks", "page-list", "loi", "lot", "loa", "lov", "index", "bibliography", "footnote", "footnotes",
    "endnote", "endnotes", "rearnote", "rearnotes", "note", "notes", "noteref", "backlink", "pagebreak",
))  # fmt: skip
"""Values of `epub:type`, of EPUB 2's guide, and of `role` without "doc-"."""
_UNREAD_CLASSES = frozenset((
    "pagenum", "pageno", "pagenumber", "page-number", "footnote", "footnotes", "fnanchor", "pg-boilerplate",
))  # fmt: skip
_UNREAD_TAGS = frozenset((
    "audio", "canvas", "head", "iframe", "math", "noscript", "object", "rp", "rt", "script", "style", "svg", "template",
    "video",
))  # fmt: skip
_VOID = frozenset((
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
))  # fmt: skip
_ENDS_BY_ITSELF = ("p", "li", "tr", "dt", "dd")
_DEEPEST = 256  # elements in elements; what is deeper is read as if it were not marked up
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = (
    (PARAGRAPH_TAGS | {"body", "li", "tr", "option", "caption", "summary", "details"}) - _HEADINGS.keys() - {"title"}
)
_INSIDE = re.compile(r"[\\`*_\[\]<&~|]")  # what means something in markdown, anywhere
_LINE_START = re.compile(r"^(?:(?=[#>+=-])|(?P<number>\d{1,9})(?=[.)]))")  # or at the start of a line
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_CONDITION = re.compile(r"<!\[(?:if|else|endif)\b[^>]{0,200}>", re.IGNORECASE)
_NUMBER_MARK = re.compile(r"\s*\d{1,4}\s*")
_OTHER_MARK = re.compile(
    r"\s*(?:[*†‡§¶]{1,4}|[\[(]\s*(?:\d{1,4}|[a-z]|[ivxlc]{1,6}|[*†‡§¶]{1,4})\s*[\])])\s*", re.IGNORECASE
)
_MOSTLY_LINKS = 0.5  # of a page's characters, for a page of contents that does not say what it is
_FEW_LINKS = 3
_RIGHTS = re.compile(
    r"\bISBN\b|all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados",
    re.IGNORECASE,
)
_LONGEST_RIGHTS_CHARS = 6_000
_ENDS = ".!?:;,…—-。！？：；，"


@dataclass(frozen=True, slots=True)
class Page:
    """One document."""

    blocks: tuple[Block, ...]
    anchors: Mapping[str, int]
    """The index of the first block at or after each id."""
    title: str | None
    """From its head."""
    linked: float
    """The share of its characters that are in links."""
    links: int

    @property
    def heading(self) -> str | None:
        return next((block.title for block in self.blocks if block.title), None)

    def unread_reason(self) -> str | None:
        """Why the page is not read, by what it contains; None if it is."""
        if not self.blocks:
            return "nothing to read"
        if self.links >= _FEW_LINKS and self.linked > _MOSTLY_LINKS:
            return "a list of links"
        text = " ".join(block.text for block in self.blocks)
        if len(text) <= _LONGEST_RIGHTS_CHARS and _RIGHTS.search(text):
            return "a copyright page"
        return None


def plain_markup(document: str) -> str:
    """The document without marked sections, an error to Python's parser: XML's become text, Word's go."""
    if "<![" not in document:
        return document
    document = _CDATA.sub(lambda section: html.escape(section[1]), document)
    return _CONDITION.sub("", document).replace("<![", "&lt;![")


def read_page(document: str) -> Page:
    reader = _Reader()
    reader.feed(plain_markup(document))
    reader.close()
    return reader.page()


@dataclass(frozen=True, slots=True)
class _Element:
    tag: str
    is_unread: bool
    href: str | None
    start: int
    """Where its words begin in the line."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[Block] = []
        self._anchors: dict[str, int] = {}
        self._open: list[_Element] = []
        self._unread = 0
        """Open elements that are not read."""
        self._lines: list[str] = [""]
        self._marker = ""
        """What stands before an item of a list."""
        self._lists: list[int | None] = []
        """The next number of each open list; None for bullets."""
        self._title = ""
        self._links = self._linked_chars = self._chars = 0

    def page(self) -> Page:
        self._end_block()
        linked = self._linked_chars / max(1, self._chars)
        return Page(tuple(self._blocks), self._anchors, " ".join(self._title.split()) or None, linked, self._links)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _BLOCKS or tag in _HEADINGS:
            if self._open and self._open[-1].tag in ("p", tag) and self._open[-1].tag in _ENDS_BY_ITSELF:
                self.handle_endtag(self._open[-1].tag)
            self._end_block()
        for name in ("id", "name") if tag == "a" else ("id",):
            if name in given:
                self._anchors.setdefault(given[name], len(self._blocks))
        is_unread = _is_unread(tag, given)
        if not self._unread and not is_unread:
            self._begin(tag, given)
        if tag not in _VOID and len(self._open) < _DEEPEST:
            self._unread += is_unread
            href = given.get("href") if tag == "a" and not self._unread else None
            self._links += href is not None and "://" not in href
            self._open.append(_Element(tag, is_unread, href, len(self._lines[-1])))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if all(element.tag != tag for element in self._open):
            return
        while True:
            element = self._open.pop()
            self._unread -= element.is_unread
            if not self._unread and not element.is_unread:
                self._end(element)
            if element.tag == tag:
                return

    def handle_data(self, data: str) -> None:
        if [element.tag for element in self._open[-2:]] == ["head", "title"]:
            self._title += data
        if self._unread:
            return
        count = len("".join(data.split()))
        self._chars += count
        self._linked_chars += count if any(e.href and "://" not in e.href for e in self._open) else 0
        if any(element.tag == "pre" for element in self._open):
            first, *others = data.split("\n")
            self._lines[-1] += first
            self._lines += others
        else:
            self._lines[-1] += data

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self._lines.append("")
        elif tag == "hr":
            self._add_rule()
        elif tag in ("ul", "ol"):
            start = given.get("start", "1")
            self._lists.append((int(start) if re.fullmatch(r"[0-9]{1,6}", start) else 1) if tag == "ol" else None)
        elif tag == "li":
            number = self._lists[-1] if self._lists else None
            self._marker = "- " if number is None else f"{number}. "
            if number is not None:
                self._lists[-1] = number + 1
        elif tag in CELL_TAGS and self._lines[-1].strip():
            self._lines[-1] += ", "
        elif tag == "q":
            self._lines[-1] += "“"

    def _end(self, element: _Element) -> None:
        if element.tag in _BLOCKS or element.tag in _HEADINGS:
            self._end_block(_HEADINGS.get(element.tag, 0))
        if element.tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif element.tag == "q":
            self._lines[-1] += "”"
        elif element.href is not None and "#" in element.href:
            self._drop_mark(element)

    def _drop_mark(self, link: _Element) -> None:
        """Removes the words of a link that is a note's mark: "[3]", "*", or a number right after a word or raised."""
        before, words = self._lines[-1][: link.start], self._lines[-1][link.start :]
        is_raised = any(element.tag == "sup" for element in self._open)
        is_close = before != "" and not before[-1].isspace()
        if _OTHER_MARK.fullmatch(words) or ((is_raised or is_close) and _NUMBER_MARK.fullmatch(words)):
            self._lines[-1] = before

    def _end_block(self, level: int = 0) -> None:
        level = level or next((_HEADINGS[e.tag] for e in self._open if e.tag in _HEADINGS), 0)
        lines = [words for line in self._lines if (words := " ".join(line.split()))]
        self._lines = [""]
        if not any(re.search(r"\w", line) for line in lines):
            if lines and not level:
                self._add_rule()  # stars between scenes
            return
        if level:
            title = " ".join(line if line[-1] in _ENDS else line + "." for line in lines[:-1]) + " " + lines[-1]
            self._blocks.append(Block(f"{'#' * level} {_escape(title.strip())}", title.strip()))
        else:
            self._blocks.append(Block(self._marker + "\\\n".join(map(_escape, lines))))
        self._marker = ""

    def _add_rule(self) -> None:
        if self._blocks and self._blocks[-1].text != RULE:
            self._blocks.append(Block(RULE))


def _is_unread(tag: str, given: dict[str, str]) -> bool:
    kinds = {*given.get("epub:type", "").split(), given.get("role", "").removeprefix("doc-")}
    classes = given.get("class", "").lower().split()
    return (
        tag in _UNREAD_TAGS
        or "hidden" in given
        or not kinds.isdisjoint(UNREAD_KINDS)
        or not _UNREAD_CLASSES.isdisjoint(classes)
    )


def _escape(line: str) -> str:
    """The line as markdown that reads as it is written."""
    return _LINE_START.sub(lambda found: f"{found['number'] or ''}\\", _INSIDE.sub(r"\\\g<0>", line))
