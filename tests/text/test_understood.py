"""Whether speech is understood better if numbers are read as words: espeak-ng speaks, Whisper writes down what it got.

The sentence as written goes through upstream's punctuation table, as it would on its way to a Chatterbox model ("12:30"
becomes "12,30"). espeak-ng reads digits itself, which Chatterbox's tokenizers leave to the model, so the figures of the
text as written are better here than they can be there. Whisper writes digits or words as it likes: both transcripts and
the reference are read by the same rules before their words are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.checks.words import align, read_in_words, words_of
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance
from chatterbox_worker.engines.preview import PreviewEngine
from chatterbox_worker.text.normalise import finish
from support.recordings import real

SENTENCES = Path(__file__).with_name("spoken_sentences.tsv")
RATE = 16_000  # Hertz, Whisper's
GROUP = 7  # sentences in one clip: about 22 s, within the 30 s that Whisper takes at once


def rows(language: str) -> list[tuple[str, str]]:
    lines = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    return [(written, spoken) for code, written, spoken in (row for row in lines if row[0] == language)]


def transcribe(engine: PreviewEngine, whisper: SpeechRecognizer, texts: Sequence[str], language: str) -> str:
    """The texts, spoken one after the other with half a second between them, in Whisper's words."""
    clips: list[Audio] = []
    for text in texts:
        utterance = Utterance(finish(text, "llama"), language, DEFAULT_VOICE, {}, seed=0)
        clips += [resample(concatenate(list(engine.submit(utterance))), RATE), silence(0.5, RATE)]
    return whisper.transcribe(concatenate(clips), language, word_times=False, beam_size=1).text


def measure(language: str, most: int = 40) -> dict[str, int]:
    """The words of the first sentences, and how many of them were got wrong, as written and in words."""
    whisper = SpeechRecognizer(str(real("whisper-base")), "cpu")
    engine = PreviewEngine()
    figures = {"words": 0, "written": 0, "spoken": 0}
    try:
        for start in range(0, most, GROUP):
            group = rows(language)[start : min(start + GROUP, most)]
            expected = [word for _, spoken in group for word in words_of(spoken, language)]
            figures["words"] += len(expected)
            for name, texts in (
                ("written", [written for written, _ in group]),
                ("spoken", [read_in_words(written, language) for written, _ in group]),
            ):
                got = words_of(transcribe(engine, whisper, texts, language), language)
                figures[name] += align(expected, got)[0]
    finally:
        engine.close()
    return figures


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "es"])
def test_numbers_in_words_are_understood_better(language: str) -> None:
    figures = measure(language, most=GROUP)  # all 40 take three minutes of a slow core
    assert figures["spoken"] < figures["written"], figures


def test_the_sentences_are_read_as_the_table_says() -> None:
    for language in ("en", "es"):
        assert len(rows(language)) == 40
        assert [read_in_words(written, language) for written, _ in rows(language)] == [
            spoken for _, spoken in rows(language)
        ]
