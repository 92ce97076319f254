"""The RunPod edge, without RunPod: jobs in, answers out."""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless import actions, progress
from chatterbox_worker.serverless.delivery import volume
from chatterbox_worker.serverless.loop import start
from chatterbox_worker.serverless.worker import RunningJobs, Unready, Worker
from chatterbox_worker.synthesizer import Synthesizer
from chatterbox_worker.text.lexicon import lexicon_at
from support.audio_clips import wav_base64
from support.bad_inputs import BAD_INPUTS
from support.fakes import ToneEngine
from support.platforms import RecordingPlatform


@pytest.fixture
def worker(settings: Settings, synthesizer: Synthesizer) -> Worker:
    return Worker(settings, synthesizer)


def ask(worker: Worker | Unready, job_input: Any) -> dict[str, Any]:
    answer = asyncio.run(asyncio.wait_for(worker({"id": "job-1", "input": job_input}), 20))
    json.dumps(answer, allow_nan=False)
    return answer


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
        await asyncio.to_thread(engine.submitted.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())

    assert all(take.cancelled.wait(2) for take in engine.takes)


def test_jobs_can_be_cancelled_through_the_list_that_the_worker_was_given(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    engine.gate.clear()
    running = RunningJobs()
    worker = Worker(settings, synthesizer, running=running)

    async def give_up_midway() -> None:
        assert running.count == 0
        task = asyncio.create_task(worker({"id": "1", "input": {"text": "A long story. " * 60}}))
        await asyncio.to_thread(engine.submitted.wait, 5)
        assert running.count == 1
        running.cancel_all()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up_midway())

    assert all(take.cancelled.wait(2) for take in engine.takes)


def test_a_text_is_previewed_without_being_spoken(worker: Worker, engine: ToneEngine) -> None:
    answer = ask(worker, {"action": "text.preview", "text": "At 12:30 p.m. it was 73°F.", "language": "en"})

    assert [chunk["spoken"] for chunk in answer["chunks"]] == [
        "At twelve thirty p.m. it was seventy-three degrees Fahrenheit."
    ]
    assert not engine.takes


def test_voices_are_saved_listed_spoken_with_and_deleted(worker: Worker, engine: ToneEngine) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    listed = ask(worker, {"action": "voices.list"})
    spoken = ask(worker, {"text": "Hello there.", "voice": "alice"})
    deleted = ask(worker, {"action": "voices.delete", "voice": "alice"})
    gone = ask(worker, {"text": "Hello there.", "voice": "alice"})

    assert saved["duration_s"] == 6.0
    assert [voice["id"] for voice in listed["voices"]] == ["alice"]
    assert spoken["voice"] == "alice"
    assert engine.takes[-1].utterance.voice.digest == saved["digest"]
    assert deleted == {"voice": "alice", "deleted": True}
    assert gone["code"] == "voice_not_found"


def test_a_saved_name_gets_an_id_and_errors_name_the_field_that_was_used(worker: Worker) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "李雷", "reference_audio": wav_base64(4.0)})
    listed = ask(worker, {"action": "voices.list"})["voices"]
    short = {name: ask(worker, {"text": "Hello.", "model": "turbo", name: value})
             for name, value in (("voice", saved["voice"]), ("reference_audio", wav_base64(4.0)))}  # fmt: skip
    path = ask(worker, {"action": "voices.save", "voice": "../a", "reference_audio": wav_base64()})

    assert (saved["voice"], saved["name"]) == ("voice-3a47328a", "李雷")
    assert any("turbo or nano" in warning for warning in saved["warnings"])
    assert [(entry["id"], entry["name"]) for entry in listed] == [("voice-3a47328a", "李雷")]
    assert {name: answer["field"] for name, answer in short.items()} == {name: name for name in short}
    assert (path["code"], path["field"]) == ("invalid_request", "voice")


def test_a_voice_leaves_as_a_file_that_can_come_back(worker: Worker) -> None:
    ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    out = ask(worker, {"action": "voices.export", "voice": "alice"})
    back = ask(worker, {"action": "voices.save", "voice": "bob", "reference_audio": out["reference_audio"]})
    again = ask(worker, {"action": "voices.export", "voice": "bob"})

    assert out["voice"] == "alice"
    assert back["duration_s"] == 6.0
    assert again["digest"] == back["digest"]
    assert again["reference_audio"] == out["reference_audio"]


def test_a_voice_that_does_not_fit_an_answer_says_where_it_is(settings: Settings, synthesizer: Synthesizer) -> None:
    worker = Worker(replace(settings, payload_limit_bytes=100_000), synthesizer)
    ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    answer = ask(worker, {"action": "voices.export", "voice": "alice"})

    assert answer["code"] == "answer_too_large"
    assert "copy its file from the volume" in answer["error"]


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


