"""A long text in one file as a book: its chapters begin at markdown's headings of levels 1 and 2. Pure."""

from __future__ import annotations

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatterbox_worker.batch.book import Block, Book, Chapter, with_titles_joined

_DEEPEST = 2
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<lines>(?:(?!---|\.\.\.).*\n){0,200})(?:---|\.\.\.)[ \t]*\n")
_KEY = re.compile(r"^(title|author|lang|language|date)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_NOTE = re.compile(r"^\[\^[^\]\s]{1,64}\]:.*(?:\n(?:[ \t]+\S.*|(?=\n[ \t]{2,}\S)))*", re.MULTILINE)
_NOTE_MARK = re.compile(r"\[\^[^\]\s]{1,64}\]")


def read_text_book(text: str, name: str, *, is_markdown: bool) -> Book:
    """`name` is the title if the text has none. A plain text has chapters where lines begin with # or ##, if at all."""
    text = "\n".join(text.splitlines())
    about: dict[str, str] = {}
    if is_markdown:
        if front := _FRONT_MATTER.match(text + "\n"):
            about = {key: value.strip("\"'") for key, value in _KEY.findall(front["lines"])}
            text = text[front.end() :]
        text = _NOTE_MARK.sub("", _NOTE.sub("", text))
    headings = _headings(text, only_marked=not is_markdown)
    title = about.get("title") or _book_title(headings)
    return Book(
        title=title or name,
        author=about.get("author"),
        language=about.get("lang") or about.get("language"),
        date=about.get("date"),
        chapters=with_titles_joined(_cut(text, headings), title),
        text_format="markdown" if is_markdown or headings else None,
    )


_Heading = tuple[int, int, int, str]
"""Its first line, the line after it, its level, its words."""


def _headings(text: str, *, only_marked: bool) -> list[_Heading]:
    tokens = MarkdownIt("commonmark", {"maxNesting": 20}).parse(text)
    found: list[_Heading] = []
    for token, inline in pairwise(tokens):
        level = int(token.tag[1:]) if token.type == "heading_open" and token.level == 0 else 0
        if not 1 <= level <= _DEEPEST or (only_marked and not token.markup.startswith("#")) or token.map is None:
            continue
        found.append((*token.map, level, _words(inline)))  # type: ignore[arg-type]  # two numbers
    return found


def _words(inline: Token) -> str:
    kinds = ("text", "code_inline", "text_special")
    return " ".join("".join(t.content if t.type in kinds else " " for t in inline.children or ()).split())


def _book_title(headings: list[_Heading]) -> str | None:
    """The only heading of level 1, if it is the first of several."""
    titles = [words for *_, level, words in headings if level == 1]
    return titles[0] if len(titles) == 1 and len(headings) > 1 and headings[0][2] == 1 else None


def _cut(text: str, headings: list[_Heading]) -> list[Chapter]:
    lines = text.split("\n")
    starts = [start for start, *_ in headings] + [len(lines)]
    chapters = [Chapter(None, _blocks(lines[: starts[0]]))]
    for (start, body, _, words), end in zip(headings, starts[1:], strict=True):
        heading = Block("\n".join(lines[start:body]), words)
        chapters.append(Chapter(words or None, (heading, *_blocks(lines[body:end]))))
    return chapters


def _blocks(lines: list[str]) -> tuple[Block, ...]:
    paragraphs = re.split(r"\n(?:[ \t]*\n)+", "\n".join(lines))
    return tuple(Block(paragraph.strip("\n")) for paragraph in paragraphs if paragraph.strip())
