"""The names of units: CLDR's through ICU, with words for the signs in them.

CLDR joins two units that have no name of their own by "/" or "⋅" in most languages: "milligram/l", "Megawatt⋅Stunden".
What is said instead follows the language's own kilometres per hour and kilowatt-hours, or is the word for the sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.rules import correct

_SIGNS: Mapping[str, Mapping[str, str]] = {
    "ar": {"كيلو واط/ساعة": "كيلو واط ساعة", "مغم": "ملّيغرام", "/": " لكل ", "⋅": " "},
    "da": {"/l$": " per liter", "/m³": " per kubikmeter", "/m²": " per kvadratmeter", "⋅": "",
        r"pr\.": "per", "sekund²": "sekund i anden"},
    "de": {"⋅S": "s"},
    "el": {"/": " ανά ", "⋅": ""},
    "fi": {
        " / neliötuuma": " neliötuumalla", " / 100 km": " sadalla kilometrillä", r"am\. ": "",
        " / (neliömetri|kuutiometri)": r" \1ssä", " / sekunti": " sekunnissa", " / minuutti": " minuutissa",
        " / (litra|desilitra)": r" \1ssa", "⋅": "",
    },
    "he": {"/": " ל", "⋅": " ", "100 ק״מ": "100 קילומטר"},
    "hi": {"/": " प्रति ", "⋅": " "},
    "fr": {"100 km": "100 kilomètres"},
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
    "ru": {"⋅": "-", r"амер\. ": ""},
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


_ABBREVIATED = (
    *("hour", "minute", "second", "millisecond", "day", "week", "month", "year", "mile-per-hour", "calorie"),
    *("pound", "ounce", "foot", "inch", "mile", "cup", "tablespoon", "teaspoon", "horsepower", "metric-ton"),
    *("meter", "centimeter", "millimeter", "kilometer", "square-meter", "square-kilometer", "hectare", "liter"),
    *("milliliter", "gram", "kilogram", "kilometer-per-hour", "meter-per-second", "kilometer-per-liter"),
    *("kilowatt", "kilowatt-hour", "megahertz", "kilobyte", "kilocalorie", "megabit-per-second"),
)
_COUNTS = (1, 2, 5, Decimal("1.5"))
_SHORT = re.compile(r"[A-Za-zÀ-ɏ]{3}|[Ͱ-ϿЀ-ӿ]{2,3}|wk|hk")  # two Latin letters are too often a word


@lru_cache(maxsize=64)
def short_names(locale: str) -> Mapping[str, str]:
    """Units by CLDR's abbreviations of them: "Wo.", "שע׳", "дн."; not those that are words."""
    full = {
        word for unit in _ABBREVIATED for number in _COUNTS for part in unit_name(unit, number, locale)
        for word in part.split()
    }  # fmt: skip
    names: dict[str, str] = {}
    for unit in _ABBREVIATED:
        for number in _COUNTS:
            before, after = icu.phrase(f"unit/{unit} unit-width-short", number, locale)
            short = after.strip()
            is_word = short in full or all(word in full for word in short.split())
            letters = sum(char.isalpha() for char in short)
            is_marked = letters + ("׳" in short or "״" in short or "॰" in short) > 1 and re.search(r"[./²׳״॰]", short)
            if not before.strip() and not is_word and (is_marked or _SHORT.fullmatch(short)):
                names.setdefault(short, unit)
    return names


@lru_cache(maxsize=256)
def suffixes_of(unit: str, locale: str) -> tuple[str, ...]:
    """CLDR's abbreviations of a unit, of one letter too, for places where nothing else is meant."""
    full = {word for number in _COUNTS for part in unit_name(unit, number, locale) for word in part.split()}
    phrases = (
        icu.phrase(f"unit/{unit} unit-width-{width}", number, locale)
        for width in ("short", "narrow")
        for number in _COUNTS
    )
    found = {after.strip() for before, after in phrases if not before.strip()}
    return tuple(sorted(name for name in found if name and name not in full))