def stream(worker: Worker | Unready, job_input: Any, **beside: Any) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        return [dict(piece) async for piece in worker.stream({"id": "job-1", "input": job_input, **beside})]

    return asyncio.run(asyncio.wait_for(collect(), 20))


def test_the_sdk_sees_what_kind_each_handler_is(worker: Worker) -> None:
    assert inspect.isasyncgenfunction(worker.stream)  # what the SDK asks, of the object it is given
    assert not inspect.isasyncgenfunction(worker.__call__)


def test_a_stream_says_what_the_plain_answer_says(worker: Worker) -> None:
    *chunks, summary = stream(worker, {"text": "Hello there.", "seed": 7, "format": "pcm"})
    answer = ask(worker, {"text": "Hello there.", "seed": 7, "format": "pcm"})

    assert [set(chunk) for chunk in chunks] == [{"index", "start_s", "duration_s", "audio_base64"}]
    assert b"".join(base64.b64decode(chunk["audio_base64"]) for chunk in chunks) == base64.b64decode(
        answer["audio_base64"]
    )
    assert set(summary) == set(answer) - {"audio_base64"} | {"chunks_streamed"}


@pytest.mark.parametrize(("job_input", "field"), [row[1:] for row in BAD_INPUTS[::9]])
def test_a_stream_of_bad_input_is_an_item_that_says_why_and_the_error(
    worker: Worker, job_input: Any, field: str
) -> None:
    item, answer = stream(worker, job_input)

    assert answer["field"] == field
    assert {**item, "error": item["message"]} == answer


def test_actions_and_stored_answers_are_streams_of_one(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(replace(settings, outputs_dir=tmp_path / "outputs"), synthesizer)

    (info,) = stream(worker, {"action": "info"})
    (stored,) = stream(worker, {"text": "Hello there.", "output": "volume"})

    assert "models" in info
    assert Path(stored["audio_path"]).is_file()


def test_a_stream_that_fails_half_way_ends_with_the_reason(worker: Worker) -> None:
    *chunks, last = stream(worker, {"text": "All is well here. " * 20 + "Now explode."})

    assert chunks
    assert last["error"] == "the engine failed on this chunk"


def test_a_stream_given_up_while_a_chunk_is_posted_frees_its_takes(worker: Worker, engine: ToneEngine) -> None:
    kept: list[Any] = []
    posting = asyncio.Event()

    async def as_the_sdk_does() -> None:
        pieces = worker.stream({"id": "1", "input": {"text": "A long story about it. " * 60}})
        kept.append(pieces)  # so that no garbage collector comes to help
        async for _ in pieces:
            posting.set()
            await asyncio.sleep(60)  # the post

    async def cancel_midway() -> None:
        task = asyncio.create_task(as_the_sdk_does())
        await posting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert len(engine.takes) > 1
        assert all(take.cancelled.is_set() for take in engine.takes)

    asyncio.run(cancel_midway())


def test_a_worker_that_cannot_start_answers_streams_too() -> None:
    worker, _ = start({"CHATTERBOX_STREAM": "yes"})

    item, answer = stream(worker, {"text": "Hello."})

    assert item["code"] == answer["code"] == "not_ready"
    assert "CHATTERBOX_STREAM" in answer["error"]


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


# Large answers on the volume


@pytest.fixture
def with_volume(settings: Settings, synthesizer: Synthesizer, tmp_path: Path) -> Worker:
    small = replace(settings, outputs_dir=tmp_path / "outputs", payload_limit_bytes=20_000, runsync_limit_bytes=20_000)
    return Worker(small, synthesizer)


def test_a_file_on_the_volume_comes_in_pieces_that_fit_is_listed_and_deleted(with_volume: Worker) -> None:
    path = ask(with_volume, {"text": "A sentence of some length. " * 10, "output": "volume"})["audio_path"]
    whole = Path(path).read_bytes()
    data = b""
    piece: dict[str, Any] = {"next_offset": 0}
    while piece["next_offset"] is not None:
        piece = ask(with_volume, {"action": "outputs.get", "path": path, "offset": piece["next_offset"]})
        assert len(json.dumps(piece)) < 20_000
        data += base64.b64decode(piece["data_base64"])
    listed = ask(with_volume, {"action": "outputs.list"})
    deleted = ask(with_volume, {"action": "outputs.delete", "path": path})
    gone = [ask(with_volume, {"action": action, "path": path}) for action in ("outputs.get", "outputs.delete")]

    assert data == whole
    assert (piece["size_bytes"], listed["count"]) == (len(whole), 1)
    assert [(file["path"], file["size_bytes"]) for file in listed["outputs"]] == [(path, len(whole))]
    assert deleted == {"path": path, "deleted": True}
    assert [answer["code"] for answer in gone] == ["output_not_found"] * 2
    assert ask(with_volume, {"action": "outputs.list"}) == {"outputs": [], "count": 0}


@pytest.mark.parametrize("action", ["outputs.get", "outputs.delete"])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../secret.wav", "{folder}/../secret.wav", "{folder}/" + "a" * 32 + ".wav/../../secret.wav",
        "..",
        "{folder}", "{folder}/", ".", "a\0b.wav", "{folder}/.unposted/" + "a" * 32 + ".json", "a" * 31 + "/.wav",
        "a" * 32 + ".wav\n", "%2e%2e/secret.wav", "a" * 32, "ａ" * 32 + ".wav", "~root/" + "a" * 32 + ".wav",
    ],
)  # fmt: skip
def test_no_other_file_can_be_reached(with_volume: Worker, tmp_path: Path, action: str, path: str) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"secret")
    ask(with_volume, {"text": "Hello.", "output": "volume"})

    answer = ask(with_volume, {"action": action, "path": path.replace("{folder}", str(tmp_path / "outputs"))})

    assert (answer["code"], answer["field"]) == ("invalid_request", "path")
    assert secret.read_bytes() == b"secret"


