from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text import chunk as chunking
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS, MIN_CHUNK_CHARS, Chunk, Pause
from chatterbox_worker.text.normalise import Style, clean, finish
from chatterbox_worker.text.reading import as_written
from chatterbox_worker.text.scripts import clusters, speakable, weight

WORDS = [
    "a", "the", "Internationalisation", "3.14", "Mr.", "e.g.", "[laugh]", "[clear throat]",
    "https://example.com/a?b=1.2", "«", "»", "—", "-", "“Yes.”", "ok!", "why?", "Well...", "no,", "so;", "then:",
    "你好。", "今天天气很好，我们去公园散步吧", "こんにちは。", "안녕하세요.", "नमस्ते।", "كيف؟", "שלום", "🎉", "👍🏽",
    "e\u0301\u0302", "(aside)", "x" * 70, "字" * 60, "\n\n", "\n\n* * *\n\n", "1984",
]  # fmt: skip
realistic = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
anything = st.text(min_size=1, max_size=400)
limits = st.integers(MIN_CHUNK_CHARS, 500)
slow_settings = settings(deadline=None, max_examples=150)
languages = st.sampled_from([None, *LANGUAGES])


def chunks(text: str, limit: int = DEFAULT_CHUNK_CHARS, language: str | None = None) -> list[Chunk]:
    return chunking.chunks(as_written(text, language), limit)


def clean_speakable(text: str) -> str:
    return clean(text + " a")  # so that there is something to speak


def gaps(text: str, pieces: list[Chunk]) -> list[str]:
    ends, starts = [0, *(chunk.end for chunk in pieces)], [*(chunk.start for chunk in pieces), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)]


def chunk_texts(text: str, limit: int = DEFAULT_CHUNK_CHARS, language: str | None = "en") -> list[str]:
    return [chunk.text for chunk in chunks(text, limit, language)]


@slow_settings
@given(realistic, limits, languages)
def test_chunks_and_white_space_between_them_are_the_text(text: str, limit: int, language: str | None) -> None:
    text = clean_speakable(text)
    pieces = chunks(text, limit, language)
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in pieces)
    assert all(a.end <= b.start for a, b in pairwise(pieces))
    assert all(not gap.strip() for gap in gaps(text, pieces))


@slow_settings
@given(st.one_of(realistic, anything), limits, languages)
def test_no_chunk_is_too_long_or_unspeakable_and_nothing_speakable_is_lost(
    text: str, limit: int, language: str | None
) -> None:
    text = clean_speakable(text)
    pieces = chunks(text, limit, language)
    assert all(len(chunk.text) <= sum(map(weight, chunk.text)) <= limit for chunk in pieces)
    assert all(any(map(speakable, chunk.text)) and chunk.text == chunk.text.strip() for chunk in pieces)
    assert not any(map(speakable, "".join(gaps(text, pieces))))


@slow_settings
@given(realistic, limits)
def test_cuts_fall_between_grapheme_clusters_and_outside_tags(text: str, limit: int) -> None:
    text = clean_speakable(text)
    places = {0, *clusters(text)}
    assert all(chunk.start in places and chunk.end in places for chunk in chunks(text, limit))


@slow_settings
@given(realistic, limits)
def test_the_last_chunk_has_no_pause(text: str, limit: int) -> None:
    assert chunks(clean_speakable(text), limit)[-1].pause is Pause.NONE


@pytest.mark.parametrize("language", [None, *LANGUAGES])
def test_a_short_text_is_one_chunk(language: str | None) -> None:
    text = clean("Hello there. How are you? 你好。")
    assert chunks(text, language=language) == [Chunk(text, 0, len(text), Pause.NONE, text, language or "")]


def test_sentences_are_packed_evenly_with_no_tiny_chunk_left_over() -> None:
    sentence = "This sentence has exactly fifty characters in it."
    pieces = chunk_texts(" ".join([sentence] * 5 + ["The end."]))
    assert [len(chunk) for chunk in pieces] == [149, 108]
    assert all(chunk.endswith(".") for chunk in pieces)


