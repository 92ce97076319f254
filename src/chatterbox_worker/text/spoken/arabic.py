"""Arabic cardinals without case endings. CLDR's lack genders from three on, and words of hundreds.

Source: مصطفى الغلاييني، جامع الدروس العربية، العدد (gender against the noun's, duals, plurals of scales).
The spelling is مئة, which is said as it is written; مائة is the older one.
"""

from __future__ import annotations

import re

from chatterbox_worker.text.spoken import icu

_MASCULINE = ["صفر", "واحد", "اثنان", "ثلاثة", "أربعة", "خمسة", "ستة", "سبعة", "ثمانية", "تسعة", "عشرة"]
_FEMININE = ["صفر", "واحدة", "اثنتان", "ثلاث", "أربع", "خمس", "ست", "سبع", "ثماني", "تسع", "عشر"]
_BEFORE_TEN = {False: {1: "أحد", 2: "اثنا"}, True: {1: "إحدى", 2: "اثنتا"}}
_TENS = ["عشرون", "ثلاثون", "أربعون", "خمسون", "ستون", "سبعون", "ثمانون", "تسعون"]
_HUNDREDS = ["مئة", "مئتان", "ثلاثمئة", "أربعمئة", "خمسمئة", "ستمئة", "سبعمئة", "ثمانمئة", "تسعمئة"]
_TENTHS = re.compile(r"(عشر|ثلاث|أربع|خمس|ست|سبع|ثمان|تسع)ون\b")
_TWELVE = re.compile(r"\b(و?اثنت?)ا (?=عشر)")
_DUAL = re.compile(r"\b(و?(?:اثنت?|مئت|ألف|مليون|مليار|تريليون))ان\b")
_SCALES = (
    (10**12, ("تريليون", "تريليونان", "تريليونات")),
    (10**9, ("مليار", "ملياران", "مليارات")),
    (10**6, ("مليون", "مليونان", "ملايين")),
    (10**3, ("ألف", "ألفان", "آلاف")),
)


def spell(number: int, rule_set: str) -> str:
    """A number of at most fifteen digits in words; "cardinal-feminine" counts a feminine noun.

    With "-oblique" after the rule set's name it has the ending of the tens and duals after a preposition.
    """
    if rule_set.endswith("-oblique"):
        words = spell(number, rule_set.removesuffix("-oblique"))
        return _DUAL.sub(r"\1ين", _TWELVE.sub(r"\1ي ", _TENTHS.sub(r"\1ين", words)))
    if rule_set.startswith("ordinal"):
        return icu.spell(number, "ar", rule_set)
    parts, rest = [], number
    for value, forms in _SCALES:
        many, rest = divmod(rest, value)
        if many:
            parts.append(_count(many, forms))
    if rest or not parts:
        parts.append(_below_thousand(rest, feminine=rule_set == "cardinal-feminine"))
    return " و".join(parts)


def _count(many: int, forms: tuple[str, str, str]) -> str:
    one, two, few = forms
    if many <= 2:
        return one if many == 1 else two
    words = _below_thousand(many, feminine=False)
    if words.endswith("مئتان"):
        words = words.removesuffix("ن")
    return f"{words} {few if 3 <= many % 100 <= 10 else one}"


def _below_thousand(number: int, *, feminine: bool) -> str:
    hundreds, rest = divmod(number, 100)
    parts = [_HUNDREDS[hundreds - 1]] if hundreds else []
    if rest or not parts:
        parts.append(_below_hundred(rest, feminine=feminine))
    return " و".join(parts)


def _below_hundred(number: int, *, feminine: bool) -> str:
    units = _FEMININE if feminine else _MASCULINE
    if number <= 10:
        return units[number]
    tens, unit = divmod(number, 10)
    if tens == 1:
        return f"{_BEFORE_TEN[feminine].get(unit, units[unit])} {'عشرة' if feminine else 'عشر'}"
    if unit == 0:
        return _TENS[tens - 2]
    word = "إحدى" if feminine and unit == 1 else units[unit]
    return f"{word} و{_TENS[tens - 2]}"
