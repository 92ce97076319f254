"""Markdown as a reader would read it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.config import Settings
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.chunk import chunks
from chatterbox_worker.text.markup.builder import MarkupOptions
from chatterbox_worker.text.markup.markdown import read_markdown
from chatterbox_worker.text.markup.read import detect
from chatterbox_worker.text.prepare import PreparedText, prepare
from chatterbox_worker.text.scripts import speakable

OPTIONS = MarkupOptions("en", ("en",))


def _prepare(text: str, **fields: Any) -> PreparedText:
    request = parse({"text": text, "text_format": "markdown", **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return prepare(request)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("# Title\n\nText *with* **strong** and `code`.", "Title\n\nText with strong and code."),
        ("Title\n=====\nText", "Title\n\nText"),
        ("- Milk\n- Eggs\n  - brown\n\nAfter.", "Milk\nEggs\nbrown\n\nAfter."),
        ("Before.\n\n1. Milk\n2. Eggs\n", "Before.\n\n1. Milk\n2. Eggs"),
        ("- One.\n\n  More of it.\n\n- Two.", "One.\nMore of it.\nTwo."),
        ('See [the page](https://x.org/a?b=c "title") and <https://x.org>.', "See the page and https://x.org."),
        ("![A red **car**](car.png) is here.", "A red car is here."),
        ("Wrapped\nprose, then  \na line.", "Wrapped prose, then\na line."),
        ("| Name | Age |\n|---|---|\n| Ann | 5 |\n| Bob | 6 |\n\nEnd.", "Name, Age\nAnn, 5\nBob, 6\n\nEnd."),
        ("One.\n\n* * *\n\nTwo.", "One.\n\nTwo."),
        ("> Said *he*.\n>\n> And left.\n\nText.", "Said he.\n\nAnd left.\n\nText."),
        ("```python\nx = 1\nprint(x)\n```\n\nDone.", "x = 1\nprint(x)\n\nDone."),
        ("<div>Hello <b>there</b></div>\n\nA <span class='x'>b</span><br>c", "Hello there\n\nA b\nc"),
        ("Fish &amp; chips \\* 5~~6~~ 😀.", "Fish & chips 56."),
        ("A hard\\\nbreak.", "A hard\nbreak."),
    ],
)  # fmt: skip
def test_markup_is_not_read(written: str, kept: str) -> None:
    assert read_markdown(written, OPTIONS).text == kept


def test_pauses_of_headings_breaks_and_tags() -> None:
    def pauses(text: str, **fields: Any) -> list[tuple[str, float]]:
        return [(chunk.spoken, chunk.pause_s()) for chunk in _prepare(text, **fields).chunks]

    assert pauses("# Header\n\nText.\n\n* * *\n\nMore.") == [("Header.", 0.8), ("Text.", 0.8), ("More.", 0.0)]
    assert pauses("*Hello.* [pause:1s] **World.**") == [("Hello.", 1.0), ("World.", 0.0)]
    assert pauses('- One <break time="250ms"/>\n- Two') == [("One.", 0.25), ("Two.", 0.0)]
    assert pauses("Costs **$5** today.") == [("Costs five dollars today.", 0.0)]
    assert pauses("Costs **$5** today.", normalize=False) == [("Costs $5 today.", 0.0)]
    assert pauses("- Milk\n- Eggs\n- Bread") == [("Milk, Eggs, Bread.", 0.0)]


def test_line_breaks_of_the_request_go_over_those_of_markdown() -> None:
    def text(line_breaks: str) -> str:
        return _prepare("one\ntwo  \nthree", line_breaks=line_breaks).reading.text

    assert [text(each) for each in ("auto", "keep", "join")] == ["one two\nthree", "one\ntwo\nthree", "one two three"]


PIECES = ["# ", "* ", "- ", "1. ", "\n", "\n\n", "**", "_", "`", "```\n", "word ", "two. ", "[a](b)", "![", "](", "> ",
          "| a | b |\n|---|---|\n", "<b>", "<div>", "&amp;", "😀", "---\n", "[pause:1ms]", "  \n", "    "]  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_any_markdown_is_read_and_its_chunks_are_its_text(text: str) -> None:
    reading = read_markdown(text, OPTIONS)
    assert not any(mark in reading.text for mark in "*`😀")
    if not any(map(speakable, reading.text)):
        return
    place = 0
    for chunk in chunks(reading):
        assert chunk.text == reading.text[chunk.start : chunk.end]
        assert not any(map(speakable, reading.text[place : chunk.start]))
        place = chunk.end
    assert not any(map(speakable, reading.text[place:]))


@pytest.mark.parametrize(
    "unit",
    [
        "A line of prose with **bold** words and a [link](https://example.org).\n\n", "- item\n", "> ", "* ", "*a ",
        "| a | b |\n", "`", "<b>", "\n", "1. a\n", "# H\n\n",
        *(pytest.param(unit, marks=pytest.mark.slow) for unit in ("[", "![")),  # a second for each
    ],
)  # fmt: skip
def test_fifty_thousand_characters_take_less_than_a_second(unit: str) -> None:
    text = unit * (50_000 // len(unit)) + " end"
    read_markdown("warm", OPTIONS)
    started = time.process_time()
    read_markdown(text, OPTIONS)
    assert time.process_time() - started < (1.0 if "prose" in unit else 5.0)  # the others are no texts


@pytest.mark.parametrize("unit", ["-", " -", "|-", ":---", "[", "[a](", "**a", "1. "])
def test_the_format_is_found_in_linear_time(unit: str) -> None:
    started = time.process_time()
    detect(unit * (3_000 // len(unit)))
    assert time.process_time() - started < 0.5