def test_a_long_sentence_is_cut_at_clauses_before_words() -> None:
    text = (
        "When the rain had finally stopped, the children ran out into the garden, "
        "where the old dog was waiting for them."
    )
    assert chunk_texts(text, 80) == [
        "When the rain had finally stopped, the children ran out into the garden,",
        "where the old dog was waiting for them.",
    ]
    assert [chunk.pause for chunk in chunks(text, 80)] == [Pause.CLAUSE, Pause.NONE]


def test_a_clause_that_is_too_long_is_cut_between_words() -> None:
    pieces = chunks(" ".join(["word"] * 30), 50)
    assert all(chunk.text.removeprefix("word").replace(" word", "") == "" for chunk in pieces)
    assert max(len(chunk.text) for chunk in pieces) - min(len(chunk.text) for chunk in pieces) <= 10
    assert {chunk.pause for chunk in pieces} == {Pause.NONE}


def test_paragraphs_stay_separate_unless_one_is_very_short() -> None:
    one, two = "The first paragraph stands alone.", "And so does the second one, of course."
    pieces = chunks(f"{one}\n\n{two}")
    assert [(chunk.text, chunk.pause) for chunk in pieces] == [(one, Pause.PARAGRAPH), (two, Pause.NONE)]
    assert chunk_texts(f"Chapter One\n\n{one}") == [f"Chapter One\n\n{one}"]
    assert chunk_texts(f"{one}\n\nChapter Two\n\n{two}") == [one, f"Chapter Two\n\n{two}"]
    assert chunk_texts("“Yes.”\n\n“No.”\n\n“Why?”") == ["“Yes.”\n\n“No.”\n\n“Why?”"]


def test_a_chunk_prefers_to_end_with_a_sentence_over_ending_inside_one() -> None:
    long = "While the rain kept on falling, the children played in the old barn all day, and the dog lay by the door."
    pieces = chunks(f"He stayed at home the whole day. {long} Nobody went outside until dark.", 80)
    assert len(pieces) == 3
    assert {chunk.pause for chunk in pieces[:-1]} == {Pause.CLAUSE, Pause.SENTENCE}  # more even: two clauses


def test_a_mark_after_a_space_still_ends_its_sentence() -> None:
    pieces = chunks("Que voulez-vous donc savoir ? Je ne vous dirai rien du tout !", 50, "fr")
    assert [(chunk.text, chunk.pause) for chunk in pieces] == [
        ("Que voulez-vous donc savoir ?", Pause.SENTENCE),
        ("Je ne vous dirai rien du tout !", Pause.NONE),
    ]


def test_a_very_short_sentence_joins_a_neighbour_if_it_fits() -> None:
    long = "This sentence nearly fills a chunk of fifty chars."
    assert len(long) == 50
    assert chunk_texts(f"Yes. {long[6:]}", 50) == [f"Yes. {long[6:]}"]
    assert chunk_texts(f"Yes. {long}", 50) == ["Yes.", long]


@pytest.mark.parametrize(
    ("text", "limit", "language", "expected"),
    [
        (
            "今天天气很好，我们去公园散步吧。你想不想一起去？",
            50,
            "zh",
            ["今天天气很好，我们去公园散步吧。", "你想不想一起去？"],
        ),
        (
            "昨日は友達と映画を見ました。とても面白かったです。",
            50,
            "ja",
            ["昨日は友達と映画を見ました。", "とても面白かったです。"],
        ),
        (
            "오늘은 날씨가 아주 좋습니다. 같이 산책하러 갈까요?",
            50,
            "ko",
            ["오늘은 날씨가 아주 좋습니다.", "같이 산책하러 갈까요?"],
        ),
        (
            "आज मौसम बहुत अच्छा है। क्या हम बाहर घूमने चलें?",
            50,
            "hi",
            ["आज मौसम बहुत अच्छा है।", "क्या हम बाहर घूमने चलें?"],
        ),
        (
            "الطقس جميل جداً هذا اليوم. هل نذهب إلى الحديقة معاً؟",
            50,
            "ar",
            ["الطقس جميل جداً هذا اليوم.", "هل نذهب إلى الحديقة معاً؟"],
        ),
        (
            "« Je ne sais pas encore. » « Et pourquoi donc ? » dit-il.",
            50,
            "fr",
            ["« Je ne sais pas encore. »", "« Et pourquoi donc ? » dit-il."],
        ),
        (
            "No sé qué hora es ahora. ¿Tiene usted un reloj, Sr. Ruiz?",
            50,
            "es",
            ["No sé qué hora es ahora.", "¿Tiene usted un reloj, Sr. Ruiz?"],
        ),
    ],
)
def test_each_script_is_cut_between_its_sentences(text: str, limit: int, language: str, expected: list[str]) -> None:
    assert chunk_texts(text, limit, language) == expected


