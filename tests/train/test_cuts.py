"""Where long recordings are cut into clips, and which words are in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chatterbox_worker.asr import TranscribedWord
from chatterbox_worker.audio.activity import SILENT_DBFS
from chatterbox_worker.audio.trim import Levels
from chatterbox_worker.train.cuts import TranscribedClip, cut


def _levels(*parts: tuple[float, float]) -> Levels:
    """Sounds of so many seconds, each with so many seconds of silence after it."""
    levels: list[float] = [SILENT_DBFS] * 50
    for sound_s, silence_s in parts:
        levels += [-20.0] * round(100 * sound_s) + [SILENT_DBFS] * round(100 * silence_s)
    return np.array(levels, np.float32)


def _words(*times: tuple[str, float, float]) -> list[TranscribedWord]:
    return [TranscribedWord(*each) for each in times]


def _texts(clips: Sequence[TranscribedClip]) -> list[str]:
    return [clip.text for clip in clips]


def test_a_clip_ends_with_a_sentence_even_if_another_pause_is_longer() -> None:
    levels = _levels((2.0, 0.4), (2.0, 0.4), (2.0, 0.8), (6.0, 0.5))
    words = _words(("One", 0.5, 2.4), ("two.", 2.9, 4.9), ("Three,", 5.3, 7.2), ("four.", 8.1, 14.0))
    assert [(clip.text, round(clip.start_s, 2), round(clip.end_s, 2)) for clip in cut(levels, words)] == [
        ("One two.", 0.4, 5.0), ("Three, four.", 5.2, 14.2),
    ]  # fmt: skip


def test_without_the_end_of_a_sentence_the_longest_pause_decides() -> None:
    levels = _levels((4.0, 0.4), (4.0, 0.7), (3.5, 0.4), (4.0, 0.5))
    words = _words(("one", 1, 4), ("two", 5, 9), ("three", 10, 13), ("four", 14, 17))
    assert _texts(cut(levels, words)) == ["one two", "three four"]


def test_no_speech_is_left_over_that_is_too_short_for_a_clip() -> None:
    """A clip of the first sentence alone would leave 2 s."""
    levels = _levels((5.0, 0.9), (2.0, 1.5), (3.5, 0.5))
    words = _words(("One.", 1, 5), ("two,", 7, 8), ("three.", 10, 13))
    assert _texts(cut(levels, words)) == ["One. two,", "three."]


def test_no_pause_of_more_than_a_second_is_inside_a_clip_and_lone_words_are_left_out() -> None:
    levels = _levels((4.0, 1.5), (1.0, 2.0), (4.0, 0.8), (4.0, 0.5))
    words = _words(("one", 1, 4), ("lone", 6.1, 6.9), ("two", 9.5, 12.5))  # the last sound is music
    clips = cut(levels, words)
    assert _texts(clips) == ["one", "two"]
    assert clips[1].end_s < 13.2


def test_a_word_belongs_to_the_sound_that_it_overlaps_most() -> None:
    """Recognisers let a word after a pause begin with the pause, and write words for noise."""
    levels = _levels((4.0, 0.9), (8.0, 6.0), (3.2, 0.5))
    words = _words(
        ("end.", 3, 4.4), ("Begin", 4.4, 6.4), ("here.", 6.4, 13), ("Thanks.", 16, 17), ("Yes.", 19.5, 22)
    )  # fmt: skip
    assert _texts(cut(levels, words)) == ["end.", "Begin here.", "Yes."]


def test_more_speech_in_clips_counts_more_than_a_sentence() -> None:
    """A clip of the first two sounds would end with a sentence and leave 2 s."""
    levels = _levels((8.0, 0.3), (2.0, 0.5), (2.0, 0.5))
    assert _texts(cut(levels, _words(("one", 1, 8), ("two.", 9, 10.5), ("three", 11.5, 13)))) == ["one", "two. three"]


def test_a_breath_between_words_is_in_the_clip() -> None:
    """Only a longer sound without words ends one."""
    levels = _levels((2.0, 0.4), (0.5, 0.4), (2.0, 0.5))
    assert _texts(cut(levels, _words(("One", 0.5, 2.4), ("two.", 3.9, 5.7)))) == ["One two."]


def test_of_two_ends_of_sentences_the_longer_pause_decides() -> None:
    levels = _levels((4.0, 0.3), (4.0, 0.8), (4.0, 0.5))
    words = _words(("One.", 1, 4), ("Two.", 5, 8), ("Three.", 10, 13))
    assert _texts(cut(levels, words)) == ["One. Two.", "Three."]


def test_speech_without_pauses_is_cut_at_its_quietest_places_and_no_word_is_lost() -> None:
    levels = _levels((40.0, 0.5))
    levels[50 + 980 : 50 + 1_000] = -30.0
    words = _words(*((f"w{at}", 0.5 + at, 1.5 + at) for at in range(40)))
    clips = cut(levels, words)
    assert " ".join(_texts(clips)) == " ".join(word.text for word in words)
    assert all(3.0 <= clip.end_s - clip.start_s <= 12.0 for clip in clips)
    assert cut(levels, []) == []
    assert cut(np.full(500, SILENT_DBFS, np.float32), words) == []
