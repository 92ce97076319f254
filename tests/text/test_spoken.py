"""What is written and what is read for it: a table of pairs in every language, and the laws of the stage."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.catalogue import LANGUAGES, NORMALIZED
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.text import scripts
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.chunk import chunks
from chatterbox_worker.text.normalise import clean
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.text.reading import Reading, Span, as_written
from chatterbox_worker.text.spoken import forms, icu, numerals, quantities
from chatterbox_worker.text.spoken.forms import add_spoken_forms
from chatterbox_worker.text.spoken.rules import rules_of
from chatterbox_worker.text.spoken.words import parse_roman

ALL = frozenset(NORMALIZED)
PAIRS = Path(__file__).with_name("spoken_pairs.tsv")


def read(text: str, language: str, categories: frozenset[str] = ALL) -> Reading:
    return add_spoken_forms(as_written(text, language), categories, keeps_case=False)


def spoken(text: str, language: str = "en", categories: frozenset[str] = ALL) -> str:
    return read(text, language, categories).spoken(0, len(text))


def pairs() -> list[list[str]]:
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


SOURCES = ("cldr", "num2words", "grammar", "usage", "as written")


def test_every_pair_of_the_table_is_read_as_it_says() -> None:
    wrong = [(*row, got) for row in pairs() if (got := spoken(row[1], row[0])) != row[2]]
    assert not wrong


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        ("es-MX", "$1,500.50 y 2.5 km", "mil quinientos pesos con cincuenta centavos y dos punto cinco kilómetros"),
        ("es-AR", "$1.500,50 y 2,5 km", "mil quinientos pesos con cincuenta centavos y dos coma cinco kilómetros"),
        ("es-CO", "$15.000", "quince mil pesos"),
        ("es-PE", "$15 y 2.5 km", "quince dólares y dos punto cinco kilómetros"),
        ("es", "$15", "quince dólares"),
        ("en-GB", "On 3/5/2026, 101 people", "On the third of May twenty twenty-six, one hundred and one people"),
        ("en-US", "On 3/5/2026, 101 people", "On March fifth, twenty twenty-six, one hundred one people"),
        (
            "pt-PT",
            "17 km e 2.345.000.000 €",
            "dezassete quilómetros e dois mil trezentos e quarenta e cinco milhões de euros",
        ),
        ("pt-AO", "1.000.000.000", "mil milhões"),
        ("pt-BR", "17 km e 1.000.000.000", "dezessete quilômetros e um bilhão"),
        ("fr-CH", "95 et 72", "nonante-cinq et septante-deux"),
    ],
)
def test_a_region_has_its_currency_decimal_mark_and_dates(tag: str, text: str, expected: str) -> None:
    language, _, region = tag.partition("-")
    reading = add_spoken_forms(as_written(text, language, region), ALL, keeps_case=False)
    assert reading.spoken(0, len(text)) == expected


def test_a_requests_region_is_read() -> None:
    request = parse({"text": "$5", "language": "es-AR", "model": "multilingual"}, Settings())
    assert isinstance(request, SpeechRequest)
    assert prepare(request).chunks[0].spoken == "Cinco pesos."


def test_every_pair_names_its_source() -> None:
    assert not [row for row in pairs() if len(row) != 4 or not row[3].startswith(SOURCES)]


def test_the_table_covers_every_language() -> None:
    counts = Counter(row[0] for row in pairs())
    assert set(counts) == set(LANGUAGES)
    assert sum(counts.values()) >= 400
    assert all(count >= (25 if language in ("en", "es") else 12) for language, count in counts.items())


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "$1,200", "one thousand two hundred dollars"),
        ("en", "12:30 p.m.", "twelve thirty p.m."),
        ("ru", "25470", "двадцать пять тысяч четыреста семьдесят"),
        ("en", "73°F", "seventy-three degrees Fahrenheit"),
        ("en", "https://example.com/a", "example dot com slash a"),
        ("es", "El 3/5/2026 a las 14:30", "El tres de mayo de dos mil veintiséis a las catorce treinta"),
        ("en", "Chapter XIV", "Chapter fourteen"),
    ],
)
def test_examples_that_callers_complained_about(language: str, text: str, expected: str) -> None:
    assert spoken(text, language) == expected


def test_a_japanese_number_reaches_the_tokenizer_in_kana() -> None:
    assert scripts.japanese()(spoken("1400万人", "ja")) == "せんよんひゃくまんにん"


words = st.text("abcdefghijklmnopqrstuvwxyzàéßñøčабвгдежзכשמابتकखग日本語한국어 ,.!?'\n", min_size=1, max_size=200)
mixed = st.lists(
    st.one_of(
        st.sampled_from(sorted({row[1] for row in pairs()})),
        st.text(min_size=1, max_size=12),
        st.text("0123456789.,:/-–%$€ °mkhXIV()&@#+=", min_size=1, max_size=14),
    ),
    min_size=1,
    max_size=5,
).map(" ".join)
languages = st.sampled_from(sorted(LANGUAGES))


@settings(deadline=None, max_examples=120)
@given(mixed, languages)
def test_what_is_not_recognised_comes_through_and_chunks_keep_the_way_back(text: str, language: str) -> None:
    text = clean(text + " a")
    reading = read(text, language)
    rest = reading.spoken(0, len(text))
    for span in reading.spans:  # what stands between spans is read as written, in its order
        assert "\n" not in span.spoken
    place = 0
    for span in reading.spans:
        between = text[place : span.start]
        assert rest.startswith(between + span.spoken)
        rest, place = rest.removeprefix(between + span.spoken), span.end
    assert rest == text[place:]
    cut = chunks(reading, 60)
    assert "".join(chunk.text for chunk in cut).replace(" ", "").replace("\n", "") == "".join(
        text[chunk.start : chunk.end] for chunk in cut
    ).replace(" ", "").replace("\n", "")
    gaps = [text[a.end : b.start] for a, b in itertools.pairwise(cut)]
    assert not any(char.isalnum() for gap in gaps for char in gap)


@settings(deadline=None, max_examples=60)
@given(words, languages)
def test_words_alone_are_left_as_they_are(text: str, language: str) -> None:
    table = rules_of(language)
    assert table is not None
    known = [*table.titles, *table.abbreviations]
    if not any(word.casefold() in text.casefold() for word in known) and ".com" not in text:
        found = read(text, language).spans
        assert [span for span in found if "." not in text[span.start : span.end]] == []


@pytest.mark.parametrize(
    ("category", "text", "expected"),
    [
        ("numbers", "25 books", "twenty-five books"),
        ("money", "$5", "five dollars"),
        ("units", "5 km", "five kilometers"),
        ("times", "12:30", "twelve thirty"),
        ("dates", "2026-05-03", "May third, twenty twenty-six"),
        ("phones", "555-123-4567", "five five five, one two three, four five six seven"),
        ("urls", "example.com", "example dot com"),
        ("emails", "a@b.org", "a at b dot org"),
        ("roman", "Chapter IV", "Chapter four"),
        ("symbols", "salt & pepper", "salt and pepper"),
        ("abbreviations", "Dr. No", "Doctor No"),
        ("acronyms", "HTML", "H T M L"),
        ("plurals", "word(s)", "words"),
    ],
)
def test_each_part_can_be_switched_alone(category: str, text: str, expected: str) -> None:
    assert spoken(text, categories=frozenset({category})) == expected
    assert spoken(text, categories=frozenset()) == text


def test_acronyms_stay_for_a_model_that_can_see_capitals() -> None:
    reading = add_spoken_forms(as_written("HTML", "en"), ALL)
    assert reading.spans == ()


def test_markup_and_sound_tags_are_left_to_those_who_know_them() -> None:
    text = "[pause:5s] 5 [laugh]"
    reading = Reading(text, as_written(text, "en").stretches, (Span(0, 10, ""),))
    assert add_spoken_forms(reading, ALL).spoken(0, len(text)) == "five [laugh]"


def test_the_full_stop_of_an_abbreviation_at_the_end_stays_the_sentences() -> None:
    assert spoken("Pears, etc. Then he left.") == "Pears, et cetera. Then he left."
    assert spoken("Pears, etc., were sold.") == "Pears, et cetera, were sold."
    assert spoken("We close at 5 pm. Come early.") == "We close at five p.m. Come early."


@pytest.mark.parametrize(
    ("numeral", "value"), [("XIV", 14), ("IIII", None), ("MCMXCIV", 1994), ("", None), ("IC", None)]
)
def test_roman_numerals_are_well_formed(numeral: str, value: int | None) -> None:
    assert parse_roman(numeral) == value


def test_a_very_long_number_can_be_cut() -> None:
    text = f"Pi: {'31415926535' * 12} ends."
    parts = chunks(read(text, "en"), 100)
    assert len(parts) > 3
    assert max(len(part.spoken) for part in parts) <= 110
    assert "".join(part.text for part in parts).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("language", ["en", "ja", "ar"])
def test_a_number_of_any_length_is_read(language: str) -> None:
    number = "9" * 4400  # Python converts at most 4300 digits
    for text in (f"{number} km", f"${number}", f"{number}½", f"{number}円", f"{number}.50 EUR", "H" + "₂" * 4400):
        assert number[:20] not in spoken(text, language)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_names_the_months_and_reads_every_unit_and_currency(language: str) -> None:
    table = rules_of(language)
    assert table is not None
    assert len(table.month_words or icu.month_names(table.locale)) == 12
    names = ("USD", "EUR", "SEK", "CHF", *quantities.symbols_of_units(table))
    written = [f"{number} {name}" for name in names for number in ("1", "1.5", "2", "5")]
    read_as = spoken("\n\n".join(written), language).split("\n\n")  # paragraph by paragraph would take 15 times as long
    every = zip(written, read_as, strict=True)
    assert [(amount, words) for amount, words in every if re.search(r"[\d/⋅·²³%‰$–]", words)] == []


def test_a_recogniser_that_fails_costs_its_words_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Iterator[numerals.Group]:
        raise ValueError("a unit that ICU does not know")

    monkeypatch.setattr(forms, "_RECOGNISERS", (("units", fail, True),))
    request = parse({"text": "It is 5 dB louder."}, Settings())
    assert isinstance(request, SpeechRequest)
    prepared = prepare(request)
    assert [chunk.spoken for chunk in prepared.chunks] == ["It is 5 dB louder."]
    assert ["left as written" in warning for warning in prepared.reading.warnings] == [True]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("model", ["multilingual", "turbo", "preview"])
def test_lengths_are_judged_by_what_is_read(model: str) -> None:
    text = " ".join(["Pay $1,999,999 now."] * 12)
    request = parse({"text": text, "model": model}, Settings(models=("multilingual", "turbo", "preview")))
    assert isinstance(request, SpeechRequest)
    prepared = prepare(request)
    assert len(prepared.chunks) > len(prepare(parse_as_written(text)).chunks)
    assert max(len(chunk.spoken) for chunk in prepared.chunks) <= 241


def parse_as_written(text: str) -> SpeechRequest:
    request = parse({"text": text, "normalize": False}, Settings())
    assert isinstance(request, SpeechRequest)
    return request


def test_a_long_text_is_read_in_linear_time() -> None:
    prose = (
        "On the 3rd of May 1984, at 12:30 p.m., Dr. Smith paid $1,200 for 25 books. The river ran slowly past the mill "
    )
    numbers = "On 12/25/2024, 3,250 people paid $1,250.50 for 3 kg at 14:30, which was 12.5% more than in 1999. "
    for text in (prose, numbers):
        read(text, "en")  # ICU's tables are loaded once
    for text, language, limit_s in (
        ("The rain had stopped, and the whole street held its breath before anyone spoke. ", "en", 0.04),  # 0.006 s
        (numbers, "en", 0.25),  # 0.08 s
        *(
            (part, language, 0.8)  # at most 0.4 s; quadratic would take half a minute
            for part, language in (
                (prose, "en"), ("1,1", "en"), ("1,1", "hi"), ("a.", "en"), ("1 ", "es"), ("http://", "en"),
                ("+1-", "en"), ("USD ", "en"), ("a-a=", "en"), ("100'", "en"), ("111 ", "en"), ("9", "en"), ("(", "en"),
                (".", "de"), ("A", "en"), ("a1", "en"), ("A1", "fr"), ("1,111", "ja"),
                ("§", "es"),
            )
        ),
    ):  # fmt: skip
        long = (text * 20_000)[:20_000]
        started = time.process_time()
        read(long, language)
        assert time.process_time() - started < limit_s, (text, language)


def test_a_text_without_numbers_loads_no_icu() -> None:
    code = (
        "import sys; from chatterbox_worker.text.reading import as_written;"
        "from chatterbox_worker.text.spoken.forms import add_spoken_forms as add;"
        "from chatterbox_worker.catalogue import NORMALIZED as names;"
        "add(as_written('The river ran & Dr. No left.', 'en'), frozenset(names));"
        "assert not any(name.startswith('icu4py') for name in sys.modules);"
        "tables = [name for name in sys.modules if '.spoken.languages.' in name]; assert len(tables) == 1, tables"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_every_category_has_a_recogniser() -> None:
    assert {category for category, *_ in forms._RECOGNISERS} == ALL - {"lexicon", "tags", "decoration"}
