"""Finds what is read otherwise than it is written, and adds it to a reading as spans.

Every recogniser yields spans over the text. The earlier one in `_RECOGNISERS` wins where two overlap; a span of the
reading itself, such as markup, and a sound tag win over all of them. What no recogniser knows stays as written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from chatterbox_worker.text.reading import Reading, Span, Stretch
from chatterbox_worker.text.scripts import tags
from chatterbox_worker.text.spoken import (
    addresses,
    calendar,
    codes,
    formulas,
    greek_letters,
    joins,
    money,
    numbers,
    quantities,
    short_dates,
    words,
)
from chatterbox_worker.text.spoken.numerals import Group
from chatterbox_worker.text.spoken.rules import Rules, rules_of
from chatterbox_worker.text.spoken.search import Part

_DIGIT = re.compile(r"\d")

Recogniser = Callable[[Part, Rules], Iterator[Group]]

_RECOGNISERS: tuple[tuple[str, Recogniser, bool], ...] = (
    # category, recogniser, whether it needs a digit
    ("urls", addresses.find_urls, False),
    ("emails", addresses.find_emails, False),
    ("symbols", codes.find_handles, False),
    ("symbols", codes.find_names_in_code, False),
    ("numbers", numbers.find_compounds, True),
    ("numbers", codes.find_codes, True),
    ("urls", codes.find_network_addresses, True),
    ("numbers", joins.find_verses, True),
    ("dates", calendar.find_dates, True),
    ("dates", short_dates.find_short_dates, True),
    ("units", quantities.find_durations, True),
    ("times", calendar.find_times, True),
    ("phones", addresses.find_phones, True),
    ("numbers", joins.find_seasons, True),
    ("numbers", numbers.find_versions, True),
    ("numbers", numbers.find_forms, True),
    ("money", money.find_money, True),
    ("numbers", numbers.find_percent, True),
    ("numbers", quantities.find_fractions, False),
    ("units", quantities.find_coordinates, True),
    ("units", quantities.find_units, True),
    ("numbers", numbers.find_counters, True),
    ("symbols", formulas.find_formulas, False),
    ("symbols", greek_letters.find_greek_letters, False),
    ("numbers", numbers.find_ordinals, True),
    ("roman", words.find_roman, False),
    ("numbers", numbers.find_ranges, True),
    ("numbers", numbers.find_years, True),
    ("numbers", numbers.find_scaled, True),
    ("numbers", numbers.find_numbers, True),
    ("numbers", joins.find_dashes, True),
    ("numbers", joins.find_between, True),
    ("units", words.find_per, True),
    ("symbols", words.find_symbols, False),
    ("abbreviations", words.find_numbered, True),
    ("abbreviations", words.find_abbreviations, False),
    ("plurals", words.find_plurals, False),
    ("acronyms", words.find_acronyms, False),
    ("acronyms", words.find_dotted, False),
)


def add_spoken_forms(reading: Reading, categories: frozenset[str], *, keeps_case: bool = True) -> Reading:
    """The reading with the spoken forms of `categories`, names of `catalogue.NORMALIZED`.

    `keeps_case`: the model can tell capitals, so that acronyms stay as written.
    """
    if keeps_case:
        categories -= {"acronyms"}
    has_digit = _DIGIT.search(reading.text) is not None
    wanted = [
        find
        for category, find, needs_digit in _RECOGNISERS
        if category in categories and (has_digit or not needs_digit)
    ]
    if not wanted:
        return reading
    taken = _mark_taken(reading)
    found = [span for stretch in reading.stretches for span in _find(reading.text, stretch, wanted, taken)]
    return replace(reading, spans=tuple(sorted([*reading.spans, *found], key=lambda span: span.start)))


def _mark_taken(reading: Reading) -> bytearray:
    taken = bytearray(len(reading.text))
    for start, end in [*((span.start, span.end) for span in reading.spans), *tags(reading.text)]:
        taken[start:end] = b"\1" * (end - start)
    return taken


def _find(text: str, stretch: Stretch, wanted: list[Recogniser], taken: bytearray) -> Iterator[Span]:
    if (rules := rules_of(stretch.language, stretch.region)) is None:
        return
    part = Part(text[stretch.start : stretch.end], taken[stretch.start : stretch.end])
    for find in wanted:
        for group in find(part, rules):
            if not part.take(group[0].start, group[-1].end):
                continue
            for span in group:
                yield Span(span.start + stretch.start, span.end + stretch.start, span.spoken)
