"""The id of a voice, from the name or the file name that a person gives it.

Accents are dropped ("Zoë" is "Zoe"), and whatever an id cannot contain becomes a hyphen. Letters of other scripts are
not transliterated, since that differs by language: the id then ends in eight digits of the name's digest, so that two
such names never share an id.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import LONGEST_VOICE_ID, LONGEST_VOICE_NAME, VOICE_ID

_DIGITS = 8
_MOST_PARTS = 4  # of a character in composed form, such as U+1F82


def check_name(name: str, *, field: str) -> str:
    """The name in composed form, as it is shown.

    Raises:
        InvalidRequest: names `field`; empty, too long, a path, or with control characters.
    """
    shown = name.strip()
    if len(shown) <= LONGEST_VOICE_NAME * _MOST_PARTS:  # the time of the normal form grows with the square of its marks
        shown = unicodedata.normalize("NFC", shown).strip()
    if not 0 < len(shown) <= LONGEST_VOICE_NAME or any(
        character in "/\\" or unicodedata.category(character) in ("Cc", "Cs") for character in shown
    ):
        raise InvalidRequest(
            f"{field} {quote(name)} is not a name: 1 to {LONGEST_VOICE_NAME} characters, without slashes and control "
            "characters",
            field=field,
        )
    return shown


def id_of(name: str, *, is_distinct: bool = False) -> str:
    """The id for a checked name; the name itself if it is one. `is_distinct` adds the digest in any case."""
    if re.fullmatch(VOICE_ID, name) and not is_distinct:
        return name
    letters = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", letters).strip("-._")[:LONGEST_VOICE_ID].rstrip("-._")
    if plain and not is_distinct and not any(each.isalnum() and not each.isascii() for each in letters):
        return plain
    digits = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
    return f"{(plain or 'voice')[: LONGEST_VOICE_ID - _DIGITS - 1]}-{digits}"
