"""The words and the language of a cloned voice's clip: given, recognised or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chatterbox_worker.asr import SpeechRecognizer, Transcript
from chatterbox_worker.clone.details import details_adder
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import NO_DETAILS, VoiceDetails
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle
from support.audio_clips import tone

BUNDLE = Bundle(tone(6.0), None, {})
ENGLISH = {"en": 0.97, "es": 0.01}


class _Whisper:
    """Writes the same words for every clip, and notes in which language it was asked to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, words: str, spoken: Mapping[str, float]) -> None:
        self.asked: list[str | None] = []

        def transcribe(_: object, clip: object, language: str | None = None, **__: Any) -> Transcript:
            del clip
            self.asked.append(language)
            return Transcript(words, language or "en")

        monkeypatch.setattr(SpeechRecognizer, "load", lambda _: None)
        monkeypatch.setattr(SpeechRecognizer, "detect_language", lambda *_: spoken)
        monkeypatch.setattr(SpeechRecognizer, "transcribe", transcribe)


def _details(words: str | None = None, language: str | None = None, *, recognise: bool = False) -> VoiceDetails:
    return details_adder(words, language, Settings(), recognise=recognise)(BUNDLE).details


def test_without_a_recogniser_the_details_are_those_given() -> None:
    assert _details() == NO_DETAILS
    assert _details(" By hand. ") == VoiceDetails("By hand.", None)
    assert _details(language="pt_BR") == VoiceDetails(None, "pt")
    with pytest.raises(InvalidRequest, match="transcript"):
        _details("  ")
    with pytest.raises(InvalidRequest, match=r"language must be ar, .*, not 'klingon'"):
        _details(language="klingon")


def test_the_words_and_a_likely_language_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    whisper = _Whisper(monkeypatch, "Good\n  morning.", ENGLISH)
    assert _details(recognise=True) == VoiceDetails("Good morning.", "en")
    assert _details(language="es", recognise=True) == VoiceDetails("Good morning.", "es")
    assert whisper.asked == ["en", "es"]


@pytest.mark.parametrize("spoken", [{"en": 0.79, "es": 0.2}, {"cy": 0.99}, {}])
def test_a_doubtful_or_unknown_language_is_left_out(monkeypatch: pytest.MonkeyPatch, spoken: dict[str, float]) -> None:
    whisper = _Whisper(monkeypatch, "Good morning.", spoken)
    assert _details(recognise=True) == VoiceDetails("Good morning.", None)
    assert whisper.asked == [None]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "no speech was recognised in the clip"),
        ("I'm sorry. " * 30, r"330 characters for a clip of 6\.0 s, more than can be spoken"),
    ],
)
def test_words_that_cannot_be_the_clips_are_refused(monkeypatch: pytest.MonkeyPatch, words: str, why: str) -> None:
    _Whisper(monkeypatch, words, ENGLISH)
    with pytest.raises(InvalidRequest, match=why):
        _details(recognise=True)
