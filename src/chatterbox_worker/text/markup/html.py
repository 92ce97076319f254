"""Stray HTML in a text: what breaks a line or a paragraph does so, pauses become pauses, other tags are left out."""

from __future__ import annotations

import html
import re

from chatterbox_worker.text.markup.pauses import parse_time

PARAGRAPH_TAGS = frozenset((
    "address", "article", "aside", "blockquote", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p",
    "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "ul", "speak",
))  # fmt: skip
_LINES = frozenset(("br", "li", "tr", "option", "s"))
CELL_TAGS = frozenset(("td", "th"))
_INLINE = frozenset((
    "a", "abbr", "audio", "b", "bdi", "bdo", "big", "body", "button", "caption", "cite", "code", "col",
    "colgroup", "data", "del", "dfn", "em", "emphasis", "font", "head", "html", "i", "iframe", "img", "input",
    "ins", "kbd", "label", "lang", "legend", "link", "mark", "meta", "meter", "object", "optgroup", "output",
    "param", "phoneme", "picture", "progress", "prosody", "q", "rp", "rt", "ruby", "samp", "say-as", "script",
    "select", "small", "source", "span", "strike", "strong", "style", "sub", "sup", "svg", "textarea", "time",
    "tt", "u", "var", "video", "voice", "wbr",
))  # fmt: skip
_TAG = re.compile(
    r"<!--[^<]*?-->|<!--|<\?xml[^<>]*\?>|<!doctype[^<>]*>|"
    r"<(?P<close>/?)(?P<name>[a-z][a-z0-9-]*+)(?P<more>(?:\s++[\w:.-]++(?:\s*+=\s*+(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'<>=`]++))?+)*+)"
    r"\s*+/?>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK_TIME = re.compile(r"""\btime\s*+=\s*+["']?([^"'<>/]*)""", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)


def break_tags(text: str) -> str:
    """`<break time="1s"/>` as `[pause:1s]`; a break without a time is left out."""
    return text if "<" not in text else _TAG.sub(lambda tag: _break(tag) if _is_break(tag) else tag[0], text)


def drop_tags(text: str) -> str:
    """The text without tags and with the characters that entities stand for; "a < b" and unknown tags stay."""
    if "<" in text:
        text = _TAG.sub(_replace, text)
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text


def _is_break(tag: re.Match[str]) -> bool:
    return (tag["name"] or "").lower() == "break"


def _break(tag: re.Match[str]) -> str:
    time = _BREAK_TIME.search(tag["more"])
    if time is None or tag["close"]:
        return " "
    seconds = parse_time(time[1])
    return f"[pause:{time[1]}]" if seconds is None else f"[pause:{seconds:g}s]"


def _replace(tag: re.Match[str]) -> str:
    name = (tag["name"] or "").lower()
    if not name:
        return ""
    if name == "break":
        return _break(tag)
    if name in PARAGRAPH_TAGS:
        return "\n\n"
    if name in _LINES:
        return "\n"
    if name in CELL_TAGS:
        return ", " if tag["close"] else ""
    return "" if name in _INLINE else tag[0]
