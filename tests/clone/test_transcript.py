"""The words of a cloned voice's clip: given, recognised or left out."""

from __future__ import annotations

import pytest

from chatterbox_worker.asr import SpeechRecognizer, Transcript
from chatterbox_worker.clone.transcript import transcript_adder
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.voices.bundle import Bundle
from support.audio_clips import tone

BUNDLE = Bundle(tone(6.0), None, {})


def test_the_words_are_those_given_or_those_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpeechRecognizer, "load", lambda _: None)
    found = ["Good\n  morning.", "", "I'm sorry. " * 30]
    monkeypatch.setattr(SpeechRecognizer, "transcribe", lambda *_, **__: Transcript(found.pop(0), "en"))
    assert transcript_adder(None, Settings(), recognise=False)(BUNDLE) is BUNDLE
    assert transcript_adder(" By hand. ", Settings(), recognise=False)(BUNDLE).transcript == "By hand."
    add = transcript_adder(None, Settings(), recognise=True)
    assert add(BUNDLE).transcript == "Good morning."
    with pytest.raises(InvalidRequest, match="no speech was recognised in the clip"):
        add(BUNDLE)
    with pytest.raises(InvalidRequest, match=r"330 characters for a clip of 6\.0 s, more than can be spoken"):
        add(BUNDLE)
    with pytest.raises(InvalidRequest, match="transcript"):
        transcript_adder("  ", Settings(), recognise=False)
