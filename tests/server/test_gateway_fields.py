"""A request becomes the fields of a job: parsed again by the worker, they are the same request."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.server import speech
from chatterbox_worker.server.gateway.fields import job_fields
from support.audio_clips import wav_base64

CSM = Settings(models=("csm", "multilingual"))
SPOKEN = {"model": "csm", "voice": "alice", "reference_transcript": "The words of the recording."}
CHANGES: dict[str, dict[str, Any]] = {
    "text": {"text": "Another text."},
    "card": {"model": "multilingual", "reference_transcript": None},
    "language": {"model": "multilingual", "reference_transcript": None, "language": "de"},
    "region": {"model": "multilingual", "reference_transcript": None, "language": "en-GB"},
    "voice": {"voice": "bob"},
    "reference_audio": {"voice": None, "reference_audio": wav_base64()},
    "voice_url": {"voice": None, "voice_url": "https://example.org/voice.wav"},
    "format": {"format": "mp3"},
    "sample_rate": {"sample_rate": 48_000},
    "bitrate_kbps": {"format": "mp3", "bitrate_kbps": 96},
    "speed": {"speed": 1.5},
    "seed": {"seed": 7},
    "sampling": {"temperature": 0.5},
    "sampling_as_given": {"temperature": 0.9},
    "split_text": {"split_text": False},
    "chunk_size": {"chunk_size": 100},
    "cache": {"cache": False},
    "reference_transcript": {"reference_transcript": "Other words."},
    "speaker": {"speaker": 3},
    "context": {"context": [{"text": "Before.", "audio": wav_base64(), "speaker": 1}]},
    "max_chunk_s": {"max_chunk_s": 20.0},
    "normalize": {"normalize": {"numbers": False}},
    "pronunciations": {"pronunciations": {"Nguyen": "Nwin"}},
    "text_format": {"text_format": "auto"},
    "line_breaks": {"line_breaks": "keep"},
    "emoji": {"emoji": "read"},
    "ssml_strict": {"ssml_strict": False},
    "timestamps": {"timestamps": "word"},
    "pause_s": {"pause_s": {"line": 0.5}},
    "loudness_lufs": {"loudness_lufs": -20.0},
    "gain_db": {"gain_db": -3.0},
    "trim": {"trim": "inner"},
    "respeak": {"respeak": [0], "seed": 7},
    "check": {"check": "words"},
    "check_as_given": {"check": "off"},
    "attempts": {"attempts": 3},
    "max_word_error": {"check": "words", "max_word_error": 0.1},
    "on_fail": {"on_fail": "error"},
}
"""For each field of a request, fields of a body that change it."""
NOT_OF_A_JOB = {"as_model", "normalize_as_given", "turns"}
"""How a request is completed: the job names its model and has `normalize` as it was given."""


def test_every_field_of_a_request_has_a_change_here() -> None:
    fields = {field.name for field in dataclasses.fields(SpeechRequest)}
    assert set(CHANGES) == fields - NOT_OF_A_JOB


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_of_a_request_reaches_the_worker(name: str) -> None:
    def parse(fields: dict[str, Any]) -> SpeechRequest:
        return speech.parse({"text": "Hello."} | fields, CSM)

    plain = parse(SPOKEN)
    changed = parse({field: value for field, value in (SPOKEN | CHANGES[name]).items() if value is not None})
    assert getattr(changed, name) != getattr(plain, name)

    received = speech.parse(job_fields(changed), CSM)

    for field in CHANGES:
        assert getattr(received, field) == getattr(changed, field)


@pytest.mark.parametrize(
    "body",
    [
        {"turns": [{"text": "One.", "voice": "alice"}, {"text": "Two.", "name": "Bob", "speed": 1.5, "pause_s": 2}]},
        {
            "turns": [{"text": "One."}, {"text": "..."}],
            "reference_audio": wav_base64(),
            "reference_transcript": "Words.",
        },
        {
            "turns": [
                {"text": "One.", "reference_audio": wav_base64(), "reference_transcript": "Words."},
                {"text": "Two.", "reference_audio": wav_base64(pitch=110.0), "reference_transcript": "Words."},
            ]
        },
        {"turns": [{"text": "One.", "speaker": 4, "seed": 1}, {"text": "Two."}], "seed": 2, "pause_s": {"line": 1}},
        {"text": "Before.\n[Alice]: One.\n[bob]: Two.", "text_format": "script", "voice": "carol", "pause_s": 1},
        {"turns": [{"text": "One.", "name": "Ana", "seed": 3}], "loudness_lufs": -20, "respeak": [0], "seed": 1},
        {"text": "[Alice]: One.", "text_format": "script", "format": "mp3", "timestamps": "word", "max_chunk_s": 9},
    ],
)
def test_a_dialogue_reaches_the_worker(body: dict[str, Any]) -> None:
    sent = speech.parse(body, CSM)
    fields = job_fields(sent)
    received = speech.parse(fields, CSM)

    assert str(fields).count(wav_base64()) == str(body).count(wav_base64())
    for field in CHANGES:
        assert getattr(received, field) == getattr(sent, field)
    for there, here in zip(received.turns, sent.turns, strict=True):
        assert all(getattr(there.request, field) == getattr(here.request, field) for field in CHANGES)
        assert (there.name, there.pause_s, there.place) == (here.name, here.pause_s, here.place)
