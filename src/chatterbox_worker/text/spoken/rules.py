"""What the recognisers know about a language: its table. CLDR's words come from `icu`, everything else is in the table.

Each language has a module in `languages` with one `RULES`. Patterns are regular expressions; words are in the form that
a reader says; rule sets are CLDR's, without "spellout-". A field that is left out switches its recogniser off for the
language: what is ambiguous stays as written.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

Words = Mapping[str, str]


def correct(words: str, fixes: Words) -> str:
    """The words with every correction, in the table's order."""
    for wrong, right in fixes.items():
        words = re.sub(wrong, right, words)
    return words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """A currency in everyday words: "dollars" where CLDR says "US dollars"."""

    major: str
    """An ICU plural message."""
    minor: str = ""
    """The same for its hundredth; empty: two decimals are read as decimals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    locale: str
    """CLDR's."""
    spaced: bool = True
    """Whether words are separated by spaces."""
    kana: bool = False
    """Whether numerals are read in kana, because the words that CLDR has are kanji, which have several readings."""

    joined: str = ""
    """A pattern of what is written together with a number before it, though words have spaces: Korean particles."""
    group: str = ","
    """The characters that may stand between groups of three digits."""
    group_digits: str = "{3}"
    """How many digits a group has, as a regular expression counts; the last one has three."""
    decimal: str = "."
    cardinal: str = "cardinal"
    """The rule set of a number that counts nothing."""
    agreement: tuple[tuple[str, str], ...] = ()
    """(pattern of the text that follows the number, rule set): the first that matches."""
    singular: tuple[tuple[str, str], ...] = ()
    """The same for 1 alone, before those: what only a noun in the singular tells."""
    labels: str = ""
    """A pattern of the text before a number that names something and counts nothing: "chapter 1"."""
    sections: str = ""
    """Alternatives of fixed length, each a word before a number with a full stop that is no decimal: "Section 10.1"."""
    fixes: Words = field(default_factory=dict)
    """Corrections of CLDR's words: patterns with their replacements."""
    speller: Callable[[int, str], str | None] | None = None
    """A whole number's words in a rule set, where CLDR's are wrong beyond correction; None where they are not."""
    concords: tuple[tuple[str, Words], ...] = ()
    """(pattern of the text before the number, corrections of its words), as after a noun of a Swahili class."""
    cases: tuple[tuple[str, str, str], ...] = ()
    """(patterns of the text before and after an amount, CLDR's name of the case that they give); the nouns of
    `quantities` and `money` have a genitive only."""
    compounds: tuple[tuple[str, str], ...] = ()
    """(pattern of what joins a number to the rest of its word, rule set): "18-letni"."""
    ordinals: tuple[tuple[str, str], ...] = ()
    """(suffix, rule set)."""
    ordinal_stops: tuple[tuple[str, str, str], ...] = ()
    """(text before, text after, rule set) of an ordinal number that is written as "3."."""
    years: tuple[tuple[str, str], ...] = ()
    """(pattern with the group y, rule set)."""
    decades: Words = field(default_factory=dict)
    """By their digit: the eighties, of "1980s" and "'80s"."""
    forms: tuple[tuple[str, str], ...] = ()
    """(pattern; words with its named groups): other numbers, in words. "{n}" agrees with the group w, a noun; a rule
    set may be given, "{n:ordinal-masculine}". The words stand for the group "all", if the pattern has it."""
    counters: Mapping[str, tuple[str, Words]] = field(default_factory=dict)
    """What counts in Japanese: its reading, and the readings together with a number or a last digit ("4", "…4")."""
    books: str = ""
    """Alternatives of fixed length, each a book of the Bible, before a chapter and a verse: "John 3:16", "Jn 3,16"."""
    to: str = ""
    """Between the ends of a range; with "-" before it, it is written together with the first."""
    range_fixes: Words = field(default_factory=dict)
    """Corrections of a range's words: a first end that does not stand before its noun."""
    score: str = ""
    """Between two numbers with a dash of which the second is smaller; empty: they keep the dash."""
    code_number: str = ""
    """The rule set of four digits after one or two capitals, as in a flight's number, or "pairs"; three after two
    capitals are read one by one."""
    per: Words = field(default_factory=dict)
    """By what follows a stroke after an amount: "$3/lb", "90 €/mes"."""
    percent: str = ""
    """"{n}" and the word; empty: as CLDR."""
    fractions: Words = field(default_factory=dict)
    """By "1/2"; also by "1 1/2" and "n 1/2", with "{n}" for the whole number."""
    fraction_and: str = " "
    """Between a whole number and its fraction."""
    between: Words = field(default_factory=dict)
    """Words for ":", "/", "x" and "^" between two numbers; without one, ":" and "/" are a gap."""
    out_of: str = ""
    """For "/" between a mark and the best one: "4.5/5", "10/10"."""
    days_before: str = ""
    """Alternatives of a word before a day and a month, which are no mark: "le 10/10" in French."""
    compass: Words = field(default_factory=dict)
    """The letters that follow degrees of a coordinate."""
    emergency: str = ""
    """A pattern of the text before a short telephone number: "call 911"."""
    scale_letters: tuple[tuple[str, str], ...] = ()
    """(pattern directly after a number, ICU plural message): "1.5M users"."""
    scales: Words = field(default_factory=dict)
    """Abbreviations of a million and the like, with ICU plural messages."""

    money: Mapping[str, Money] = field(default_factory=dict)
    """By ISO code; the others are read as CLDR has them."""
    symbols_of_money: Words = field(default_factory=dict)
    """Symbols with ISO codes, in addition to those of `money`."""
    money_words: Words = field(default_factory=dict)
    """Currencies' words with ISO codes, which only follow a number: "3,50 Euro", but "die Euro 2024"."""
    money_of: str = " "
    """Between a whole number of millions and what it counts."""
    money_and: str = " "
    """Between the currency and its hundredths."""
    attributive: tuple[tuple[str, str], ...] = ()
    """Patterns before and after an amount that describes the noun behind it, and so is singular: "a $5 bill"."""
    noun_first: bool = False
    """Whether a currency comes before its number."""
    phrase_fixes: Words = field(default_factory=dict)
    """Corrections of a number's words together with its currency or unit: patterns with their replacements."""
    money_scales: Words = field(default_factory=dict)
    """The same of words and letters that stand only between a number and its currency."""
    units: Words = field(default_factory=dict)
    """Symbols with CLDR's units, in addition to those of `quantities`."""
    unit_words: Words = field(default_factory=dict)
    """Symbols with ICU plural messages, where CLDR has no unit; "#" is the number's place, if it is not before them."""

    not_units: Words = field(default_factory=dict)
    """By a unit's symbol that is also a word: a pattern of the text after it if it is the word. "12 ha sido"."""

    time: str = ""
    """"{h}" and "{m}"; empty: no times."""
    time_hour: str = "{h}"
    """A full hour."""
    time_low: str = ""
    """Minutes below ten; empty: as `time`."""
    time_marks: str = ":"
    """Between hours and minutes; a letter or a full stop is listed only if nothing else is written so."""
    time_after: str = ""
    """A pattern of words after a time that its reading replaces."""
    halves: tuple[tuple[str, str], ...] = ()
    """(pattern, words) of the halves of the day, after a time."""
    time_dotted: tuple[str, str] = ("", "")
    """Patterns before and after a time that may have a full stop as its mark; both empty: none."""
    time_fixes: Words = field(default_factory=dict)
    """Corrections of a time's words."""
    hour: str = ""
    """The rule set of hours."""
    hour_to_12: str = ""
    """The rule set of hours up to twelve, where they have one of their own."""
    hour_after: tuple[tuple[str, str], ...] = ()
    """(pattern of the text before, rule set) of hours in another case."""
    minute: str = ""
    minute_after: tuple[tuple[str, str], ...] = ()
    """The same of minutes."""

    date: str = ""
    """"{d}", "{m}" and "{y}"; empty: no dates in numbers."""
    date_order: str = "dmy"
    date_short: tuple[tuple[str, str], ...] = ()
    """(pattern of the text before, after) of a day and a month in digits: "24.12." in Finnish."""
    day: str = ""
    """The rule set of a day in a date."""
    day_after: tuple[tuple[str, str], ...] = ()
    """(pattern of the text before, rule set) of a day in another case, before its month."""
    day_first: str = ""
    """Words for the first day of a month."""
    year: str = ""
    """The rule set of a year in a date."""
    day_month: str = ""
    """"{d}" and "{m}" of a day before or after the name of a month; empty: the day is read as any number."""
    month_day: str = ""
    """The same where the month comes first."""
    months: tuple[str, ...] = ()
    """Patterns of the twelve months' names, if CLDR's names are not enough."""
    month_words: tuple[str, ...] = ()
    """The months in words, where CLDR writes them with digits."""

    digits: Words = field(default_factory=dict)
    """Digits that are read otherwise one by one, as in a telephone number."""
    phones: str = ""
    """A pattern of the text before a number that is read digit by digit, though it could be a large one."""
    phone_plus: str = "plus"
    marks: Words = field(default_factory=dict)
    """Of addresses: ".", "/", "@" and so on."""
    symbols: Words = field(default_factory=dict)
    """"&", "+" and so on."""
    titles: Words = field(default_factory=dict)
    """Abbreviations that never end a sentence, with their words."""
    abbreviations: Words = field(default_factory=dict)
    """Abbreviations that may end one."""
    numbered: Words = field(default_factory=dict)
    """Abbreviations in front of a number, in any case: "p. 5", "Ext. 7"."""
    abbreviated: tuple[tuple[str, str], ...] = ()
    """(pattern, words): abbreviations that are read by what stands next to them, "St. James" and "James St."; the
    pattern's group a, if it has one. Words with a full stop may end a sentence."""
    adjectives: Words = field(default_factory=dict)
    """Abbreviated adjectives with their stems: "dt."."""
    endings: tuple[tuple[str, str, str], ...] = ()
    """(pattern of the text before, of the text after, ending) of those adjectives: the first that matches."""
    roman: tuple[tuple[str, str, str], ...] = ()
    """(pattern with the group r, rule set, words with "{n}")."""
    roman_cases: tuple[tuple[str, str, Words], ...] = ()
    """(pattern of the text before a numeral, rule set, words by those of `roman`) of a ruler in another case."""
    letters: str = ""
    """Names of the letters a to z (of the alphabet, where it is another); empty: letters are only separated."""
    alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    vowels: str = "AEIOUY"
    spelled: frozenset[str] = frozenset()
    """Acronyms with vowels that are spelled nevertheless."""
    plurals: tuple[tuple[str, str], ...] = ()
    """(pattern, words) of a plural in brackets."""


def rules_of(language: str, region: str = "") -> Rules | None:
    """The table of a language, as its `REGIONS` change it for a region ("MX"); None if it has none."""
    tables = _tables_of(language)
    return None if tables is None else tables.get(region, tables[""])


def region_of(language: str, region: str) -> str:
    """`region` if the language is read otherwise there, else an empty string."""
    return region if region in (_tables_of(language) or {}) else ""


@cache
def _tables_of(language: str) -> Mapping[str, Rules] | None:
    """By region; by an empty string where a region changes nothing."""
    name = f"chatterbox_worker.text.spoken.languages.{language}"
    if importlib.util.find_spec(name) is None:
        return None
    module = importlib.import_module(name)
    return {**getattr(module, "REGIONS", {}), "": module.RULES}