def test_a_link_or_a_pipe_in_the_folder_is_not_read(with_volume: Worker, tmp_path: Path) -> None:
    ask(with_volume, {"text": "Hello.", "output": "volume"})
    (tmp_path / "secret.wav").write_bytes(b"secret")
    link, pipe, folder = (tmp_path / "outputs" / f"{letter * 32}.wav" for letter in "abc")
    link.symlink_to(tmp_path / "secret.wav")
    os.mkfifo(pipe)
    folder.mkdir()

    for path in (link, pipe, folder):
        assert ask(with_volume, {"action": "outputs.get", "path": str(path)})["code"] == "output_not_found"
    assert ask(with_volume, {"action": "outputs.list"})["count"] == 1


@pytest.mark.parametrize("offset", [-1, 10**12, 1.5, "0"])
def test_an_offset_outside_the_file_is_named(with_volume: Worker, offset: Any) -> None:
    path = ask(with_volume, {"text": "Hello.", "output": "volume"})["audio_path"]

    assert ask(with_volume, {"action": "outputs.get", "path": path, "offset": offset})["field"] == "offset"


def test_pieces_for_a_streaming_endpoint_fit_its_stream(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(replace(settings, outputs_dir=tmp_path / "outputs", stream=True), synthesizer)
    (stored,) = stream(worker, {"text": "A sentence of some length. " * 100, "output": "volume"})
    (piece,) = stream(worker, {"action": "outputs.get", "path": stored["audio_path"]})

    assert 500_000 < len(json.dumps(piece)) <= 700_000
    assert piece["next_offset"] is not None


# Voices without a network volume


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_voice_that_would_be_lost_is_refused_or_saved_with_a_warning(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_disk: bool
) -> None:
    monkeypatch.setattr(volume, "MOUNT", tmp_path)  # a folder, as in an image without a network volume
    worker = Worker(replace(settings, voices_on_disk=on_disk), synthesizer)

    answer = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})
    listed = ask(worker, {"action": "voices.list"})["voices"]

    if on_disk:
        assert answer["warnings"][-1] == "no network volume is attached, so voice 'alice' is lost when this worker ends"
    else:
        assert answer["code"] == "volume_failed"
        assert "CHATTERBOX_VOICES_ON_DISK=1" in answer["error"]
    assert len(listed) == int(on_disk)


def test_a_voice_on_a_volume_is_saved_without_a_warning(worker: Worker) -> None:
    saved = ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})

    assert not any("volume" in warning for warning in saved["warnings"])


# Base64 as people send it


@pytest.mark.parametrize("variant", ["URL-safe", "unpadded", "URL-safe and unpadded", "in lines", "a data URI"])
def test_every_usual_form_of_base64_is_the_same_voice(worker: Worker, variant: str) -> None:
    standard = wav_base64()
    assert "+" in standard
    assert "/" in standard
    url_safe = standard.replace("+", "-").replace("/", "_")
    sent = {
        "URL-safe": url_safe,
        "unpadded": standard.rstrip("="),
        "URL-safe and unpadded": url_safe.rstrip("="),
        "in lines": "\r\n".join(standard[start : start + 76] for start in range(0, len(standard), 76)),
        "a data URI": f"data:audio/wav;base64,{url_safe}",
    }[variant]

    expected = ask(worker, {"action": "voices.save", "voice": "a", "reference_audio": standard})["digest"]
    assert ask(worker, {"action": "voices.save", "voice": "b", "reference_audio": sent})["digest"] == expected


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
