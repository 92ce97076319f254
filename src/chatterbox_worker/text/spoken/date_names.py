"""The names of months and days in full and in short: CLDR's, by ICU, and the months of the language's table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from chatterbox_worker.text.spoken import icu
from chatterbox_worker.text.spoken.patterns import WORD, alternatives
from chatterbox_worker.text.spoken.rules import Rules

LINK = "(?:de |of )?"
"""A pattern of what may stand between a day and its month."""
YEAR = r"(?:1[89]|20|١[٨٩]|٢٠)\d\d(?!\w)"
_PREFIX = {"he": "ב"}
"""By the language: "in", which is written together with a month."""


@lru_cache(maxsize=32)
def month_names(rules: Rules) -> tuple[str, ...]:
    """The months as they are written in a date."""
    return rules.month_words or icu.month_names(rules.locale)


@lru_cache(maxsize=32)
def _months_alone(rules: Rules) -> tuple[str, ...]:
    return rules.month_words or icu.month_names(rules.locale, "LLLL")


@lru_cache(maxsize=32)
def short_months(rules: Rules) -> Mapping[str, tuple[str, str]]:
    """A month's name after a day, and without one, by its short forms.

    Those have no full stop, and either case of the first letter.
    """
    names: dict[str, tuple[str, str]] = {}
    full = {name.casefold() for name in (*month_names(rules), *_months_alone(rules))}
    in_date, alone, prefix = month_names(rules), _months_alone(rules), _PREFIX.get(rules.locale, "")
    for pattern in ("MMM", "LLL"):
        for index, name in enumerate(icu.month_names(rules.locale, pattern)):
            short = name.rstrip(".")
            if short.casefold() in full or re.search(r"\d", short):
                continue
            names |= dict.fromkeys((short, short[0].upper() + short[1:]), (in_date[index], alone[index]))
            if prefix:
                names[prefix + short] = prefix + in_date[index], prefix + alone[index]
    return names


@lru_cache(maxsize=32)
def day_names(rules: Rules) -> Mapping[str, str]:
    """The days of the week by their short forms, with the full stop that CLDR has or both ways, and by themselves."""
    names: dict[str, str] = {}
    full = icu.day_names(rules.locale, "cccc")
    for pattern in ("EEE", "ccc", "cccc", "EEEE"):
        for name, written in zip(full, icu.day_names(rules.locale, pattern), strict=True):
            is_short = pattern in ("EEE", "ccc") and written != name
            for short in (written, written.rstrip(".") + ".") if is_short else (written,):
                names |= {short[0].upper() + short[1:]: name[0].upper() + name[1:], short: name}
    return names


@lru_cache(maxsize=32)
def weekday_is_last(rules: Rules) -> bool:
    """Whether a date ends with its weekday: "5 Mar Per" in Turkish."""
    written, short = (icu.day_names(rules.locale, pattern)[0] for pattern in ("::yMMMEd", "EEE"))
    return written.endswith(f" {short}")


@lru_cache(maxsize=32)
def months_pattern(rules: Rules) -> str:
    """The names of the months, and before a year their short forms."""
    names = "|".join(rules.months or map(re.escape, month_names(rules)))
    shorts = alternatives(tuple(short_months(rules)))
    return rf"{names}|(?:{shorts})\.?(?=,? {LINK}{YEAR})" if shorts else names


@lru_cache(maxsize=32)
def any_month(rules: Rules) -> str:
    """A pattern of a month in any form."""
    names = (*map(re.escape, (*month_names(rules), *_months_alone(rules), *short_months(rules))), *rules.months)
    return rf"(?:(?:{'|'.join(sorted(names, key=len, reverse=True))})(?![{WORD}]))"


def full_name(written: str, rules: Rules) -> str:
    """CLDR's name of the month, if what is written is short for one."""
    start = written.rstrip(".")
    if start in short_months(rules):
        return short_months(rules)[start][0]
    return next((name for name in month_names(rules) if name.casefold().startswith(start.casefold())), written)
