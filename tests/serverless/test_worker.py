"""The RunPod edge, without RunPod: jobs in, answers out."""

from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import replace
from typing import Any

import pytest
import soundfile

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless import actions, progress
from chatterbox_worker.serverless.loop import start
from chatterbox_worker.serverless.worker import RunningJobs, Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import lexicon_at
from support.audio_clips import wav_base64
from support.bad_inputs import BAD_INPUTS
from support.fakes import ToneEngine
from support.platforms import RecordingPlatform
from support.worker_jobs import ask


@pytest.mark.parametrize(("job_input", "field"), [row[1:] for row in BAD_INPUTS], ids=[row[0] for row in BAD_INPUTS])
def test_bad_input_is_answered_with_the_field_named(worker: Worker, job_input: Any, field: str) -> None:
    answer = ask(worker, job_input)

    assert set(answer) == {"error", "message", "code", "field"}
    assert answer["message"] == answer["error"]
    assert answer["field"] == field
    assert answer["code"] in ("invalid_request", "voice_not_found")
    assert "Traceback" not in answer["error"]
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 700


def test_there_are_at_least_sixty_bad_inputs() -> None:
    assert len(BAD_INPUTS) >= 60


def test_the_lexicon_is_kept_by_actions_and_used_by_speech(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesizer._lexicon = lexicon_at(settings.lexicon)
    worker = Worker(settings, synthesizer)
    saved = ask(worker, {"action": "lexicon.save", "entries": {"Nguyen": "Nwin", "GIF": "jif"}})
    assert saved == {"saved": 2, "count": 2, "warnings": []}
    plain = ask(worker, {"text": "Ask them."})
    answer = ask(worker, {"text": "Ask Nguyen."})
    assert answer["chunks"][0]["spoken"] == "Ask Nwin."
    preview = ask(worker, {"action": "text.preview", "text": "Ask Nguyen.", "pronunciations": {"Nguyen": "Nuyen"}})
    assert preview["chunks"][0]["spoken"] == "Ask Nuyen."

    deleted = ask(worker, {"action": "lexicon.delete", "word": "Nguyen"})
    assert deleted == {"word": "Nguyen", "language": "*", "deleted": True}
    assert ask(worker, {"action": "lexicon.delete", "word": "Nguyen"})["code"] == "entry_not_found"
    listed = ask(worker, {"action": "lexicon.list"})
    entry = {"word": "GIF", "spoken": "jif", "language": "*"}
    assert listed == {"entries": [entry], "count": 1, "next_offset": None}

    again = ask(worker, {"text": "Ask Nguyen."})
    assert (again["chunks"][0]["spoken"], again["cache_hit"]) == ("Ask Nguyen.", False)
    assert ask(worker, {"text": "Ask them."})["cache_key"] == plain["cache_key"]  # other words change nothing

    monkeypatch.setattr(actions, "is_attached", lambda _: False)
    assert ask(worker, {"action": "lexicon.save", "entries": {"a": "b"}})["code"] == "volume_failed"


def test_an_answer_carries_every_documented_field(worker: Worker) -> None:
    answer = ask(worker, {"text": "Hello there.", "seed": 7})

    assert set(answer) == {
        "audio_base64", "mimetype", "format", "size_bytes", "cache_hit", "cache_key", "device", "chunks_processed",
        "generation_time_ms", "sample_rate", "duration_s", "seed", "model", "language", "voice", "timings", "chunks",
        "warnings",
    }  # fmt: skip
    data = base64.b64decode(answer["audio_base64"])
    info = soundfile.info(io.BytesIO(data))
    assert len(data) == answer["size_bytes"]
    assert info.samplerate == answer["sample_rate"] == 24_000
    assert info.duration == pytest.approx(answer["duration_s"], abs=1e-3)
    assert (answer["model"], answer["language"], answer["voice"], answer["seed"]) == (
        "multilingual",
        "en",
        "default",
        7,
    )
    assert answer["chunks_processed"] == len(answer["chunks"]) == 1
    assert {"queue_to_first_audio_s", "t3_s", "encode_s", "total_s", "real_time_factor"} <= set(answer["timings"])


def test_the_second_time_comes_from_the_cache(worker: Worker, engine: ToneEngine) -> None:
    first = ask(worker, {"text": "Hello there."})
    second = ask(worker, {"text": "Hello there."})

    assert (first["cache_hit"], second["cache_hit"]) == (False, True)
    assert second["audio_base64"] == first["audio_base64"]
    assert second["seed"] == first["seed"]
    assert len(engine.takes) == 1


def test_the_public_endpoints_shape_gets_a_data_uri(worker: Worker) -> None:
    answer = ask(worker, {"prompt": "Hello there.", "format": "flac"})

    assert "audio_base64" not in answer
    head, _, body = answer["audio_url"].partition(",")
    assert head == "data:audio/flac;base64"
    assert base64.b64decode(body).startswith(b"fLaC")


def test_openai_speech_answers_json_and_mp3_by_default(worker: Worker) -> None:
    body = {"model": "turbo", "input": "Hello there.", "voice": "default", "speed": 1.5}

    answer = ask(worker, {"openai_route": "/v1/audio/speech", "openai_input": body})

    assert (answer["model"], answer["format"], answer["mimetype"]) == ("turbo", "mp3", "audio/mpeg")


def test_an_answer_over_the_limit_fails_with_its_size_and_a_way_out(
    settings: Settings, synthesizer: Synthesizer
) -> None:
    small = Settings(models=settings.models, payload_limit_bytes=20_000)

    answer = ask(Worker(small, synthesizer), {"text": "A sentence that lasts longer than that. " * 5})

    assert answer["code"] == "answer_too_large"
    assert "mp3" in answer["error"]


def test_a_failing_chunk_fails_the_job(worker: Worker) -> None:
    answer = ask(worker, {"text": "All is well here. " * 20 + "Now explode."})

    assert answer["code"] == "synthesis_failed"


def test_a_bug_is_answered_without_its_insides(worker: Worker) -> None:
    answer = ask(worker, {"text": "There is a bug in here."})

    assert answer["code"] == "internal_error"
    assert "secret" not in answer["error"]


def test_a_cancelled_job_frees_its_takes(worker: Worker, engine: ToneEngine) -> None:
    engine.gate.clear()

    async def cancel_midway() -> None:
        task = asyncio.create_task(worker({"id": "1", "input": {"text": "A long story. " * 60}}))
        await asyncio.to_thread(engine.submitted.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())

    assert all(take.cancelled.wait(60) for take in engine.takes)


def test_jobs_can_be_cancelled_through_the_list_that_the_worker_was_given(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    engine.gate.clear()
    running = RunningJobs()
    worker = Worker(settings, synthesizer, running=running)

    async def give_up_midway() -> None:
        assert running.count == 0
        task = asyncio.create_task(worker({"id": "1", "input": {"text": "A long story. " * 60}}))
        await asyncio.to_thread(engine.submitted.wait, 60)
        assert running.count == 1
        running.cancel_all()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up_midway())

    assert all(take.cancelled.wait(60) for take in engine.takes)


def test_a_text_is_previewed_without_being_spoken(worker: Worker, engine: ToneEngine) -> None:
    answer = ask(worker, {"action": "text.preview", "text": "At 12:30 p.m. it was 73°F.", "language": "en"})

    assert [chunk["spoken"] for chunk in answer["chunks"]] == [
        "At twelve thirty p.m. it was seventy-three degrees Fahrenheit."
    ]
    assert not engine.takes


def test_info_tells_what_is_served(worker: Worker) -> None:
    ask(worker, {"text": ""})
    answer = ask(worker, {"action": "info"})

    assert set(answer["models"]) == {"multilingual", "turbo"}
    assert (answer["jobs_done"], answer["jobs_failed"]) == (0, 1)


def test_a_worker_that_cannot_start_answers_every_job_with_the_reason() -> None:
    worker, _ = start({"CHATTERBOX_MODLES": "preview"})

    answer = ask(worker, {"text": "Hello."})

    assert answer["code"] == "not_ready"
    assert "did you mean CHATTERBOX_MODELS" in answer["error"]


def test_a_long_job_tells_its_progress(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    platform = RecordingPlatform()

    answer = ask(
        Worker(settings, synthesizer, platform), {"text": "A sentence about something else. " * 60, "chunk_size": 50}
    )

    assert {job_id for job_id, _ in platform.updates} == {"job-1"}
    assert platform.updates[-1][1]["chunks"] == answer["chunks_processed"]
    assert platform.updates[-1][1]["chunks_done"] == answer["chunks_processed"] - 1


def test_a_bad_s3_config_is_answered_before_anything_is_spoken(worker: Worker, engine: ToneEngine) -> None:
    answer = asyncio.run(worker({"id": "1", "input": {"text": "Hello."}, "s3Config": {"accessId": "x"}}))

    assert (answer["code"], answer["field"]) == ("invalid_request", "s3Config")
    assert not engine.takes


@pytest.mark.parametrize(
    ("job_input", "field"),
    [
        ({"text": "Hi.", "output": "ftp"}, "output"), ({"text": "Hi.", "output": "s3"}, "output"),
        ({"text": "Hi.", "format": "auto", "sample_rate": 7}, "sample_rate"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_met_is_refused(worker: Worker, job_input: Any, field: str) -> None:
    assert ask(worker, job_input)["field"] == field


def test_the_models_are_listed_in_openais_shape(worker: Worker) -> None:
    for job_input in ({"openai_route": "/v1/models"}, {"action": "models.list"}):
        answer = ask(worker, job_input)

        assert answer["object"] == "list"
        assert [(model["id"], model["object"]) for model in answer["data"]] == [
            ("multilingual", "model"),
            ("turbo", "model"),
        ]
        assert all(isinstance(model["created"], int) and model["owned_by"] for model in answer["data"])


def test_a_recording_is_converted_and_answered_like_speech(worker: Worker) -> None:
    answer = ask(worker, {"action": "convert", "audio": wav_base64(2.0), "seed": 7, "format": "flac"})
    again = ask(worker, {"action": "convert", "audio": wav_base64(2.0), "seed": 7, "format": "flac"})

    assert soundfile.info(io.BytesIO(base64.b64decode(answer["audio_base64"]))).duration == 2.0
    told = {"duration_s": 2.0, "format": "flac", "seed": 7, "voice": "default", "language": "und", "chunks": []}
    assert {name: answer[name] for name in told} == told
    assert (answer["cache_hit"], again["cache_hit"]) == (False, True)


def test_a_conversion_is_streamed_and_stored_like_speech(settings: Settings, synthesizer: Synthesizer) -> None:
    job_input = {"action": "convert", "audio": wav_base64(3.0), "format": "pcm", "cache": False, "seed": 1}
    whole = ask(Worker(settings, synthesizer), job_input)
    streaming = Worker(replace(settings, stream=True), synthesizer)

    async def pieces() -> list[dict[str, Any]]:
        return [dict(piece) async for piece in streaming.stream({"id": "job-1", "input": job_input})]

    *chunks, summary = asyncio.run(pieces())
    assert b"".join(base64.b64decode(chunk["audio_base64"]) for chunk in chunks) == base64.b64decode(
        whole["audio_base64"]
    )
    assert summary["chunks_streamed"] == len(chunks)
    outputs = Worker(replace(settings, outputs_dir=settings.cache_dir / "outputs"), synthesizer)
    assert ask(outputs, job_input | {"output": "s3"})["field"] == "output"
