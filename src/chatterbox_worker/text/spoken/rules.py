"""What the recognisers know about a language: its table. CLDR's words come from `icu`, everything else is in the table.

Each language has a module in `languages` with one `RULES`. Patterns are regular expressions; words are in the form that
a reader says. A field that is empty switches its recogniser off for the language: what is ambiguous stays as written.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Forms = tuple[tuple[str, str], ...]
"""(pattern, rule set) pairs: the first pattern that matches decides."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """A currency in everyday words: "dollars" where CLDR says "US dollars"."""

    major: str
    """An ICU plural message."""
    minor: str = ""
    """Its hundredth; empty: the decimals are read as a decimal number."""
    rule_set: str = ""
    """Of the number before `major`; empty for the default."""
    minor_rule_set: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    locale: str
    """CLDR's."""
    spaced: bool = True
    """Whether words are separated by spaces."""

    # numbers
    group: str = ","
    """The characters between groups of three digits."""
    decimal: str = "."
    cardinal: str = "cardinal"
    """The rule set of a number that counts nothing."""
    agreement: Forms = ()
    """By what follows the number."""
    ordinals: Forms = ()
    """By the suffix."""
    ordinal_stop: Forms = ()
    """For "3." as an ordinal number: by the text before it, a separator "→" and the text after it."""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """Corrections of CLDR's words."""
    minus: str = ""
    """Empty: as CLDR."""
    to: str = ""
    """Between the ends of a range."""
    percent: str = ""
    """"{n}" and the word; empty: as CLDR."""
    fractions: Mapping[str, str] = field(default_factory=dict)
    """Of "1/2" and the like."""
    fraction_and: str = ""
    """Between a whole number and its fraction."""
    year: str = ""
    """The rule set of a year; empty: years are read as other numbers."""
    scales: str = ""
    """Words for a million and the like, which may stand between a number and its currency."""


@lru_cache(maxsize=32)
def rules_of(language: str) -> Rules | None:
    """The table of a language; None if it has none."""
    try:
        module = importlib.import_module(f"chatterbox_worker.text.spoken.languages.{language}")
    except ModuleNotFoundError:
        return None
    rules: Rules = module.RULES
    return rules
