"""Numbers, units and currencies in words, by CLDR's data through ICU.

ICU is loaded with the first number (30 ms). Its soft hyphens, which mark where a long word may be divided, are removed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icu4py.messageformat import MessageFormat

_LOCK = threading.Lock()  # ICU does not promise that a formatter may be used by two threads
_NUMERAL = re.compile(r"[-−\u200e\u200f\u061c]*\d(?:[\d.,٫٬'’\s]*\d)?")
_ODD = str.maketrans({"\u00ad": None, "\u00a0": " ", "\u202f": " "})


def spell(number: int | Decimal, locale: str, rule_set: str) -> str:
    """The number in words; `rule_set` is one of CLDR's for the locale, without its "spellout-"."""
    return _format(f"{{n,spellout,%spellout-{rule_set}}}", locale, number)


def plural(message: str, number: int | Decimal, locale: str) -> str:
    """The form of an ICU plural message that belongs to the number: "one{day} other{days}"."""
    return _format(f"{{n,plural,{message}}}", locale, number)


def phrase(skeleton: str, number: int | Decimal, locale: str) -> tuple[str, str]:
    """What CLDR puts before and after the numeral, such as ("", " degrees Celsius") for "unit/celsius".

    Where CLDR has a word in place of the numeral, as for one and two in Arabic, that is all: (word, "").
    """
    return split_at_numeral(_format(f"{{n,number,::{skeleton}}}", locale, number))


def split_at_numeral(text: str) -> tuple[str, str]:
    """What stands before and after the numeral; without one, all of it before."""
    found = _NUMERAL.search(text)
    return (text, "") if found is None else (text[: found.start()], text[found.end() :])


_CATEGORIES = "zero{zero} one{one} two{two} few{few} many{many} other{other}"
_COUNTS = (1, 2, 3, 5, 11, Decimal("1.5"))  # one of each category of the languages
_POWERS = range(3, 13)


@lru_cache(maxsize=64)
def short_scales(locale: str) -> Mapping[str, str]:
    """What follows a number in place of thousands, millions and so on, with ICU plural messages: " Mio.", "K"."""
    scales = {}
    for power in _POWERS:
        written = _format("{n,number,::compact-short}", locale, 2 * 10**power)
        before, after = split_at_numeral(written)
        if before or len(written) != len(after) + 1 or not after.strip():  # no scale, or one before the number
            continue
        forms = {}
        for count in _COUNTS:
            if words := phrase("compact-long", count * 10**power, locale)[1].strip():
                forms[plural(_CATEGORIES, count, locale)] = words
        if forms:
            forms.setdefault("other", next(reversed(forms.values())))
            scales[after.replace("\u200f", "")] = " ".join(f"{name}{{{words}}}" for name, words in forms.items())
    return scales


def month_names(locale: str, pattern: str = "MMMM") -> tuple[str, ...]:
    """The twelve months by a pattern of CLDR's; by default as they are written in a date."""
    return _date_names(((month, 15) for month in range(1, 13)), locale, pattern)


def day_names(locale: str, pattern: str) -> tuple[str, ...]:
    """The days of the week from Monday on, by a pattern of CLDR's."""
    return _date_names(((1, day) for day in range(1, 8)), locale, pattern)


def _date_names(days: Iterable[tuple[int, int]], locale: str, pattern: str) -> tuple[str, ...]:
    from datetime import UTC, datetime  # noqa: PLC0415 - as late as ICU itself

    dates = (datetime(2001, month, day, 12, tzinfo=UTC) for month, day in days)  # January 1 was a Monday
    return tuple(_formatter(f"{{n,date,{pattern}}}", locale).format({"n": date}).translate(_ODD) for date in dates)


@lru_cache(maxsize=4096, typed=True)
def _format(pattern: str, locale: str, number: int | Decimal) -> str:
    with _LOCK:
        return _formatter(pattern, locale).format({"n": number}).translate(_ODD)


@lru_cache(maxsize=512)
def _formatter(pattern: str, locale: str) -> MessageFormat:
    from icu4py.messageformat import MessageFormat  # noqa: PLC0415 - a text without numbers needs no ICU

    return MessageFormat(pattern, locale)
