"""Numbers, units and currencies in words, by CLDR's data through ICU.

ICU is loaded with the first number (30 ms). Its soft hyphens, which mark where a long word may be divided, are removed.
"""

from __future__ import annotations

import re
import threading
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


def month_names(locale: str) -> tuple[str, ...]:
    """The twelve months as they are written in a date."""
    from datetime import UTC, datetime  # noqa: PLC0415 - as late as ICU itself

    days = (datetime(2001, month, 15, 12, tzinfo=UTC) for month in range(1, 13))
    return tuple(_formatter("{n,date,MMMM}", locale).format({"n": day}).translate(_ODD) for day in days)


@lru_cache(maxsize=4096, typed=True)
def _format(pattern: str, locale: str, number: int | Decimal) -> str:
    with _LOCK:
        return _formatter(pattern, locale).format({"n": number}).translate(_ODD)


@lru_cache(maxsize=512)
def _formatter(pattern: str, locale: str) -> MessageFormat:
    from icu4py.messageformat import MessageFormat  # noqa: PLC0415 - a text without numbers needs no ICU

    return MessageFormat(pattern, locale)
