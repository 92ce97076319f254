"""Markdown (CommonMark with tables), as a reader would read it: headings, items and rows with their pauses.

Emphasis, links' addresses and tags are left out; code is read line by line, a table row by row, an image by its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from chatterbox_worker.text.markup.builder import MarkupOptions, ReadingBuilder
from chatterbox_worker.text.markup.html import drop_tags
from chatterbox_worker.text.normalise import split_lines
from chatterbox_worker.text.reading import Reading

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LISTS = ("bullet_list_open", "ordered_list_open", "bullet_list_close", "ordered_list_close")
_ALONE = ("heading_open", "heading_close", "hr")
_PARAGRAPHS = ("paragraph_open", "blockquote_open", "blockquote_close", "table_open", "table_close")
_LINES = ("list_item_open", "tr_open")
_CELLS = ("td_open", "th_open")
_BLOCKS = ("fence", "code_block", "html_block")


def read_markdown(text: str, options: MarkupOptions) -> Reading:
    """
    Raises:
        InvalidRequest: of a pause, or of emoji.
    """
    builder = ReadingBuilder(options)
    depth, is_first_cell = 0, True  # of lists; of a row
    for token in _parser().parse("\n".join(split_lines(text))):
        depth += token.nesting if token.type in _LISTS else 0
        if token.type in _CELLS:
            builder.add("" if is_first_cell else ", ")
        is_first_cell = token.type == "tr_open"
        if token.type in _LISTS and depth == max(0, token.nesting):  # the outermost one
            builder.end_paragraph()
        elif token.type == "inline":
            _add_inline(builder, token.children or [])
        else:
            _add_block(builder, token, in_list=depth > 0)
    return builder.build()


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - plain text needs none

    return MarkdownIt("commonmark", {"maxNesting": 20}).enable(["table", "strikethrough"])


def _add_block(builder: ReadingBuilder, token: Token, *, in_list: bool) -> None:
    kind = token.type
    if kind in _ALONE:
        builder.end_paragraph(alone=True)
    elif kind in _LINES or (in_list and kind in _LISTS):
        builder.end_line()
        if kind == "list_item_open" and token.info:
            builder.add(f"{token.info}{token.markup} ")  # the number of an item
    elif in_list and kind not in _BLOCKS:
        if kind == "paragraph_close":
            builder.end_line()
    elif kind in _PARAGRAPHS:
        builder.end_paragraph()
    elif kind in _BLOCKS:
        builder.end_paragraph()
        _add_lines(builder, drop_tags(token.content) if kind == "html_block" else token.content)
        builder.end_paragraph()


def _add_lines(builder: ReadingBuilder, text: str) -> None:
    for line in split_lines(text):
        builder.add(line)
        builder.end_line()


def _add_inline(builder: ReadingBuilder, tokens: Sequence[Token]) -> None:
    line_breaks = builder.options.line_breaks
    ends = {"hardbreak": line_breaks != "join", "softbreak": line_breaks == "keep"}
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            builder.add(token.content)
        elif token.type == "image":
            _add_inline(builder, token.children or [])
        elif token.type in ends:
            if ends[token.type]:
                builder.end_line()
            else:
                builder.end_word()
        elif token.type == "html_inline":
            _add_tag(builder, drop_tags(token.content))


def _add_tag(builder: ReadingBuilder, text: str) -> None:
    """What a tag stands for: a pause, the end of a line, or nothing."""
    if "\n" in text:
        builder.end_line()
    elif text.strip():
        builder.add(text)
