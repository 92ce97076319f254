"""Word errors: what counts as the same word."""

from __future__ import annotations

import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.checks.judge import Judge
from chatterbox_worker.checks.verdict import Reason
from chatterbox_worker.checks.words import WordErrors, align, compare, words_of
from support.recordings import buzz


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "It costs $5, at 12:30 p.m.", "it costs five dollars at 12.30 pm"),
        ("en", "Any one; well-known!", "anyone well known"),
        ("en", "[laugh] That is funny.", "That is funny."),
        ("es", "¿Cuánto cuesta? 20 €.", "cuanto cuesta veinte euros"),
        ("es-MX", "Adiós", "adios"),
        ("ru", "Моро\u0301з и со\u0301лнце", "мороз и солнце"),
        ("zh", "孩子们，跑！", "孩子们跑"),
        ("ja", "東京へ行きます。", "とうきょうへいきます"),
        ("ko", "긴 겨울이 지나고", "긴겨울이 지나고"),
        ("he", "שָׁלוֹם", "שלום"),
    ],
)
def test_spelling_is_no_error(language: str, one: str, other: str) -> None:
    assert compare([one], other, language).errors == 0


def test_errors_are_counted_in_words() -> None:
    assert align(["a", "b", "c"], ["a", "c"]) == (1, 1)
    assert align(["a", "b", "c"], ["a", "x", "c", "d"]) == (2, 0)
    assert align([], ["a"]) == (1, 0)
    assert align(["a"], []) == (1, 1)
    assert compare(["one two three four"], "one two three", "en") == WordErrors(1, 4, 1)
    assert compare(["..."], "so", "en") == WordErrors(1, 1)


def test_the_nearest_spelling_counts() -> None:
    assert compare(["Mister win called", "Mr. Nguyen called"], "mister nguyen called", "en").errors == 0


def test_one_wrong_word_proves_nothing_and_no_right_word_does() -> None:
    assert not WordErrors(1, 2).exceeds(0.3)
    assert WordErrors(2, 3).exceeds(0.3)
    assert not WordErrors(2, 10).exceeds(0.3)
    assert WordErrors(1, 1).exceeds(0.3)
    assert WordErrors(5, 2).rate == 2.5


LONG = (
    "Margaret, said Mr. Hale on 5 May, I could not help watching your face when he made his confession of having "
    "been poor"
)


@pytest.mark.parametrize(
    ("transcript", "missing"),
    [
        (LONG.replace("Mr. Hale", "Mister Hail").replace("5 May", "the fifth of may"), 0),
        (LONG.replace(" when he made", ""), 3),
        (LONG.replace("when he made", "email"), 2),
        (LONG.replace("your face when he made", "email"), 4),
        (LONG.partition(" of having")[0], 4),
        (LONG.replace("Margaret, said Mr. Hale", "Yes"), 3),
        (LONG.replace("could not help watching your face", "should nod held washing you faith"), 0),
    ],
)
def test_a_passage_that_is_missing_is_found_in_a_text_of_any_length(transcript: str, missing: int) -> None:
    found = compare([LONG], transcript, "en")
    assert found.missing == missing
    assert found.rate < 0.3
    assert found.exceeds(0.3) is (missing >= 3)
    assert not found.exceeds(1.0)


def test_characters_are_no_passage() -> None:
    assert compare(["孩子们在花园里玩耍直到天黑"], "孩子们在花园里玩耍", "zh").missing == 0


def test_tags_in_brackets_are_no_words() -> None:
    assert words_of("Well [clear throat] then", "en") == ["well", "then"]


def test_a_judge_with_a_recogniser_reports_what_it_wrote() -> None:
    asked: list[str | None] = []

    def transcribe(audio: Audio, language: str, hint: str | None) -> str:
        del audio, language
        asked.append(hint)
        return "one two three four five"

    audio, text = buzz(2.0, 24_000), "One two three four five."
    good = Judge(transcribe).judge(audio, text, "en")
    assert (good.passes, good.heard, good.score) == (True, "one two three four five", 1.0)
    bad = Judge(transcribe).judge(audio, "One two, buckle my shoe, please.", "en")
    assert bad.reasons == (Reason.WORD_ERRORS,)
    assert 0 < bad.score < 1
    assert Judge(transcribe, max_word_error=1.0).judge(audio, "One two, buckle my shoe, please.", "en").passes
    silent = Judge(transcribe).judge(Audio(audio.samples * 0, audio.sample_rate), text, "en")
    assert (silent.reasons, silent.heard) == ((Reason.SILENT,), None)
    assert asked == [None, None, "One two, buckle my shoe, please.", None]
    assert Judge().judge(audio, text, "en").heard is None


def test_words_that_are_understood_once_they_are_known_are_right() -> None:
    def transcribe(audio: Audio, language: str, hint: str | None) -> str:
        del audio, language
        return first if hint is None else hint

    first = "mumble mumble mumble"
    verdict = Judge(transcribe).judge(buzz(2.0, 24_000), "One two three four five.", "en")
    assert (verdict.passes, verdict.heard) == (True, "One two three four five.")
    first = "one four five"  # a hint would fill in what was left out
    verdict = Judge(transcribe).judge(buzz(2.0, 24_000), "One two three four five.", "en")
    assert (verdict.reasons, verdict.heard) == ((Reason.WORD_ERRORS,), first)
    first = "one two three four five six seven eight"  # of about the length, and three words are missing
    text = "One two three a little bit four five six seven eight."
    verdict = Judge(transcribe).judge(buzz(3.0, 24_000), text, "en")
    assert (verdict.reasons, verdict.heard) == ((Reason.WORD_ERRORS,), first)
