"""The names of units: CLDR's through ICU, with words for the signs in them.

CLDR joins two units that have no name of their own by "/" or "⋅" in most languages: "milligram/l", "Megawatt⋅Stunden".
What is said instead follows the language's own kilometres per hour and kilowatt-hours, or is the word for the sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.rules import correct

_SIGNS: Mapping[str, Mapping[str, str]] = {
    "ar": {"كيلو واط/ساعة": "كيلو واط ساعة", "مغم": "ملّيغرام", "/": " لكل ", "⋅": " "},
    "da": {"/l$": " per liter", "/m³": " per kubikmeter", "/m²": " per kvadratmeter", "⋅": "",
        r"pr\.": "per", "sekund²": "sekund i anden"},
    "de": {"⋅S": "s"},
    "el": {"/": " ανά ", "⋅": ""},
    "fi": {
        " / (neliömetri|kuutiometri)": r" \1ssä", " / sekunti": " sekunnissa", " / minuutti": " minuutissa",
        " / (litra|desilitra)": r" \1ssa", "⋅": "",
    },
    "he": {"/": " ל", "⋅": " "},
    "hi": {"/": " प्रति ", "⋅": " "},
    "it": {"⋅": ""},
    "ja": {
        "ドット/インチ": "ドットパーインチ", "/秒": "まいびょう", "/分": "まいふん", "/立方": "まいりっぽう",
        "/平方": "まいへいほう", "/": "まい", "⋅時間": "じ",
    },
    "ko": {"⋅시간": "시", "px": "픽셀"},
    "ms": {"⋅": " "},
    "nl": {"⋅": ""},
    "nb": {"sekund²": "sekund i annen", "⋅": ""},
    "pl": {"⋅": "o"},
    "pt": {"–": "-"},
    "ru": {"⋅": "-"},
    "sv": {"t–t": "t"},
    "sw": {"⋅": " "},
    "tr": {"saniye²": "saniye kare", "/": " bölü ", "⋅": " "},
    "zh": {"Ki": "千", "Mi": "兆", "Gib?": "吉", "Ti": "太", "/": "每", "瓦特⋅小时": "瓦时", "秒钟": "秒"},
}  # fmt: skip
"""By the language of the locale: patterns of CLDR's names, with what is said."""


def unit_name(unit: str, number: int | Decimal, locale: str, *, precision: str = "") -> tuple[str, str]:
    """What stands before and after the number; where CLDR has a word in place of the numeral, all of it before.

    `unit` is CLDR's, such as "kilometer-per-hour"; `precision` a stem of a number skeleton, " .0" for one decimal.
    """
    before, after = icu.phrase(f"unit/{unit} unit-width-full-name{precision}", number, locale)
    signs = _SIGNS.get(locale.partition("-")[0], {})
    return correct(before, signs), correct(after, signs)
