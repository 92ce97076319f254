"""Guidance where a text is in another language than its voice: off by default, unless the request decides it."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from chatterbox_worker.answer import Recording
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import VoiceDetails
from chatterbox_worker.request import SpeechRequest, parse_speech
from chatterbox_worker.server.gateway.fields import job_fields
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_base64, wav_bytes
from support.fakes import ToneEngine

ADVICE = "voice 'alice' is in en and the text in es: cfg_weight is 0 there"
MODELS = ("multilingual", "english", "flash", "turbo")
TEXT = "Hola, buenos días a todos ustedes."


@pytest.fixture
def spoken(synthesizer: Synthesizer, engine: ToneEngine) -> ToneEngine:
    """The engine of all models; the library has alice in English, and bob, of whom nothing is known."""
    synthesizer.engines = dict.fromkeys(MODELS, engine)
    synthesizer.library.save("alice", wav_bytes(6.0), field="file", details=VoiceDetails(language="en"))
    synthesizer.library.save("bob", wav_bytes(6.0, pitch=300.0), field="file")
    return engine


@pytest.fixture
def served(settings: Settings) -> Settings:
    return replace(settings, models=MODELS)


def _weights(spoken: ToneEngine) -> list[float | None]:
    weights = [take.utterance.sampling.get("cfg_weight") for take in spoken.takes]
    spoken.takes.clear()
    return weights


def _speak(synthesizer: Synthesizer, request: SpeechRequest) -> Recording:
    return synthesizer.speak(request, CancelScope())


def test_a_text_in_another_language_than_its_voice_has_no_guidance_by_default(
    synthesizer: Synthesizer, served: Settings, spoken: ToneEngine
) -> None:
    def said(**fields: Any) -> tuple[list[float | None], list[str]]:
        fields = {"text": TEXT, "language": "es", "voice": "alice", "cache": False, **fields}
        info = _speak(synthesizer, parse_speech(fields, served)).info
        return _weights(spoken), list(info.warnings)

    weights, (warning,) = said()
    assert (weights, warning[: len(ADVICE)]) == ([0.0], ADVICE)
    assert said(language="es-MX")[0] == [0.0]
    assert said(language="auto")[0] == [0.0]
    assert said(cfg_weight=0.5) == ([0.5], [])
    assert said(cfg_weight=0.0) == ([0.0], [])
    assert said(language="en") == ([0.5], [])
    assert said(voice="bob") == ([0.5], [])
    assert said(voice="default") == ([0.5], [])
    for model, own in (("english", 0.5), ("flash", 1.0), ("turbo", None)):  # one language each
        assert said(model=model, language="en") == ([own], [])


def test_each_chunk_of_a_mixed_text_has_its_own_guidance(
    synthesizer: Synthesizer, served: Settings, spoken: ToneEngine
) -> None:
    text = (
        '<speak>It is a lovely day.<lang xml:lang="es">Hola a todos.</lang>'
        '<voice name="bob"><lang xml:lang="es">Buenos días.</lang></voice></speak>'
    )
    fields = {"text": text, "text_format": "ssml", "voice": "alice", "cache": False}
    info = _speak(synthesizer, parse_speech(fields, served)).info
    assert [(utterance.voice.id, utterance.language) for utterance in (take.utterance for take in spoken.takes)] == [
        ("alice", "en"), ("alice", "es"), ("bob", "es"),
    ]  # fmt: skip
    assert _weights(spoken) == [0.5, 0.0, 0.5]
    assert [warning[: len(ADVICE)] for warning in info.warnings] == [ADVICE]


def test_each_turn_of_a_dialogue_has_its_own_guidance(
    synthesizer: Synthesizer, served: Settings, spoken: ToneEngine
) -> None:
    turns = [
        {"text": "Good morning.", "language": "en"},
        {"text": TEXT, "language": "es"},
        {"text": TEXT, "language": "es", "cfg_weight": 0.3},
    ]
    info = _speak(synthesizer, parse_speech({"turns": turns, "voice": "alice", "cache": False}, served)).info
    assert _weights(spoken) == [0.5, 0.0, 0.3]
    assert [warning.split(": voice")[0] for warning in info.warnings] == ["turns[1]"]


def test_a_voice_file_in_the_request_brings_its_language(
    synthesizer: Synthesizer, served: Settings, spoken: ToneEngine
) -> None:
    file = base64.b64encode(synthesizer.library.export("alice")).decode()
    for recording, weight in ((file, 0.0), (wav_base64(6.0), 0.5)):
        fields = {"text": TEXT, "language": "es", "reference_audio": recording, "cache": False}
        _speak(synthesizer, parse_speech(fields, served))
        assert _weights(spoken) == [weight]


def test_the_key_covers_what_the_voices_language_decides(
    synthesizer: Synthesizer, served: Settings, spoken: ToneEngine
) -> None:
    library = synthesizer.library

    def key(language: str | None, **fields: Any) -> str:
        library.save("alice", wav_bytes(6.0), field="file", details=VoiceDetails(language=language))
        fields = {"text": TEXT, "language": "es", "voice": "alice", "seed": 1, **fields}
        return synthesizer.plan(parse_speech(fields, served)).key

    assert key(None) == key("es")  # it is spoken in the same way
    different = [key(None), key("en"), key("fr"), key("en", cfg_weight=0.0)]  # other warnings are other answers
    assert len(set(different)) == len(different)
    assert key("en", cfg_weight=0.5) == key(None)


def test_a_worker_elsewhere_decides_by_its_own_voices(served: Settings) -> None:
    def sent(**fields: Any) -> dict[str, Any]:
        return job_fields(parse_speech({"text": TEXT, "language": "es", **fields}, served))

    assert not sent().keys() & {"cfg_weight", "temperature"}
    assert sent(cfg_weight=0.5)["cfg_weight"] == 0.5


def test_the_library_of_before_goes_on(settings: Settings) -> None:
    library = VoiceLibrary(settings.voices_dir)
    library.folder.mkdir(parents=True)
    (library.folder / "old.wav").write_bytes(wav_bytes())
    assert library.get("old").details.language is None
    assert [entry.language for entry in library.list()] == [None]
