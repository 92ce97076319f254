"""A word's time is that of its letters, and it stands where it was written."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from chatterbox_worker.text.chunk import Chunk, chunks
from chatterbox_worker.text.normalise import clean, finish
from chatterbox_worker.text.reading import Reading, Span, Stretch, as_written
from chatterbox_worker.text.word_times import time_words


def chunk_of(reading: Reading) -> Chunk:
    (chunk,) = chunks(reading)
    return replace(chunk, spoken=finish(chunk.spoken, "llama"))


def times_of(reading: Reading) -> list[tuple[str, float, float]]:
    """Each character of what is spoken lasts a second."""
    chunk = chunk_of(reading)
    words = time_words(reading, chunk, range(len(chunk.spoken) + 1))
    assert all(reading.text[word.start : word.end] == word.text for word in words)
    assert all(one.end_s <= two.start_s for one, two in pairwise(words))
    return [(word.text, word.start_s, word.end_s) for word in words]


def test_words_have_the_times_of_their_letters() -> None:
    assert times_of(as_written("hello, big world", "en")) == [("hello,", 0, 5), ("big", 7, 10), ("world", 11, 16)]


def test_what_is_read_otherwise_has_the_time_of_what_is_read() -> None:
    text = "It is $5 million now."
    reading = Reading(text, (Stretch(0, len(text), "en"),), (Span(6, 16, "five million dollars"),))
    found = times_of(reading)
    assert found == [("It", 0, 2), ("is", 3, 5), ("$5 million", 6, 26), ("now.", 27, 30)]


def test_what_is_not_read_is_no_word() -> None:
    text = "A **bold** word - here."
    spans = (Span(2, 4, ""), Span(8, 10, ""))
    assert [word for word, _, _ in times_of(Reading(text, (Stretch(0, len(text), "en"),), spans))] == [
        "A", "**bold**", "word", "here.",
    ]  # fmt: skip


def test_a_word_that_the_model_cannot_speak_is_no_word() -> None:
    reading = as_written("A Жук's ЖУК here.", "en")
    chunk = replace(chunk_of(reading), left_out="ЖукУК")
    words = time_words(reading, chunk, range(len(chunk.spoken) + 1))
    assert [(word.text, word.start_s) for word in words] == [("A", 0), ("Жук's", 6), ("here.", 12)]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("es", "¿Qué tal?  Bien, gracias.", ["¿Qué", "tal?", "Bien,", "gracias."]),
        ("fr", "Oui ! C’est « bien ».", ["Oui", "C’est", "bien"]),  # a mark between spaces is no part of a word
        ("hi", "नमस्ते दुनिया।", ["नमस्ते", "दुनिया।"]),
        ("zh", "你好，世界。", ["你好，", "世界。"]),
        ("ja", "こんにちは。元気ですか？", ["こんにちは。", "元気ですか？"]),
        ("ko", "안녕 세상.", ["안녕", "세상."]),
    ],
)
def test_words_of_other_languages(language: str, text: str, words: list[str]) -> None:
    assert [word for word, _, _ in times_of(as_written(clean(text), language))] == words
