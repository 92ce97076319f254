"""Many texts in one job: each is spoken, delivered or refused by itself, and nothing is lost in silence."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance, Voice
from chatterbox_worker.errors import DeviceFailed
from chatterbox_worker.serverless import progress
from chatterbox_worker.serverless.delivery import Answer, serialized_bytes
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesizer import Synthesizer
from chatterbox_worker.voices import contents, source
from support.audio_clips import wav_base64, wav_bytes
from support.fakes import ToneEngine, ToneTake
from support.platform_queue import eventually
from support.platforms import RecordingPlatform


@pytest.fixture
def worker(settings: Settings, synthesizer: Synthesizer) -> Worker:
    return Worker(settings, synthesizer)


def ask(worker: Worker, job_input: Any) -> dict[str, Any]:
    answer = asyncio.run(asyncio.wait_for(worker({"id": "job-1", "input": job_input}), 20))
    json.dumps(answer, allow_nan=False)
    return answer


def stream(worker: Worker, job_input: Any) -> list[dict[str, Any]]:
    """As a caller of /stream sees it: what each piece was when it was posted."""

    async def collect() -> list[dict[str, Any]]:
        return [json.loads(json.dumps(p)) async for p in worker.stream({"id": "job-1", "input": job_input})]

    return asyncio.run(asyncio.wait_for(collect(), 20))


def numbered(count: int, words: int = 4) -> list[dict[str, Any]]:
    return [{"id": f"n{n}", "text": f"Text {n} says " + "so " * words + "."} for n in range(count)]


def test_every_text_is_answered_in_order_as_it_would_be_alone(worker: Worker) -> None:
    texts = numbered(40)

    answer = ask(worker, {"texts": texts, "seed": 7, "format": "flac", "cache": False})
    alone = ask(worker, {"text": texts[29]["text"], "seed": 7, "format": "flac", "cache": False})

    assert [result["id"] for result in answer["results"]] == [text["id"] for text in texts]
    assert set(answer["results"][29]) == {"id", *alone}
    assert answer["results"][29]["audio_base64"] == alone["audio_base64"]
    assert (answer["texts"], answer["failed"]) == (40, 0)
    assert answer["duration_s"] == pytest.approx(sum(result["duration_s"] for result in answer["results"]), abs=1e-3)


def test_a_text_has_its_own_settings_over_the_jobs(worker: Worker) -> None:
    ask(worker, {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64()})

    answer = ask(worker, {
        "texts": [
            {"id": "job's", "text": "One."},
            {"id": "own", "prompt": "Two.", "seed": 3, "format": "mp3", "model_type": "turbo", "voice": "default"},
            {"id": "cloned", "text": "Three.", "reference_audio": wav_base64(7.0)},
        ],
        "seed": 2, "format": "flac", "model": "multilingual", "voice": "alice",
    })  # fmt: skip

    told = [(r["seed"], r["format"], r["model"], r["voice"]) for r in answer["results"]]
    assert told == [
        (2, "flac", "multilingual", "alice"), (3, "mp3", "turbo", "default"), (2, "flac", "multilingual", "reference"),
    ]  # fmt: skip
    assert all("audio_base64" in result for result in answer["results"])


def test_what_is_wrong_with_a_text_fails_that_text_alone(worker: Worker) -> None:
    bad: dict[str, tuple[dict[str, Any], str, str | None]] = {
        "empty": ({"text": " "}, "invalid_request", "text"),
        "missing": ({}, "invalid_request", "text"),
        "misspelt": ({"text": "Hi.", "colour": 1}, "invalid_request", "colour"),
        "format": ({"text": "Hi.", "format": "midi"}, "invalid_request", "format"),
        "action": ({"text": "Hi.", "action": "info"}, "invalid_request", "action"),
        "voice": ({"text": "Hi.", "voice": "nobody"}, "voice_not_found", "voice"),
        "two voices": ({"text": "Hi.", "voice": "a", "voice_url": "https://e.org"}, "invalid_request", "voice_url"),
        "no bucket": ({"text": "Hi.", "output": "s3"}, "invalid_request", "output"),
        "model": ({"text": "Hi.", "model": "turbo", "top_k": 5, "cfg_weight": 0.5}, "invalid_request", "cfg_weight"),
        "engine": ({"text": "Now explode."}, "synthesis_failed", None),
        "bug": ({"text": "A bug."}, "internal_error", None),
        "a long name": ({"text": "Hi.", "x" * 9000: 1}, "invalid_request", "x" * 64),
    }
    texts = [{"id": name, **fields} for name, (fields, _, _) in bad.items()]

    answer = ask(worker, {"texts": [{"id": "first", "text": "Good."}, *texts, {"id": "last", "text": "Good too."}]})

    first, *failed, last = answer["results"]
    assert (first["id"], last["id"], answer["failed"]) == ("first", "last", len(bad))
    assert "audio_base64" in first
    assert "audio_base64" in last
    for result in failed:
        _, code, field = bad[result["id"]]
        assert set(result) == {"id", "error"}
        assert set(result["error"]) == {"code", "message", "field"}
        assert (result["error"]["code"], result["error"]["field"]) == (code, field), result
        assert "secret" not in result["error"]["message"]


def test_all_are_submitted_before_any_is_waited_for(worker: Worker, engine: ToneEngine) -> None:
    engine.gate.clear()

    async def watch() -> dict[str, Any]:
        task = asyncio.create_task(worker({"id": "1", "input": {"texts": numbered(100), "cache": False}}))
        for _ in range(500):
            if len(engine.takes) == 100:
                break
            await asyncio.sleep(0.01)
        assert len(engine.takes) == 100
        engine.gate.set()
        return await task

    assert asyncio.run(asyncio.wait_for(watch(), 20))["failed"] == 0


def test_a_cancelled_job_frees_the_takes_of_all_texts(worker: Worker, engine: ToneEngine) -> None:
    engine.gate.clear()

    async def cancel_midway() -> None:
        task = asyncio.create_task(worker({"id": "1", "input": {"texts": numbered(60)}}))
        await asyncio.to_thread(engine.submitted.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())

    assert all(take.cancelled.wait(2) for take in engine.takes)
    assert eventually(lambda: not any(thread.name.startswith(("begin", "read")) for thread in threading.enumerate()))


def test_texts_that_are_the_same_are_spoken_once_and_kept(worker: Worker, engine: ToneEngine) -> None:
    texts = [{"id": str(n), "text": "The same."} for n in range(30)]

    answer = ask(worker, {"texts": texts})
    later = ask(worker, {"text": "The same."})

    assert len(engine.takes) == 1
    assert sorted(result["cache_hit"] for result in answer["results"]) == [False] + [True] * 29
    assert len({result["audio_base64"] for result in [*answer["results"], later]}) == 1
    assert len({result["seed"] for result in answer["results"]}) == 1


def test_a_voice_that_all_share_is_fetched_and_decoded_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    decoded: list[bytes] = []

    def fetch(url: str, *, allow_private: bool) -> bytes:
        fetched.append(url)
        return wav_bytes()

    def decode(name: str, data: bytes, *, field: str, transcript: str | None = None) -> Voice:
        decoded.append(data)
        return contents.voice_of(name, data, field=field, transcript=transcript)

    monkeypatch.setattr(source, "fetch", fetch)
    monkeypatch.setattr(source, "voice_of", decode)

    answer = ask(worker, {"texts": numbered(50), "voice_url": "https://example.org/voice.wav"})

    assert answer["failed"] == 0
    assert (len(fetched), len(decoded)) == (1, 1)


def _small(settings: Settings, limit_bytes: int, outputs: Path) -> Settings:
    return replace(settings, payload_limit_bytes=limit_bytes, outputs_dir=outputs)


def test_what_does_not_fit_goes_over_the_volume(settings: Settings, synthesizer: Synthesizer, tmp_path: Path) -> None:
    worker = Worker(_small(settings, 100_000, tmp_path / "outputs"), synthesizer)

    answer = ask(worker, {"texts": numbered(12), "cache": False})

    inline = [result for result in answer["results"] if "audio_base64" in result]
    stored = [Path(result["audio_path"]) for result in answer["results"] if "audio_path" in result]
    assert serialized_bytes(answer) <= 100_000
    assert inline
    assert len(inline) + len(stored) == 12
    assert all(path.stat().st_size > 10_000 for path in stored)


def test_what_cannot_be_delivered_says_so_in_its_place(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(_small(settings, 100_000, tmp_path / "missing" / "outputs"), synthesizer)

    answer = ask(worker, {"texts": numbered(12)})

    lost = [result for result in answer["results"] if "error" in result]
    assert serialized_bytes(answer) <= 100_000
    assert 0 < len(lost) == answer["failed"] < 12
    assert {(result["error"]["code"], result["error"]["field"]) for result in lost} == {("answer_too_large", "format")}
    assert all(result["error"]["message"].endswith("send fewer texts in a job") for result in lost)


def test_smaller_formats_are_taken_where_the_first_does_not_fit(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(_small(settings, 150_000, tmp_path / "missing" / "outputs"), synthesizer)

    answer = ask(worker, {"texts": numbered(12), "format": "auto"})

    assert answer["failed"] == 0
    assert {"wav"} < {result["format"] for result in answer["results"]}
    assert serialized_bytes(answer) <= 150_000


@pytest.mark.parametrize("has_volume", [False, True])
def test_an_answer_that_the_platform_refused_is_delivered_another_way(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path, has_volume: bool
) -> None:
    outputs = tmp_path / "outputs" if has_volume else tmp_path / "missing" / "outputs"
    texts = [*numbered(3, words=100), {"id": "bad", "text": " "}]
    answer = ask(Worker(replace(settings, outputs_dir=outputs), synthesizer), {"texts": texts})
    assert isinstance(answer, Answer)

    again = answer.shrink(100_000)

    assert serialized_bytes(again) <= 100_000
    assert [result["id"] for result in again["results"]] == [text["id"] for text in texts]
    assert again["results"][-1] == answer["results"][-1]
    assert not any("audio_base64" in result for result in again["results"])
    assert all(("audio_path" in result) is has_volume for result in again["results"][:-1])
    assert again["failed"] == (1 if has_volume else 4)


def test_a_streams_result_that_the_platform_refused_loses_its_audio_and_says_so(worker: Worker) -> None:
    async def collect() -> list[dict[str, Any]]:
        return [piece async for piece in worker.stream({"id": "1", "input": {"texts": numbered(3, words=100)}})]

    *pieces, summary = asyncio.run(asyncio.wait_for(collect(), 20))
    assert isinstance(summary, Answer)

    *again, last = summary.shrink(100_000)

    assert last == summary
    assert [piece["index"] for piece in again] == [piece["index"] for piece in pieces]
    assert not any("audio_base64" in piece["result"] for piece in again)
    assert all("in the stream only" in piece["result"]["warnings"][-1] for piece in again)


def test_more_texts_than_an_answer_can_tell_of_are_refused_before_any_is_spoken(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path, engine: ToneEngine
) -> None:
    worker = Worker(_small(settings, 20_000, tmp_path / "outputs"), synthesizer)

    answer = ask(worker, {"texts": numbered(40)})

    assert (answer["code"], answer["field"]) == ("invalid_request", "texts")
    assert not engine.takes


def test_a_stream_brings_each_text_as_it_is_finished(worker: Worker) -> None:
    texts = [*numbered(10), {"id": "bad", "text": ""}]

    *pieces, summary = stream(worker, {"texts": texts, "seed": 1, "format": "flac"})
    answer = ask(worker, {"texts": texts, "seed": 1, "format": "flac"})

    told = {piece["index"]: piece["result"] for piece in pieces}
    assert sorted(told) == list(range(11))
    assert [told[n].get("audio_base64") for n in range(10)] == [r["audio_base64"] for r in answer["results"][:10]]
    assert told[10] == answer["results"][10]
    assert (summary["texts"], summary["failed"]) == (11, 1)


def test_a_short_text_does_not_wait_for_a_long_one_before_it(worker: Worker, engine: ToneEngine) -> None:
    held = threading.Event()
    submit = engine.submit

    def slow(utterance: Utterance) -> ToneTake:
        take = submit(utterance)
        take._gate = held if "long" in utterance.text else take._gate
        return take

    engine.submit = slow  # type: ignore[method-assign]

    async def first_two() -> list[int]:
        texts = [{"id": "a", "text": "A long one."}, {"id": "b", "text": "Short."}]
        order = []
        async for piece in worker.stream({"id": "1", "input": {"texts": texts}}):
            order.append(piece.get("index", -1))
            held.set()
        return order

    assert asyncio.run(asyncio.wait_for(first_two(), 20)) == [1, 0, -1]


def test_audio_that_the_result_cannot_hold_is_in_the_stream_only_and_says_so(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    worker = Worker(_small(settings, 100_000, tmp_path / "missing" / "outputs"), synthesizer)
    posted: list[dict[str, Any]] = []
    collected: list[dict[str, Any]] = []

    async def as_the_sdk_does() -> None:
        async for piece in worker.stream({"id": "1", "input": {"texts": numbered(12)}}):
            posted.append(json.loads(json.dumps(piece)))
            collected.append(piece)

    asyncio.run(asyncio.wait_for(as_the_sdk_does(), 20))

    *pieces, _ = posted
    assert all("audio_base64" in piece["result"] for piece in pieces)
    assert all(serialized_bytes(piece) < CHUNK_BYTES + 1000 for piece in pieces)
    kept = [piece["result"] for piece in collected[:-1]]
    stripped = [result for result in kept if "audio_base64" not in result]
    assert 0 < len(stripped) < 12
    assert all("in the stream only" in result["warnings"][-1] for result in stripped)
    assert sum(serialized_bytes(piece) for piece in collected) <= 100_000


def test_a_piece_over_the_platforms_cap_goes_over_the_volume_or_is_refused(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path
) -> None:
    job = {"texts": [{"id": "long", "text": "It goes on and on. " * 100}, {"id": "short", "text": "Short."}]}
    there = Worker(_small(settings, 10_000_000, tmp_path / "outputs"), synthesizer)
    missing = Worker(_small(settings, 10_000_000, tmp_path / "missing" / "outputs"), synthesizer)

    stored = {piece["index"]: piece["result"] for piece in stream(there, job)[:-1]}
    refused = {piece["index"]: piece["result"] for piece in stream(missing, job)[:-1]}

    assert Path(stored[0]["audio_path"]).stat().st_size > CHUNK_BYTES
    assert refused[0]["error"]["code"] == "answer_too_large"
    assert "audio_base64" in stored[1]
    assert "audio_base64" in refused[1]


class _Poisoned(ToneTake):
    def __iter__(self) -> Iterator[Audio]:
        if "poison" in self.utterance.text.lower():
            raise DeviceFailed("the device failed: ask again")
        yield from super().__iter__()


def test_what_was_spoken_before_the_device_failed_goes_back_and_a_fresh_worker_is_asked_for(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    engine.submit = lambda utterance: _Poisoned(utterance, engine.gate)  # type: ignore[method-assign]
    platform = RecordingPlatform()
    worker = Worker(settings, synthesizer, platform)
    job = {"texts": [{"id": "a", "text": "Good."}, {"id": "b", "text": "poison."}], "cache": False}

    answer = ask(worker, job)
    pieces = stream(worker, job)

    assert answer["refresh_worker"] is True
    assert "audio_base64" in answer["results"][0]
    assert answer["results"][1]["error"]["code"] == "device_failed"
    assert "refresh_worker" not in pieces[-1]
    assert platform.device_failures == 2


def test_the_progress_of_all_texts_is_reported_as_one(
    settings: Settings, synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    platform = RecordingPlatform()

    answer = ask(Worker(settings, synthesizer, platform), {"texts": numbered(20)})

    updates = [update for _, update in platform.updates]
    assert answer["failed"] == 0
    assert max(update["chunks"] for update in updates) == 20
    assert all(update["chunks_done"] < update["chunks"] for update in updates)
    assert max(update["audio_s"] for update in updates) > 1.0


def test_candidates_are_takes_of_one_text_each_named_by_its_seed(worker: Worker) -> None:
    asked = {"text": "Say it well.", "format": "flac", "seed": 7}
    answer = ask(worker, asked | {"candidates": 3})

    results = answer["results"]
    assert [result["id"] for result in results] == [str(result["seed"]) for result in results]
    assert results[0]["seed"] == 7
    assert len({result["audio_base64"] for result in results}) == 3
    chosen = ask(worker, asked | {"seed": results[2]["seed"]})
    assert (chosen["audio_base64"], chosen["cache_hit"]) == (results[2]["audio_base64"], True)
    assert ask(worker, asked | {"candidates": 1})["audio_base64"] == results[0]["audio_base64"]


def test_candidates_without_a_seed_have_seeds_too(worker: Worker) -> None:
    answer = ask(worker, {"text": "Say it well.", "candidates": 2, "cache": False})
    first, second = answer["results"]
    again = ask(worker, {"text": "Say it well.", "seed": second["seed"], "cache": False})
    assert first["audio_base64"] != second["audio_base64"] == again["audio_base64"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "Hello.", "candidates": 9}, "candidates"),
        ({"text": "Hello.", "candidates": 0}, "candidates"),
        ({"text": "Hello.", "candidates": True}, "candidates"),
        ({"text": "Hello.", "candidates": "3"}, "candidates"),
        ({"text": "", "candidates": 3}, "text"),
        ({"text": "Hello.", "candidates": 3, "colour": "red"}, "colour"),
        ({"texts": numbered(2), "candidates": 3}, "candidates"),
    ],
)
def test_candidates_that_cannot_be_spoken_are_refused(worker: Worker, fields: dict[str, Any], field: str) -> None:
    refusal = ask(worker, fields)
    assert (refusal["code"], refusal["field"]) == ("invalid_request", field)


def test_one_of_several_texts_has_no_candidates(worker: Worker) -> None:
    answer = ask(worker, {"texts": [*numbered(1), {"id": "b", "text": "Hello.", "candidates": 2}]})
    assert [result.get("error", {}).get("field") for result in answer["results"]] == [None, "candidates"]
