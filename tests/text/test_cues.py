"""Cues: within two lines, 84 characters and 7 s, in order, with every word, cut where a reader would."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatterbox_worker.text.breaks import Break
from chatterbox_worker.text.cues import LINE_CHARS, LONGEST_S, Cue, TimedWord, cues, share_time

SPANISH = (
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía un hidalgo de los de "
    "lanza en astillero, adarga antigua, rocín flaco y galgo corredor. Una olla de algo más vaca que carnero, salpicón "
    "las más noches, duelos y quebrantos los sábados, lantejas los viernes, algún palomino de añadidura los domingos, "
    "consumían las tres partes de su hacienda. ¿Y el resto? ¡Ah! El resto della concluían sayo de velarte, calzas de "
    "velludo para las fiestas, con sus pantuflos de lo mesmo; y los días de entresemana se honraba con su vellorí de "
    "lo más fino.\n\nTenía en su casa una ama que pasaba de los cuarenta, y una sobrina que no llegaba a los veinte, y "
    "un mozo de campo y plaza que así ensillaba el rocín como tomaba la podadera. Frisaba la edad de nuestro hidalgo "
    "con los cincuenta años; era de complexión recia, seco de carnes, enjuto de rostro, gran madrugador y amigo de la "
    "caza.\n\n—¿Quieren decir que tenía el sobrenombre de Quijada, o Quesada? —preguntó el Sr. Pérez, a las 10:30.\n\n"
)  # M. de Cervantes, Don Quijote de la Mancha (1605), the first chapter's beginning; the last line is added
CHARS_S = 15.0  # characters of read speech in a second


def within_limits(made: list[Cue]) -> None:
    for cue in made:
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= LINE_CHARS and line == line.strip() for line in cue.lines)
        assert cue.start_s <= cue.end_s <= cue.start_s + LONGEST_S
    assert all(earlier.end_s <= later.start_s for earlier, later in pairwise(made))


def letters(text: str) -> str:
    return re.sub(r"\s", "", text)


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
    | st.lists(st.from_regex(r"\w{1,60}[.,]?", fullmatch=True)).map(" ".join),
    st.floats(0, 10_000),
    st.floats(0.01, 60),
    st.sampled_from([None, "en", "es", "zh", "el"]),
)
@example("a" * 43 + "\u0301" * 60, 0.0, 60.0, None)
@example("Milk\nEggs and bread", 0.0, 3.0, "en")
@example(" \n\n 一二三，四五六。\n\n", 0.0, 3.0, "zh")
def test_no_cue_exceeds_its_limits_and_no_character_is_lost(
    text: str, start_s: float, lasts_s: float, language: str | None
) -> None:
    made = cues(share_time(text, start_s, start_s + lasts_s, language))

    within_limits(made)
    assert letters("".join(line for cue in made for line in cue.lines)) == letters(text)
    assert all(start_s <= cue.start_s and cue.end_s <= start_s + lasts_s for cue in made)


def test_two_pages_of_spanish_in_one_chunk() -> None:
    text = SPANISH * 3
    made = cues(share_time(text, 0.0, len(text) / CHARS_S, "es"))

    within_limits(made)
    assert letters("".join(line for cue in made for line in cue.lines)) == letters(text)
    at_marks = [cue for cue in made if cue.lines[-1][-1] in ".,;:?!"]
    assert len(at_marks) > 0.75 * len(made)
    assert sum(cue.end_s - cue.start_s for cue in made) / len(made) > 2.0


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Sí.", [("Sí.",)]),
        (
            "When the rain had stopped, they went out to the garden, and nobody said a word about it.",
            [
                ("When the rain had stopped,",),
                ("they went out to the garden,", "and nobody said a word about it."),
            ],
        ),
        ("It was late. " * 2 + "The house of my uncle was dark and cold and utterly silent.", [
            ("It was late. It was late.",), ("The house of my uncle was dark", "and cold and utterly silent."),
        ]),
    ],
)  # fmt: skip
def test_cuts_fall_on_sentences_and_clauses(text: str, lines: list[tuple[str, ...]]) -> None:
    assert [cue.lines for cue in cues(share_time(text, 0.0, len(text) / CHARS_S))] == lines


def test_words_share_the_time_by_their_length() -> None:
    one, two = share_time("aaa aaaaaaaa", 1.0, 7.0)

    assert (one.text, one.spaced, one.start_s, one.end_s) == ("aaa", True, 1.0, 3.0)
    assert (two.text, two.spaced, two.start_s, two.end_s) == ("aaaaaaaa", False, 3.0, 7.0)


def test_words_with_times_of_their_own_keep_them() -> None:
    words = [TimedWord("One.", True, Break.SENTENCE, 0.5, 1.0), TimedWord("Two.", False, Break.SENTENCE, 8.0, 8.4)]

    assert cues(words) == [Cue(("One.",), 0.5, 1.0), Cue(("Two.",), 8.0, 8.4)]


def test_a_word_that_lasts_long_is_shown_for_seven_seconds() -> None:
    assert cues(share_time("Sí.", 3.0, 30.0)) == [Cue(("Sí.",), 3.0, 10.0)]
