"""A content document of an EPUB as blocks of markdown, with the places that a table of contents can point to. Pure.

Left out are what is not read aloud: notes and their marks, page numbers, tables of contents, title and copyright pages
that say so (`epub:type` of EPUB 3's structural vocabulary, DPUB-ARIA's `role`, Project Gutenberg's classes), images,
scripts. The parser is Python's for HTML: it knows no external files and expands no entities but HTML's characters.
"""

from __future__ import annotations

import html
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
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
_BEFORE_TAG = re.compile(r"<(?=[^<>]*+(?:<|\Z))")  # begins no tag, as another begins before it ends
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
    """The document for Python's parser, in time that grows with its length only.

    Marked sections are an error to the parser: XML's become text, Word's go. What begins and does not end would be
    searched to the end of the document at each beginning: it becomes text, and comments go.
    """
    document = _replace_between(document, "<![CDATA[", "]]>", html.escape)
    document = _replace_between(document, "<!--", "-->", lambda _: "")
    document = _CONDITION.sub("", document).replace("<![", "&lt;![").replace("<!--", "&lt;!--")
    return _BEFORE_TAG.sub("&lt;", document)


def _replace_between(text: str, start: str, end: str, change: Callable[[str], str]) -> str:
    """The text with what stands between each `start` and the next `end` changed, and without these."""
    parts: list[str] = []
    at = 0
    while (begins := text.find(start, at)) >= 0 and (ends := text.find(end, begins + len(start))) >= 0:
        parts += text[at:begins], change(text[begins + len(start) : ends])
        at = ends + len(end)
    return "".join((*parts, text[at:]))


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

    @property
    def is_inner_link(self) -> bool:
        return bool(self.href) and "://" not in (self.href or "")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._blocks: list[Block] = []
        self._anchors: dict[str, int] = {}
        self._open: list[_Element] = []
        self._tags: Counter[str] = Counter()
        """Of the open elements."""
        self._unread = self._links_open = 0
        """Open elements that are not read, and that are links within the book."""
        self._lines: list[str] = []
        self._line = io.StringIO()
        """The last of them, unfinished."""
        self._has_words = False
        """Whether there are any in it."""
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
            element = _Element(tag, is_unread, href, self._line.tell())
            self._open.append(element)
            self._tags[tag] += 1
            self._links_open += element.is_inner_link

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._tags[tag]:
            return
        while True:
            element = self._open.pop()
            self._tags[element.tag] -= 1
            self._links_open -= element.is_inner_link
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
        self._linked_chars += count if self._links_open else 0
        first, *others = data.split("\n") if self._tags["pre"] else [data]
        self._add(first)
        for line in others:
            self._end_line()
            self._add(line)

    def _add(self, words: str) -> None:
        self._line.write(words)
        self._has_words = self._has_words or not (words == "" or words.isspace())

    def _end_line(self) -> None:
        self._lines.append(self._line.getvalue())
        self._line, self._has_words = io.StringIO(), False

    def _begin(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br":
            self._end_line()
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
        elif tag in CELL_TAGS and self._has_words:
            self._add(", ")
        elif tag == "q":
            self._add("“")

    def _end(self, element: _Element) -> None:
        if element.tag in _BLOCKS or element.tag in _HEADINGS:
            self._end_block(_HEADINGS.get(element.tag, 0))
        if element.tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif element.tag == "q":
            self._add("”")
        elif element.href is not None and "#" in element.href:
            self._drop_mark(element)

    def _drop_mark(self, link: _Element) -> None:
        """Removes the words of a link that is a note's mark: "[3]", "*", or a number right after a word or raised."""
        self._line.seek(max(0, link.start - 1))
        before, words = self._line.read(min(1, link.start)), self._line.read()
        is_number = (self._tags["sup"] or (before and not before.isspace())) and _NUMBER_MARK.fullmatch(words)
        if _OTHER_MARK.fullmatch(words) or is_number:
            self._line.seek(link.start)
            self._line.truncate()
            self._has_words = self._has_words and link.start > 0

    def _end_block(self, level: int = 0) -> None:
        level = level or next((each for tag, each in _HEADINGS.items() if self._tags[tag]), 0)
        self._end_line()
        lines = [words for line in self._lines if (words := " ".join(line.split()))]
        self._lines = []
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
