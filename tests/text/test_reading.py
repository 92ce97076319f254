"""The seam between what is written and what is read: spans, stretches and the chunks that are cut from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.text.chunk import MIN_CHUNK_CHARS, Pause, chunks
from chatterbox_worker.text.reading import Reading, Span, Stretch, as_written
from chatterbox_worker.text.scripts import speakable, weight

WORDS = ["one", "two.", "three,", "$5", "[laugh]", "«", "* * *", "x" * 60, "字" * 20, "\n\n"]


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    text = " ".join([*draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30)), "end"])
    edges = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=8)))
    spans = [
        Span(
            start, end, draw(st.sampled_from(["", "five dollars", "a " * 40 + "b", text[start:end].replace("\n", " ")]))
        )
        for start, end in zip(edges[::2], edges[1::2], strict=False)
        if not text[start].isspace() and not text[end - 1].isspace()
    ]
    return Reading(text, (Stretch(0, len(text), "en"),), tuple(spans))


@settings(deadline=None, max_examples=60)
@given(readings(), st.integers(MIN_CHUNK_CHARS, 300))
def test_chunks_keep_the_way_back_and_are_measured_as_they_are_read(reading: Reading, limit: int) -> None:
    if not any(map(speakable, reading.spoken(0, len(reading.text)))):
        return
    place, inside = 0, {i for span in reading.spans for i in range(span.start + 1, span.end)}
    for chunk in chunks(reading, limit):
        assert chunk.text == reading.text[chunk.start : chunk.end]
        assert chunk.spoken == reading.spoken(chunk.start, chunk.end)
        assert not {chunk.start, chunk.end} & inside
        is_one_span = any(span.start >= chunk.start and span.end <= chunk.end for span in reading.spans)
        assert sum(map(weight, chunk.spoken)) <= limit or is_one_span
        assert not any(map(speakable, reading.spoken(place, chunk.start)))
        place = chunk.end
    assert not any(map(speakable, reading.spoken(place, len(reading.text))))


def test_a_reading_without_spans_is_read_as_written() -> None:
    text = "In 1984, at 12:30. Nothing changes.\n\nNot here."
    [chunk] = chunks(as_written(text, "en"))
    assert chunk.spoken == chunk.text == text


def test_a_long_span_is_never_cut() -> None:
    text = "Call 5551234 now please."
    reading = Reading(text, (Stretch(0, len(text), "en"),), (Span(5, 12, "five " * 12),))
    spoken = [chunk.spoken for chunk in chunks(reading, 50)]
    assert sum("five five" in part for part in spoken) == 1
    assert "".join(chunk.text for chunk in chunks(reading, 50)).replace(" ", "") == text.replace(" ", "")


def test_a_stretch_ends_a_chunk_with_its_own_pause_and_language() -> None:
    text = "He said hola and left. Then he came back."
    stretches = (Stretch(0, 8, "en"), Stretch(8, 13, "es", pause_s=1.5), Stretch(13, len(text), "en"))
    first, second, third = chunks(Reading(text, stretches))
    assert (first.text, first.language, first.pause, first.exact_pause_s) == ("He said", "en", Pause.NONE, None)
    assert (second.text, second.language, second.pause_s(2.0)) == ("hola", "es", 1.5)
    assert (third.start, third.language, third.pause_s()) == (13, "en", 0.0)


def test_the_pause_of_a_stretch_without_words_is_added_to_the_chunk_before_it() -> None:
    text = "One. * Two."
    stretches = (Stretch(0, 5, "en"), Stretch(5, 7, "en", pause_s=2.0), Stretch(7, 11, "en"))
    assert [chunk.exact_pause_s for chunk in chunks(Reading(text, stretches))] == [2.0, None]


@pytest.mark.parametrize(
    ("stretches", "spans"),
    [
        ((Stretch(0, 4, "en"),), ()),
        ((Stretch(0, 3, "en"), Stretch(4, 5, "en")), ()),
        ((Stretch(0, 5, "en"),), (Span(0, 2, ""), Span(1, 3, ""))),
        ((Stretch(0, 5, "en"),), (Span(2, 2, "x"),)),
        ((Stretch(0, 5, "en"),), (Span(4, 6, "x"),)),
    ],
)
def test_a_reading_that_is_not_one_is_refused(stretches: tuple[Stretch, ...], spans: tuple[Span, ...]) -> None:
    with pytest.raises(ValueError, match=r"stretches|spans? "):
        Reading("Hello", stretches, spans)
