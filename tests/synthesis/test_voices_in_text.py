"""A text that changes its voice and its tempo: each chunk is spoken with its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chatterbox_worker.audio.clip import concatenate
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed, VoiceNotFound, WorkerError
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.audio_clips import wav_bytes
from support.fakes import RATE, SECONDS_PER_CHARACTER, ToneEngine

TWO = '<voice name="alice">I am Alice.</voice> <voice name="bob">I am Bob.</voice> And I am nobody.'


@pytest.fixture
def _voices(synthesizer: Synthesizer) -> None:
    for name, seconds in (("alice", 6.0), ("bob", 3.0)):
        synthesizer.library.save(name, wav_bytes(seconds), field="voice")


def _request(settings: Settings, inside: str, **fields: Any) -> SpeechRequest:
    parsed = parse({"text": f"<speak>{inside}</speak>", "text_format": "ssml", **fields}, settings)
    assert isinstance(parsed, SpeechRequest)
    return parsed


@pytest.mark.usefixtures("_voices")
def test_each_chunk_has_the_voice_of_its_stretch(
    synthesizer: Synthesizer, settings: Settings, engine: ToneEngine
) -> None:
    recording = synthesizer.speak(_request(settings, TWO), CancelScope())

    assert [take.utterance.voice.id for take in engine.takes] == ["alice", "bob", "default"]
    assert [take.utterance.lead for take in engine.takes] == [None, None, None]
    assert [chunk.text for chunk in recording.info.chunks] == ["I am Alice.", "I am Bob.", "And I am nobody."]
    assert recording.info.voice == "default"


@pytest.mark.usefixtures("_voices")
def test_the_key_knows_the_voices_in_the_text(synthesizer: Synthesizer, settings: Settings) -> None:
    def key() -> str:
        return synthesizer.plan(_request(settings, TWO)).key

    before = key()
    assert key() == before
    synthesizer.library.save("bob", wav_bytes(4.0), field="voice")
    assert key() != before


@pytest.mark.usefixtures("_voices")
@pytest.mark.parametrize(
    ("inside", "model", "kind", "message"),
    [
        ('<voice name="carol">Hi.</voice>', "multilingual", VoiceNotFound, "carol"),
        ('<voice name="bob">Hi.</voice>', "turbo", InvalidRequest, "voice 'bob' lasts 3.0 s"),
    ],
)  # fmt: skip
def test_a_voice_in_the_text_that_cannot_be_used_is_refused(
    synthesizer: Synthesizer, inside: str, model: str, kind: type[WorkerError], message: str
) -> None:
    request = _request(replace(Settings(), models=("multilingual", "turbo")), inside, model=model)
    with pytest.raises(kind, match=message) as refusal:
        synthesizer.speak(request, CancelScope())
    assert refusal.value.field == "text"


def test_a_rate_changes_the_length_of_its_chunk_alone(synthesizer: Synthesizer, settings: Settings) -> None:
    def lengths(**fields: Any) -> list[float]:
        info = synthesizer.speak(
            _request(settings, 'Ten letters <prosody rate="50%">ten letters</prosody> ten letters', **fields),
            CancelScope(),
        ).info
        return [chunk.end_s - chunk.start_s for chunk in info.chunks]

    one = len("Ten letters.") * SECONDS_PER_CHARACTER
    assert lengths() == pytest.approx([one, 2 * one, one], abs=0.03)
    assert lengths(speed=2.0) == pytest.approx([one / 2, one, one / 2], abs=0.03)


def test_a_stream_of_pauses_is_the_recording(synthesizer: Synthesizer, settings: Settings) -> None:
    asked = _request(settings, '<break time="1s"/>Hello. <break time="500ms"/>World.<break time="2s"/>', seed=3)
    plan = synthesizer.plan(asked)
    streamed = concatenate(list(synthesizer.stream(plan, CancelScope(), streaming=True)))
    spoken = sum(len(chunk.spoken) for chunk in plan.chunks) * SECONDS_PER_CHARACTER
    assert len(streamed.samples) == round((spoken + 3.5) * RATE)


def test_pauses_alone_are_no_speech(
    synthesizer: Synthesizer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support.fakes.SECONDS_PER_CHARACTER", 0.0)
    with pytest.raises(SynthesisFailed, match="no sound"):
        synthesizer.speak(_request(settings, 'Hello. <break time="1s"/>'), CancelScope())
