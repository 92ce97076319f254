"""The worker as a generator: what it yields for /stream."""

from __future__ import annotations

import asyncio
import base64
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.loop import start
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.bad_inputs import BAD_INPUTS
from support.fakes import ToneEngine
from support.worker_jobs import ask, stream


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
