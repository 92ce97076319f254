"""Text as the models were trained to read it.

`clean` runs once over a whole text and removes what cannot be spoken; `finish` runs over each chunk and is upstream's
`punc_norm` of that model family. For a text of one paragraph, `finish(clean(text), style)` equals the result of
upstream's function, with three deliberate exceptions:

- Invisible characters (controls, zero-width and bidirectional marks, soft hyphens, variation selectors, byte order
  marks, lone surrogates) are removed; upstream's tokenizers turn them into unknown tokens.
- The first letter becomes a capital after leading white space too.
- An empty text is an error; upstream speaks a sentence of its own instead.

`finish` applies the punctuation table, and `clean` does not: the table turns "..." and ";" into commas and "12:30" into
"12,30", and the chunker needs the original marks. The table is also not idempotent (" — " becomes " - ", and " - " a
comma), so it must run exactly once.

A paragraph break inside a chunk becomes a space, as upstream does. A full stop is added first if the paragraph ended in
a letter or digit, so that a heading is not read into the sentence below it; a line of a list or a verse gets a comma.
Unicode normalisation is left to the tokenizers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Literal

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.scripts import require_speakable

Style = Literal["llama", "gpt", "plain"]
"""llama: the English and multilingual models; gpt: turbo and nano; plain: an engine that reads punctuation itself."""

PARAGRAPH = "\n\n"

INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls that are not white space
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff"
    r"\ud800-\udfff]"  # lone: a pair is one character in Python
)
"""What no model has a token for, and that cannot be seen."""
_LINE_END = re.compile(r"\r\n|[\r\v\x85\u2028]")
_PAGE_END = re.compile(r"[\f\u2029]")

# In upstream's order, which matters: punc_norm of mtl_tts.py and tts.py, and of tts_turbo.py (chatterbox-tts 0.1.7).
_QUOTES = (("“", '"'), ("”", '"'), ("‘", "'"), ("’", "'"))
_LLAMA_TABLE = (
    ("...", ", "), ("…", ", "), (":", ","), (" - ", ", "), (";", ", "), ("—", "-"), ("–", "-"), (" ,", ","), *_QUOTES,
)  # fmt: skip
_GPT_TABLE = (("…", ", "), (":", ","), ("—", "-"), ("–", "-"), (" ,", ","), *_QUOTES)
_TABLES: Mapping[Style, tuple[tuple[str, str], ...]] = MappingProxyType({"llama": _LLAMA_TABLE, "gpt": _GPT_TABLE})
# tts.py lacks the ideographic ones, for which the English model has no tokens either.
_ENDINGS: Mapping[Style, tuple[str, ...]] = MappingProxyType({
    "llama": (".", "!", "?", "-", ",", "、", "，", "。", "？", "！"),
    "gpt": (".", "!", "?", "-", ","),
})  # fmt: skip


def clean(text: str) -> str:
    """The text without what cannot be spoken: single spaces, and `PARAGRAPH` in place of empty lines.

    Raises:
        InvalidRequest: the text is blank or contains nothing to speak.
    """
    stripped = (" ".join(line.split()) for line in split_lines(INVISIBLE.sub("", text)))
    paragraphs = [" ".join(group) for filled, group in groupby(stripped, bool) if filled]
    cleaned = PARAGRAPH.join(paragraphs)
    require_speakable(cleaned)
    return cleaned


def one_line(text: str) -> str:
    """What can be seen of the text, in one line."""
    return " ".join(INVISIBLE.sub("", text).split())


def split_lines(text: str) -> list[str]:
    """The lines of a text, by every mark that ends one; a page's end is an empty line."""
    return _PAGE_END.sub(PARAGRAPH, _LINE_END.sub("\n", text)).split("\n")


def finish(chunk: str, style: Style) -> str:
    """The cleaned chunk as its tokenizer expects it: upstream's punctuation, a capital first and an ending mark."""
    paragraphs = chunk.split(PARAGRAPH)
    text = " ".join([*(_end_with(".", each) for each in paragraphs[:-1]), paragraphs[-1]])
    *lines, last = text.split("\n")
    text = " ".join([*(_end_with(",", line) for line in lines), last])
    if style == "plain":
        return text
    if text[:1].islower():
        text = text[0].upper() + text[1:]
    for uncommon, common in _TABLES[style]:
        text = text.replace(uncommon, common)
    text = text.rstrip(" ")
    return text if text.endswith(_ENDINGS[style]) else text + "."


def normalise_transcript(text: str, *, field: str) -> str:
    """The transcript of a recording, in one line.

    Raises:
        InvalidRequest: names `field`; the text is blank or contains nothing to speak.
    """
    try:
        return finish(clean(text), "plain")
    except InvalidRequest as error:
        raise InvalidRequest(error.message.replace("text", field, 1), field=field) from None


def _end_with(mark: str, text: str) -> str:
    return text + mark if text[-1:].isalnum() else text
