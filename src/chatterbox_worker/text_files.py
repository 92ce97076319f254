"""Text out of bytes: UTF-8, with or without a byte order mark, UTF-16 and UTF-32 with one. Pure."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # begins as UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
LONGEST_MARK_BYTES = 4


def codec_of(start: bytes) -> tuple[str, str]:
    """Python's codec for a file that starts so, and its name for people."""
    return next(((codec, name) for mark, codec, name in _MARKS if start.startswith(mark)), ("utf-8", "UTF-8"))


def decode(data: bytes) -> str:
    """The text, with line ends as they are. Raises ValueError, which says what the bytes are not."""
    codec, name = codec_of(data)
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        hint = "; save it as UTF-8" if b"\0" not in data else "; UTF-16 needs a byte order mark at its start"
        raise ValueError(f"the file is not {name}{hint}") from None
