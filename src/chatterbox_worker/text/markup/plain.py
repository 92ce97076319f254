"""Plain text: its lines, headings, lists and drawn lines, and what in it cannot be spoken.

A line of its own is a short pause where the lines are items or verse, and a space where prose was wrapped at a width. A
heading and a drawn line end a chunk, so that the pause after them is a paragraph's for sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from chatterbox_worker.text.markup.builder import MarkupOptions, ReadingBuilder
from chatterbox_worker.text.markup.html import break_tags, drop_tags
from chatterbox_worker.text.markup.pauses import without_pauses
from chatterbox_worker.text.normalise import INVISIBLE, split_lines
from chatterbox_worker.text.reading import Reading

_DRAWN = "-*_=~#+•·.|─-╿▀-▟■-◿☆★⁂❦❧§<>^/\\\\"
_RULE = re.compile(rf"(?=.*[^\s.])[{_DRAWN}\s]+")
_TABLE_BORDER = re.compile(r"[|│┃║┌┬┐├┼┤└┴┘╔╦╗╠╬╣╚╩╝]|\+[-=]")
_HASHES = re.compile(r"#{1,6}\s+(?=.*\w)")
_FRAME = "*=~#_─═•·+|-"
_QUOTED = re.compile(r"(?:>\s?)+(?=\S)")
_BULLET = re.compile(r"^(?:[•‣▪◦●○■□▶►➤✓✔✗]\s*|[-*+·–—]\s+)(?=\S)")
_NUMBERED = re.compile(r"(?:\(?\d{1,3}[.)]|\(?[a-zA-Z]\))\s+\S")
_CELLS = re.compile(r"[|│┃║](?P<text>.*)[|│┃║]")

_LONGEST_HEADING = 80  # characters: a line of print
_STOPS = tuple(".,;:!?…。，、；：！？।॥؟،\"'”’»)]")
_WRAPPED_CHARS = 40  # prose is wrapped at this width or a larger one; half of it where letters are wide
_WIDE = "\u2e80"


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    is_item: bool = False
    is_heading: bool = False
    is_rule: bool = False


def read_plain(text: str, options: MarkupOptions) -> Reading:
    """
    Raises:
        InvalidRequest: of a pause, or of emoji.
    """
    builder = ReadingBuilder(options)
    if not options.decoration and not options.read_emoji:  # whose names may need a joiner
        text = INVISIBLE.sub("", text)  # before the lines are counted: one that holds nothing else is empty
    text = drop_tags(text) if options.decoration else break_tags(text)
    lines = [_classify(" ".join(line.split()), options) for line in split_lines(text)]
    lines = [line for line in lines if line.text or not line.is_rule]  # no border of a table
    paragraphs = [list(group) for filled, group in groupby(lines, lambda line: bool(line.text)) if filled]
    parts = [part for paragraph in paragraphs for part in _split_at_rules(paragraph)]
    for previous, part, following in zip([(), *parts], parts, [*parts[1:], ()], strict=False):
        _add_paragraph(builder, part, following, options, alone=not _is_line(previous))
    return builder.build()


def _classify(line: str, options: MarkupOptions) -> _Line:
    if not options.decoration or not line:
        return _Line(line)
    if _RULE.fullmatch(line):
        return _Line("" if _TABLE_BORDER.search(line) else line, is_rule=True)
    if (quote := _QUOTED.match(line)) is not None:
        line = line[quote.end() :]
    if (hashes := _HASHES.match(line)) is not None:
        return _Line(line[hashes.end() :].rstrip("# "), is_heading=True)
    cells, framed = _CELLS.fullmatch(line), _unframe(line)
    if cells is None and framed is not None:
        return _Line(framed, is_heading=_is_short(framed))
    item = cells["text"] if cells is not None else _BULLET.sub("", line, count=1)
    return _Line(item, is_item=item != line or _NUMBERED.match(line) is not None)


def _unframe(line: str) -> str | None:
    """What stands between the same marks on both sides and nowhere else: "* Header *"."""
    inner = line.strip(_FRAME + " ")
    start = line.find(inner)
    before, after = set(line[:start]) - {" "}, set(line[start + len(inner) :]) - {" "}
    return inner if inner and before & after and not before & after & set(inner) else None


def _split_at_rules(paragraph: Sequence[_Line]) -> Iterator[list[_Line]]:
    """The paragraph in parts; a drawn line is a part of its own, as an empty list."""
    for is_rule, group in groupby(paragraph, lambda line: line.is_rule):
        yield [] if is_rule else list(group)


def _add_paragraph(
    builder: ReadingBuilder, lines: Sequence[_Line], following: Sequence[_Line], options: MarkupOptions, *, alone: bool
) -> None:
    """`alone`: a heading does not continue the paragraph before it."""
    is_heading = _is_heading(lines, following, options)
    builder.end_paragraph(alone=(is_heading and alone) or not lines)
    keeps = _keeps_lines(lines, options)
    has_items = any(line.is_item for line in lines) and options.line_breaks == "auto"
    for index, line in enumerate(lines):
        if index:
            if keeps or (has_items and line.is_item):
                builder.end_line()
            else:
                builder.end_word()
        builder.add(line.text)
    builder.end_paragraph(alone=is_heading)


def _is_heading(lines: Sequence[_Line], following: Sequence[_Line], options: MarkupOptions) -> bool:
    """A line marked as one, or a short line without a stop above a paragraph that is not such a line itself."""
    if len(lines) != 1 or not options.decoration:
        return False
    return lines[0].is_heading or (bool(following) and _is_line(lines) and not _is_line(following))


def _is_line(lines: Sequence[_Line]) -> bool:
    """A short line without a stop, neither an item nor marked as a heading."""
    return len(lines) == 1 and not lines[0].is_item and not lines[0].is_heading and _is_short(lines[0].text)


def _is_short(text: str) -> bool:
    bare = without_pauses(text).strip()
    return 0 < len(bare) <= _LONGEST_HEADING and not bare.endswith(_STOPS)


def _keeps_lines(lines: Sequence[_Line], options: MarkupOptions) -> bool:
    if options.line_breaks != "auto":
        return options.line_breaks == "keep"
    return not any(line.is_item for line in lines) and not _is_wrapped([line.text for line in lines])


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Whether each line but the last is so long that the next word would not have fitted into the longest."""
    width = max(map(len, lines), default=0)
    narrowest = _WRAPPED_CHARS / 2 if any(line[-1:] >= _WIDE for line in lines) else _WRAPPED_CHARS
    if width < narrowest:
        return False
    return all(len(line) + 1 + len(below.split(" ", 1)[0]) > width for line, below in pairwise(lines))
