"""Many texts in one job: what does not fit into an answer or a piece of a stream goes another way or is refused."""

from __future__ import annotations

import asyncio
import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.delivery import Answer, serialized_bytes
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.fakes import ToneEngine
from support.worker_jobs import ask, numbered, stream


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

    *pieces, summary = asyncio.run(asyncio.wait_for(collect(), 60))
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


def test_reports_that_are_longer_than_was_reserved_are_an_error_with_a_way_out(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(
        "chatterbox_worker.serverless.texts.answer"
    )  # its package has a function of this name
    monkeypatch.setattr(module, "_report_bytes", lambda _: 10)
    worker = Worker(_small(settings, 2000, tmp_path / "missing" / "outputs"), synthesizer)

    answer = ask(worker, {"texts": numbered(12)})

    assert (answer["code"], answer["field"]) == ("answer_too_large", "texts")
    assert "send fewer texts in a job" in answer["error"]


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

    asyncio.run(asyncio.wait_for(as_the_sdk_does(), 60))

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
