"""An id as the name of a file: on every system, and never outside its folder. Pure."""

from __future__ import annotations

import unicodedata

from chatterbox_worker.errors import InvalidRequest, quote

LONGEST_BYTES = 180
"""Of a name in UTF-8, without its ending; file systems take 255 with it, and a draft's name is longer."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}  # on Windows


def stem_of(name: object) -> str:
    """Letters, their marks and digits of any script, `.`, `_` and `-` stay; a run of anything else is one `_`.

    Raises:
        InvalidRequest: the id is no text, or nothing of it is left.
    """
    if not isinstance(name, str):
        raise InvalidRequest(f"id must be a text, not {quote(name)}", field="id")
    normal = unicodedata.normalize("NFC", name)
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" or c in "._-" else " " for c in normal)
    stem = "_".join(kept.split()).strip("._")
    if not stem:
        raise InvalidRequest(f"id {quote(name)} has nothing that a file could be called", field="id")
    if len(stem.encode(errors="replace")) > LONGEST_BYTES:
        raise InvalidRequest(f"id {quote(name)} is longer than a file's name may be", field="id")
    return f"_{stem}" if stem.partition(".")[0].lower() in _RESERVED else stem
