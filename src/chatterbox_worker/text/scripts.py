"""Properties of characters in speech: whether they are spoken, how long they take, and which belong together."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from chatterbox_worker.errors import InvalidRequest

# How long one character takes, in Latin letters. Read English is about 15 characters a second (150 words a minute,
# 6 characters each with the space). Mandarin is about 5 syllables a second and one Han character is one syllable;
# kana (about 7.5 morae a second) and Hangul syllables are in between. Arabic and Hebrew omit most vowels, a Devanagari
# consonant includes one, and a digit is read as a word. In halves, so that sums are exact.
_SLOW = (
    (re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u3005-\u3007]"), 3.0),  # Han
    (re.compile(r"[\uac00-\ud7a3]"), 2.5),  # Hangul syllables
    (re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff\uff66-\uff9d]"), 2.0),  # kana
    (re.compile(r"[\u05d0-\u05ea\u0620-\u064a\u066e-\u06d3]"), 1.5),  # Hebrew and Arabic letters
    (re.compile(r"[\u0904-\u0939\u0958-\u0961]"), 1.5),  # Devanagari letters
)
_DIGIT = 3.0

_VIRAMA = "\u094d"  # joins two Devanagari consonants into one conjunct
_TAG = re.compile(r"\[[A-Za-z][A-Za-z _-]{0,30}\]")  # turbo's longest is [clear throat]


def require_speakable(text: str) -> None:
    """Raises InvalidRequest for a text that is blank or contains only punctuation, symbols and emoji."""
    if not text.strip():
        raise InvalidRequest("The text is empty: there is nothing to speak.", field="text")
    if not any(map(speakable, text)):
        raise InvalidRequest("The text has no letter or digit: there is nothing to speak.", field="text")


def speakable(char: str) -> bool:
    """Letters and numbers of any script; marks, punctuation, symbols and emoji alone are not spoken."""
    return char.isalnum()


def weight(char: str) -> float:
    """How long the character takes to speak, in Latin letters; never below 1, so a weight bounds a length."""
    if char.isdecimal():
        return _DIGIT
    if char < "\u0590":  # Latin, Greek, Cyrillic
        return 1.0
    return next((slow for pattern, slow in _SLOW if pattern.match(char)), 1.0)


def tags(text: str) -> Iterator[tuple[int, int]]:
    """The spans of sound tags such as [laugh], which must not be cut."""
    return (match.span() for match in _TAG.finditer(text))


def clusters(text: str) -> list[int]:
    """Every index where `text` may be cut, the end included: never inside a grapheme cluster or a tag.

    The rules of UAX #29 that still apply after `normalise.clean` has removed the invisible characters: combining marks,
    conjuncts, conjoining jamo, skin tones and flags.
    """
    inside = {index for start, end in tags(text) for index in range(start + 1, end)}
    cuts: list[int] = []
    flags = 0  # regional indicators pair up from the left
    for index in range(1, len(text)):
        before, after = text[index - 1], text[index]
        flags = flags + 1 if _is_flag_half(before) else 0
        is_flag_pair = flags % 2 == 1 and _is_flag_half(after)
        if index not in inside and not is_flag_pair and not _belong_together(before, after):
            cuts.append(index)
    return [*cuts, len(text)]


def _belong_together(before: str, after: str) -> bool:
    return (
        unicodedata.category(after).startswith("M")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\u1160" <= after <= "\u11ff"  # vowel and final jamo
        or (before == _VIRAMA and "\u0904" <= after <= "\u0939")
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
