"""Ids as file names: valid on every system, and never outside the folder. Pure."""

from __future__ import annotations

import unicodedata

from chatterbox_worker.errors import InvalidRequest, quote

LONGEST_BYTES = 180
"""Of a name in UTF-8, without its extension; file systems allow 255 with it, and a draft's name is longer."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def stem_of(name: object) -> str:
    """The file name without extension for an id.

    Letters, their marks and digits of any script, `.`, `_` and `-` are retained; a run of anything else becomes `_`.

    Raises:
        InvalidRequest: the id is not a text, has no valid character, or is too long.
    """
    if not isinstance(name, str):
        raise InvalidRequest(f"id must be a text, not {quote(name)}", field="id")
    normal = unicodedata.normalize("NFC", name)
    cleaned = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "._-" else " " for c in normal)
    stem = "_".join(cleaned.split()).strip("._")
    if not stem:
        raise InvalidRequest(f"id {quote(name)} has no character that a file name can contain", field="id")
    if len(stem.encode(errors="replace")) > LONGEST_BYTES:
        raise InvalidRequest(f"id {quote(name)} is too long for a file name", field="id")
    return f"_{stem}" if stem.partition(".")[0].lower() in _RESERVED else stem