def test_scripts_with_slower_characters_get_shorter_chunks() -> None:
    assert max(map(len, chunk_texts("天" * 200))) <= DEFAULT_CHUNK_CHARS // 3
    assert max(map(len, chunk_texts("각" * 200))) <= DEFAULT_CHUNK_CHARS / 2.5


def test_a_very_long_word_is_cut_evenly_and_at_its_marks() -> None:
    assert [len(part) for part in chunk_texts("x" * 101, 50)] == [34, 33, 34]
    url = "https://example.com/" + "/".join(["segment"] * 8)
    assert all(part.endswith("/") for part in chunk_texts(url, 50)[:-1])


@pytest.mark.parametrize("unit", ["e\u0301", "क्ष", "नी", "[clear throat]", "각"])
def test_a_very_long_word_is_never_cut_inside_a_character_or_a_tag(unit: str) -> None:
    assert all(part.replace(unit, "") == "" for part in chunk_texts(unit * 60, 50))


def test_flags_and_skin_tones_are_not_cut() -> None:
    assert clusters("🇩🇪🇫🇷👍🏽a") == [2, 4, 6, 7]


def test_lone_marks_join_a_neighbour() -> None:
    assert chunk_texts("Great news for everyone today! 🎉🎉 * * * See you all again tomorrow.", 50) == [
        "Great news for everyone today! 🎉🎉",
        "* * * See you all again tomorrow.",
    ]


def test_a_drawn_line_longer_than_a_chunk_is_left_out_but_no_word_is() -> None:
    pieces = chunk_texts("Above the line.\n\n" + "-" * 300 + "\n\nBelow the line.", 50)
    assert " ".join(pieces).replace("-", "").split() == ["Above", "the", "line.", "Below", "the", "line."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", ["a"]), ("7", ["7"]), ("12345", ["12345"]), ("[laugh]", ["[laugh]"]), ("...a", ["...a"])],
)
def test_the_smallest_texts_are_one_chunk(text: str, expected: list[str]) -> None:
    assert chunk_texts(text) == expected


def test_a_text_without_anything_to_speak_is_rejected() -> None:
    with pytest.raises(InvalidRequest, match="nothing to speak"):
        chunks("... !!! 🎉")


def test_a_limit_too_small_for_a_tag_is_rejected() -> None:
    with pytest.raises(ValueError, match="below 50"):
        chunks("Hello.", MIN_CHUNK_CHARS - 1)


@pytest.mark.parametrize(
    "text",
    ["x" * 50_000, "字" * 50_000, "a" + "." * 50_000, "a" + "\n" * 50_000 + "b", "a" + " " * 50_000 + "b",
     "a\n\n" * 16_000, "No! " * 12_500, "好。" * 25_000, "a" + "\u0301" * 50_000, "[a" * 25_000,
     "\".'" * 16_000 + "a", "1. " * 16_000, "a, " * 16_000, "word " * 10_000],
    ids=lambda text: repr(text[:6]),
)  # fmt: skip
def test_fifty_thousand_characters_of_anything_take_under_a_second(text: str) -> None:
    start_s = time.process_time()
    styles: tuple[Style, ...] = ("llama", "gpt")
    for chunk in chunks(clean(text)):
        for style in styles:
            assert finish(chunk.text, style)
    assert time.process_time() - start_s < 1.0


@pytest.mark.parametrize("mark", [".", "\n", " ", "…"])
def test_fifty_thousand_marks_are_rejected_in_under_a_second(mark: str) -> None:
    start_s = time.process_time()
    with pytest.raises(InvalidRequest):
        clean(mark * 50_000)
    assert time.process_time() - start_s < 1.0
