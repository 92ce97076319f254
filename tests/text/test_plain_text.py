"""Plain text: what cannot be spoken is left out, and lines, headings and lists get their pauses."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.text.chunk import chunks
from chatterbox_worker.text.markup.builder import MarkupOptions
from chatterbox_worker.text.markup.plain import read_plain
from chatterbox_worker.text.normalise import clean
from chatterbox_worker.text.prepare import PreparedText, prepare
from chatterbox_worker.text.scripts import speakable

PROSE = ("It was the best of times, it was the worst of times,", "it was the age of wisdom, it was the age of")
OPTIONS = MarkupOptions("en", ("en",))


def _prepare(text: str, **fields: Any) -> PreparedText:
    request = parse({"text": text, **fields}, Settings())
    assert isinstance(request, SpeechRequest)
    return prepare(request)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("* Header *\n\nText.\n\n* * *", "Header\n\nText."),
        ("***\nText.\n---\nMore.\n═══════", "Text.\n\nMore."),
        ("Title\n=====\nText here.", "Title\n\nText here."),
        ("# One\n\n## Two ##\n\nText.", "One\n\nTwo\n\nText."),
        ("== Title ==\n\nText.", "Title\n\nText."),
        ("*** Part One ***\n\nText.", "Part One\n\nText."),
        ("- Milk\n- Eggs\n\n* Bread\n• Tea\n●Salt", "Milk\nEggs\n\nBread\nTea\nSalt"),
        ("1. Milk\n2) Eggs", "1. Milk\n2) Eggs"),
        ("> She said\n> nothing more.", "She said\nnothing more."),
        ("A **very** *important* word, __so__ is _this_ and ~~that~~.", "A very important word, so is this and that."),
        ("**Bold** start and **bold end**", "Bold start and bold end"),
        ("Use `snake_case` and 2 * 3, or 4*5.", "Use snake_case and 2 × 3, or 4×5."),
        ("Wait --- no. He left---again.", "Wait — no. He left—again."),
        ("Name: ________ and ==== there", "Name: and there"),
        ("A footnote* here. f***ing", "A footnote here. fing"),
        ("So it is.[^1] See[^12] it.\n\n[^1]: A note.", "So it is. See it.\n\nA note."),
        ("<details><summary>More</summary>Hidden</details>", "More\n\nHidden"),
        ("Great 😀! Thanks 👍🏽 👩‍👩‍👧‍👦 a lot ❤️.", "Great! Thanks a lot."),
        ("Go → there ✔ now ★★★", "Go, there now"),
        ("┌────┬────┐\n│ a  │ b  │\n├────┼────┤\n│ c  │ d  │\n└────┴────┘", "a, b\nc, d"),
        ("| a | b |\n|---|---|\n| c | d |", "a, b\nc, d"),
        ("+---+---+\n| a | b |\n+---+---+", "a, b"),
        ("Home | About • Contact", "Home, About, Contact"),
        ("Windows® by Acme™, © 2024, {name}'s ¶", "Windows by Acme, 2024, name's"),
        ("See https://example.org/{id} © me", "See https://example.org/{id} me"),
        ("Non\u2011breaking 5\u201010, what‽ No‼ Oh⁉", "Non-breaking 5-10, what?! No!! Oh!?"),
        ("The \ufb01rst of\ufb01ce of Charles \u2164", "The first office of Charles V"),
        ("𝐇𝐞𝐥𝐥𝐨 𝓌𝑜𝓇𝓁𝒹, Ｗｉｄｅ cafe\u0301, и\u0306", "Hello world, Wide café, й"),
        ("за\u0301мок, १२ कि.मी., 漢字。", "за\u0301мок, १२ कि.मी., 漢字。"),
        ("Fish &amp; chips &lt;3 &#233;t&eacute; AT&T &unknown;", "Fish & chips <3 été AT&T &unknown;"),
        ("<p>One</p><p>Two <b>bold</b><br/>line</p><!-- no -->", "One\n\nTwo bold\nline"),
        ("<tr><td>a</td><td>b</td></tr>", "a, b,"),
        ("Settings > General > About. A -> B => C", "Settings, General, About. A, B, C"),
        ("→ First. A → B. End →", "First. A, B. End"),
        ("Love you <3\nThanks! <3 See you <333\nHi :) <3!\nXOXO <3 <3", "Love you\nThanks! See you\nHi :)!\nXOXO"),
        ("pH <3\nup to 2, later <3\nAged <3 years\nIt was <3.\nx <3\n<3",
         "pH <3\nup to 2, later <3\nAged <3 years\nIt was <3.\nx <3\n<3"),
        ("a < b and c > d, x<y and z>w, Dear <name>", "a < b and c > d, x<y and z>w, Dear <name>"),
        ("[laugh] Hello [sigh] there.", "[laugh] Hello [sigh] there."),
        ("... well. Really?! “Yes”—he said; it's 5% off #1 at a@b_c.com https://x.org/a__b*c",
         "... well. Really?! “Yes”—he said; it's 5% off #1 at a@b_c.com https://x.org/a__b*c"),
        ("-5 degrees and C++ and C# and ~5", "-5 degrees and C++ and C# and ~5"),
        ("— Hola —dijo Ana.\n— Adiós.", "Hola —dijo Ana.\nAdiós."),
    ],
)  # fmt: skip
def test_decoration_is_left_out(written: str, kept: str) -> None:
    assert read_plain(written, OPTIONS).text == kept


def test_a_heading_and_a_drawn_line_are_a_paragraphs_pause() -> None:
    def pauses(text: str, **fields: Any) -> list[tuple[str, float]]:
        return [(chunk.spoken, chunk.pause_s()) for chunk in _prepare(text, **fields).chunks]

    assert pauses("* Header *\n\nText.\n\n* * *") == [("Header.", 0.8), ("Text.", 0.0)]
    assert pauses("The end of it.\n\nChapter II\n\nIt began again, she said.") == [
        ("The end of it.", 0.8), ("Chapter two.", 0.8), ("It began again, she said.", 0.0),
    ]  # fmt: skip
    assert pauses("One day.\n\n* * *\n\nAnother day.") == [("One day.", 0.8), ("Another day.", 0.0)]
    assert pauses("# Header\n\nText.", split_text=False) == [("Header. Text.", 0.0)]
    assert pauses("Title\n\nAuthor\n\nA long story, then.")[0] == ("Title. Author.", 0.8)
    assert pauses("One thing.\n\nAnother.") == [("One thing. Another.", 0.0)]


@pytest.mark.parametrize(
    ("text", "line_breaks", "kept"),
    [
        ("Milk\nEggs\nBread", "auto", "Milk\nEggs\nBread"),
        ("Milk\nEggs\nBread", "join", "Milk Eggs Bread"),
        ("Roses are red,\nviolets are blue,", "auto", "Roses are red,\nviolets are blue,"),
        (f"{PROSE[0]}\n{PROSE[1]}\nfoolishness.", "auto", f"{PROSE[0]} {PROSE[1]} foolishness."),
        (f"{PROSE[0]}\n{PROSE[1]}", "keep", f"{PROSE[0]}\n{PROSE[1]}"),
        ("To buy:\n- fresh milk from\nthe farm\n- eggs", "auto", "To buy:\nfresh milk from the farm\neggs"),
        ("To buy:\n- milk\n- eggs", "join", "To buy: milk eggs"),
        ("床前明月光\n疑是地上霜", "auto", "床前明月光\n疑是地上霜"),
    ],
)  # fmt: skip
def test_the_end_of_a_line_is_kept_or_joined(text: str, line_breaks: str, kept: str) -> None:
    prepared = _prepare(text, line_breaks=line_breaks)
    assert prepared.reading.text == kept


def test_three_items_are_three_items() -> None:
    [chunk] = _prepare("Milk\nEggs\nBread").chunks
    assert (chunk.text, chunk.spoken) == ("Milk\nEggs\nBread", "Milk, Eggs, Bread.")


def test_emoji_are_read_by_their_names_in_the_languages_that_have_them() -> None:
    def spoken(text: str, language: str) -> str:
        return " ".join(chunk.spoken for chunk in _prepare(text, language=language, emoji="read").chunks)

    assert spoken("Hi 😀, there 1️⃣ © 👩‍👩‍👧‍👦ok!", "en") == "Hi grinning face, there one family woman woman girl boy ok!"
    assert spoken("Hola 😀", "es") == "Hola cara sonriendo."
    assert spoken("❤️", "en") == "Red heart."
    with pytest.raises(InvalidRequest, match="not in fi") as refusal:
        spoken("Moi 😀", "fi")
    assert refusal.value.field == "emoji"
    assert spoken("Moi", "fi") == "Moi."


MARKS = st.text(alphabet=st.sampled_from("ab .,!?\n*_#-=~|`•>+<&;:/😀→│─[]()1s\t"), max_size=120)


@settings(deadline=None, max_examples=150)
@given(MARKS, st.sampled_from(["keep", "join", "auto"]))
def test_no_mark_of_decoration_reaches_a_model_and_the_chunks_are_the_text(text: str, line_breaks: Any) -> None:
    reading = read_plain(text, MarkupOptions("en", ("en",), line_breaks))
    assert not any(mark in reading.text for mark in "*`😀→│─•")
    assert "---" not in reading.text
    assert "\n\n\n" not in reading.text
    if not any(map(speakable, reading.text)):
        return
    rejoined = "".join(chunk.text for chunk in chunks(reading))
    assert "".join(filter(str.isalnum, rejoined)) == "".join(filter(str.isalnum, reading.text))
    place = 0
    for chunk in chunks(reading):
        assert chunk.start >= place
        assert not any(map(speakable, reading.text[place : chunk.start]))
        place = chunk.end


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=80))
@example("0\r\x1b\x850")  # a line that holds nothing but a control character
@example("0\r\x1b\n0")
def test_unnormalized_text_is_what_upstream_is_given(text: str) -> None:
    """Of `normalize: false`: no character is left out but those that `clean` leaves out."""
    try:
        expected = clean(text)
    except InvalidRequest:
        return
    options = MarkupOptions("en", ("en",), line_breaks="join", decoration=False)
    reading = read_plain(text, options)
    assert reading.text == expected
    assert not reading.spans
    assert len(reading.stretches) == 1


def test_unnormalized_text_keeps_its_marks_and_its_chunks() -> None:
    text = "* Header *\n\nText &amp; <b>more</b> ***\n\nMilk\nEggs"
    [chunk] = _prepare(text, normalize=False).chunks
    assert chunk.text == "* Header *\n\nText &amp; <b>more</b> ***\n\nMilk Eggs"
    only = _prepare("* Header * costs $5", normalize={"decoration": False}).chunks[0].spoken
    assert only == "* Header * costs five dollars."


@pytest.mark.parametrize(
    "unit",
    ["* ", "*", "_", "a_", "<", "<!--", "<a b ", "&", "😀", "😀 ", "[pause:", "#", "# ", "|", " | ", "-", "- a\n",
     "a b. ", "> ", "<b>x</b> ", "&amp; ", "A line\n\n", "www.", "a@", " •", "=", 'a="', "<break time=",
     pytest.param("a" + "\u0301\u0323" * 12_000, id="accents")],
)  # fmt: skip
def test_the_time_is_linear(unit: str) -> None:
    text = unit * (50_000 // len(unit)) + " end"
    started = time.process_time()
    read_plain(text, OPTIONS)
    assert time.process_time() - started < 1.0


def test_plain_text_loads_none_of_the_packages_for_markup() -> None:
    code = (
        "import sys; from chatterbox_worker.config import Settings; from chatterbox_worker.request import parse;"
        "from chatterbox_worker.text.prepare import prepare;"
        "text = '# A <b>title</b> with \U0001f600\\n\\nText. [pause:1s] End.';"
        "prepare(parse({'text': text}, Settings()));"
        "found = {name.partition('.')[0] for name in sys.modules} & {'markdown_it', 'emoji', 'defusedxml'};"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
