"""CSM over HTTP: the tiny engine behind the real routes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

import support.tiny_csm as tiny
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance
from chatterbox_worker.engines.csm.engine import CsmEngine
from chatterbox_worker.engines.csm.take import CsmTake
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_base64, wav_bytes
from support.serving import Open

WORDS = "These are the words of Alice."
SHORT = {"max_chunk_s": 0.5, "seed": 1}


class RecordingEngine(CsmEngine):
    """Records the utterances that it gets."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.utterances: list[Utterance] = []

    def submit(self, utterance: Utterance) -> CsmTake:
        utterance = replace(utterance, max_s=min(utterance.max_s or 0.5, 0.5))  # it never stops by itself
        self.utterances.append(utterance)
        return super().submit(utterance)


@pytest.fixture
def csm_engine(tmp_path: Path) -> Iterator[RecordingEngine]:
    plain = tiny.engine(tmp_path)
    plain.close()
    engine = RecordingEngine(tiny.csm(), "tiny", plain._store, tiny.Unmarked(), slots=2, base=None)
    yield engine
    engine.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        models=("csm",), cache_dir=tmp_path / "cache", voices_dir=tmp_path / "voices", concurrency=4, check="off"
    )


@pytest.fixture
def backend(settings: Settings, csm_engine: RecordingEngine) -> Callable[[Settings], Backend]:
    library = VoiceLibrary(settings.voices_dir)
    cache = AudioCache(settings.cache_dir, max_bytes=10**7, max_age_s=3600)
    return lambda chosen: LocalBackend(chosen, lambda _: Synthesizer({"csm": csm_engine}, library, cache))


@pytest.mark.anyio
async def test_a_voice_saved_with_its_transcript_is_cloned(
    open_server: Open, csm_engine: RecordingEngine, settings: Settings
) -> None:
    async with open_server() as http:
        file = {"file": ("alice.wav", wav_bytes(1.5))}
        saved = await http.post(
            "/upload-voice", files=file, data={"voice_name": "alice", "reference_transcript": WORDS}
        )
        about = (await http.get("/voices/alice")).json()
        answer = await http.post("/clone-voice", data={"text": "Hello there.", "voice_name": "alice"})

    assert saved.json()["success"]
    assert about["transcript"] == WORDS
    assert (settings.voices_dir / "alice.txt").read_text() == WORDS
    assert answer.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(answer.content)).duration == pytest.approx(0.48, abs=0.05)
    assert csm_engine.utterances[0].voice.details.transcript == WORDS


@pytest.mark.anyio
async def test_clone_voice_accepts_a_recording_in_the_form(open_server: Open, csm_engine: RecordingEngine) -> None:
    async with open_server() as http:
        file = {"reference_audio": ("mine.wav", wav_bytes(1.5))}
        without = await http.post("/clone-voice", files=file, data={"text": "Hello there."})
        answer = await http.post(
            "/clone-voice", files=file, data={"text": "Hello there.", "reference_transcript": WORDS}
        )

    assert (without.status_code, without.json()["field"]) == (400, "reference_transcript")
    assert answer.status_code == 200
    assert [utterance.voice.details.transcript for utterance in csm_engine.utterances] == [WORDS]


@pytest.mark.anyio
async def test_clone_voice_takes_the_fields_of_speech(open_server: Open, csm_engine: RecordingEngine) -> None:
    file = {"reference_audio": ("mine.wav", wav_bytes(1.5))}
    words = {"text": "Hello there.", "reference_transcript": WORDS}
    given = {"seed": "7", "max_chunk_s": "2.5", "temperature": "0.6", "cache": "false", "format": "flac"}
    async with open_server() as http:
        answer = await http.post("/clone-voice", files=file, data=words | given | {"pause_s": '{"line": 0.3}'})
        bad = [
            (await http.post("/clone-voice", files=file, data=words | {name: value})).json()
            for name, value in (("seed", "x"), ("pause_s", "[]"), ("max_chunk_s", "900"), ("colour", "red"))
        ]

    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/flac")
    (utterance,) = csm_engine.utterances
    assert utterance.sampling["temperature"] == 0.6
    assert answer.headers["x-chatterbox-seed"] == "7"
    assert [(error["field"], error["error"].partition(",")[0]) for error in bad] == [
        ("seed", "seed must be a whole number"),
        ("pause_s", "pause_s must be a JSON object or a number"),
        ("max_chunk_s", "max_chunk_s must be a number from 0.5 to 90"),
        ("colour", "unknown field 'colour'; known fields are reference_audio"),
    ]


