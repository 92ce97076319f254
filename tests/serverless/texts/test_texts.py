"""Many texts in one job: each is spoken, delivered or refused by itself, and nothing is lost in silence."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import Utterance, Voice, VoiceDetails
from chatterbox_worker.errors import DeviceFailed
from chatterbox_worker.serverless import progress
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices import contents, source
from support.audio_clips import wav_base64, wav_bytes
from support.fakes import ToneEngine, ToneTake
from support.platform_queue import eventually
from support.platforms import RecordingPlatform
from support.worker_jobs import ask, numbered, stream


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

    assert asyncio.run(asyncio.wait_for(watch(), 60))["failed"] == 0


def test_a_cancelled_job_frees_the_takes_of_all_texts(worker: Worker, engine: ToneEngine) -> None:
    engine.gate.clear()

    async def cancel_midway() -> None:
        task = asyncio.create_task(worker({"id": "1", "input": {"texts": numbered(60)}}))
        await asyncio.to_thread(engine.submitted.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_midway())

    assert all(take.cancelled.wait(60) for take in engine.takes)
    assert eventually(lambda: not any(thread.name.startswith(("begin", "read")) for thread in threading.enumerate()))


def test_texts_that_are_the_same_are_spoken_once_and_kept(worker: Worker, engine: ToneEngine) -> None:
    texts = [{"id": str(n), "text": "The same."} for n in range(30)]

    answer = ask(worker, {"texts": texts})
    later = ask(worker, {"text": "The same."})

    assert len(engine.takes) == 1
    assert sorted(result["cache_hit"] for result in answer["results"]) == [False] + [True] * 29
    assert len({result["audio_base64"] for result in [*answer["results"], later]}) == 1
    assert len({result["seed"] for result in answer["results"]}) == 1

    uncached = ask(worker, {"texts": texts[:3], "cache": False})

    assert len(engine.takes) == 1 + 3
    assert not any(result["cache_hit"] for result in uncached["results"])


def test_a_voice_that_all_share_is_fetched_and_decoded_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    decoded: list[bytes] = []

    def fetch(url: str, *, allow_private: bool) -> bytes:
        fetched.append(url)
        return wav_bytes()

    def decode(name: str, data: bytes, *, field: str, details: VoiceDetails) -> Voice:
        decoded.append(data)
        return contents.voice_of(name, data, field=field, details=details)

    monkeypatch.setattr(source, "fetch", fetch)
    monkeypatch.setattr(source, "voice_of", decode)

    answer = ask(worker, {"texts": numbered(50), "voice_url": "https://example.org/voice.wav"})

    assert answer["failed"] == 0
    assert (len(fetched), len(decoded)) == (1, 1)


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

    assert asyncio.run(asyncio.wait_for(first_two(), 60)) == [1, 0, -1]


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
