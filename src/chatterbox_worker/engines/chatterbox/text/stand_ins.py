"""What can be written for a character that a tokenizer has no token for, as near to its sound as possible.

A table in Python cannot know which characters a checkpoint's tokenizer has: the caller takes the first of the stand-ins
whose characters all have tokens.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

_SPOKEN_PUNCTUATION = "%&@#§‰"  # which Unicode counts as punctuation

_MARKS = {
    **dict.fromkeys("«»„“”‟″〝〞〟「」『』《》〈〉״", ('"',)),
    **dict.fromkeys("‹›‚‘’‛′´`ʼʻʹ׳", ("'",)),
    **dict.fromkeys("‐‑‒–—―−־", ("-", ",")),
    **dict.fromkeys("()[]{}|¦•·‖【】〔〕;؛:、،", (",",)),
    **dict.fromkeys("।॥。۔", (".",)),
    **dict.fromkeys("/\\_", (" ",)), "⁄": ("/", " "), "×": ("x",),
    "؟": ("?", "."), "?": (".",), "!": (".",), "~": ("",), "ـ": ("",),
}  # fmt: skip

_LETTERS = {
    # Latin letters that Unicode does not decompose
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ß": "ss", "ẞ": "ß", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d",
    "ı": "i", "ŋ": "ng", "ə": "a", "ɛ": "e", "ɔ": "o", "ɓ": "b", "ɗ": "d", "ɖ": "d", "ƙ": "k", "ƒ": "f",
    # final forms, and letters that are two
    "ς": "σ", "ך": "כ", "ם": "מ", "ן": "נ", "ף": "פ", "ץ": "צ", "װ": "וו", "ױ": "וי", "ײ": "יי",
    # Arabic: another carrier, final forms, forms of other languages, and what Arabic writes for their sounds
    "ٱ": "ا", "ى": "ا", "ة": "ه", "ک": "ك", "ی": "ي", "ے": "ي", "ہ": "ه", "ھ": "ه", "ە": "ه", "پ": "ب", "چ": "تش",
    "ژ": "ج", "گ": "ك", "ڤ": "ف",
    # Ukrainian
    "і": "и", "є": "е", "ґ": "г",
}  # fmt: skip
_CAPITALS = {
    capital: letters.capitalize()
    for letter, letters in _LETTERS.items()
    if (capital := letter.upper()) != letter and capital.lower() == letter
}
_TABLE = _MARKS | {letter: (letters,) for letter, letters in (_LETTERS | _CAPITALS).items()}

_HIRAGANA, _KATAKANA = range(0x3041, 0x3097), range(0x30A1, 0x30F7)
_APART = _KATAKANA.start - _HIRAGANA.start


def same_letter(character: str) -> str | None:
    """The letter in its other case, or the kana in the other script; None if there is none."""
    code = ord(character)
    if code in _HIRAGANA:
        return chr(code + _APART)
    if code in _KATAKANA:
        return chr(code - _APART)
    other = character.swapcase()
    # "ı" becomes "I", whose small letter is another one
    return other if len(other) == 1 and other != character and other.swapcase() == character else None


def stand_ins(character: str) -> Iterator[str]:
    """What can be written for it, best first. Its characters may need a stand-in in turn, but never lead back to it."""
    yield from _TABLE.get(character, ())
    if character.isdecimal() and not character.isascii():
        yield str(unicodedata.decimal(character))
    if (decomposed := unicodedata.normalize("NFKD", character)) != character:
        yield decomposed


def is_spoken(character: str) -> bool:
    """Letters, numbers, symbols and the vowel signs of Indic scripts; no punctuation, accents or controls."""
    category = unicodedata.category(character)
    if category[0] == "M":  # a vowel sign belongs to no class that is placed above or below a letter
        return category != "Me" and unicodedata.combining(character) == 0
    return category[0] in "LN" or category in ("Sm", "Sc", "So") or character in _SPOKEN_PUNCTUATION