@pytest.mark.anyio
async def test_a_turn_of_a_dialogue_gets_those_before_it_as_context(
    open_server: Open, csm_engine: RecordingEngine
) -> None:
    alice = {"reference_audio": wav_base64(1.5), "reference_transcript": WORDS}
    turns = [
        {"text": "Are you ready?", **alice},
        {"text": "I am."},
        {"text": "Then go.", **alice},
        {"text": "Now.", "speaker": 7},
    ]
    async with open_server() as http:
        answer = await http.post("/dialogue", json={"turns": turns, "pause_s": 0.0, "captions": "json", **SHORT})
        again = await http.post("/dialogue", json={"turns": turns, "pause_s": 0.0, "captions": "json", **SHORT})

    body = answer.json()
    assert [chunk["text"] for chunk in body["chunks"]] == ["Are you ready?", "I am.", "Then go.", "Now."]
    assert [utterance.speaker for utterance in csm_engine.utterances] == [0, 1, 0, 7]
    contexts = [[(turn.speaker, turn.text) for turn in utterance.context] for utterance in csm_engine.utterances]
    assert contexts[3] == [(0, "Are you ready?"), (1, "I am."), (0, "Then go.")]
    assert [len(turns) for turns in contexts] == [0, 1, 2, 3]
    assert again.json()["cache_hit"] is True
    assert len(csm_engine.utterances) == 4


@pytest.mark.anyio
async def test_a_turn_that_fails_fails_the_dialogue_and_is_named(open_server: Open) -> None:
    turns = [{"text": "One."}, {"text": "Two.", "reference_audio": wav_base64(1.5)}, {"text": "Three."}]
    async with open_server() as http:
        answer = await http.post("/dialogue", json={"turns": turns, **SHORT})
        context = await http.post("/dialogue", json={"turns": turns[:1], "context": []})

    assert (answer.status_code, answer.json()["field"]) == (400, "turns[1].reference_transcript")
    assert (context.status_code, context.json()["field"]) == (400, "context")


@pytest.mark.anyio
async def test_the_list_of_models_shows_what_csm_needs(open_server: Open) -> None:
    async with open_server() as http:
        (model,) = (await http.get("/v1/models")).json()["data"]

    assert (model["id"], model["owned_by"], model["languages"]) == ("csm", "sesame", ["en"])
    assert model["needs_transcript"] is model["hears_context"] is model["watermarks"] is True


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"language": "es"}, "language"),
        ({"exaggeration": 0.7}, "exaggeration"),
        ({"reference_audio": wav_base64(1.5)}, "reference_transcript"),
        ({"reference_transcript": WORDS}, "reference_transcript"),
        ({"reference_audio": wav_base64(1.5), "reference_transcript": "..."}, "reference_transcript"),
        ({"reference_audio": wav_base64(0.2), "reference_transcript": WORDS}, "reference_audio"),
        ({"reference_audio": wav_base64(170.0), "reference_transcript": WORDS}, "reference_audio"),
        ({"context": [{"text": "Hum.", "audio": "AAAA"}]}, "context[0].audio"),
        ({"context": [{"text": "?!", "audio": wav_base64(1.0)}]}, "context[0].text"),
        ({"context": [{"text": "Hum.", "audio": "not base64!"}]}, "context[0].audio"),
        ({"max_chunk_s": 91}, "max_chunk_s"),
    ],
)
async def test_what_csm_cannot_do_is_refused_by_name(open_server: Open, fields: dict[str, Any], field: str) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json={"input": "Hello there.", **fields})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
