"""The real worker on a queue that misbehaves: malformed jobs, and answers that it does not take."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatterbox_worker.localqueue import Fault, LocalQueue
from support.platform_queue import TONE, eventually, open_queue

pytestmark = pytest.mark.slow

MALFORMED: list[Any] = [
    [None], ["x"], [[]], [5], 5, "x", None, [], {}, [{}], [{"id": None}], [{"id": True, "input": {}}], [{"input": {}}],
    [{"id": ["a"], "input": {}}], [{"id": "\n", "input": {}}], [None, "x", {"id": 1.5}],
]  # fmt: skip
ANSWERED: list[tuple[Any, str]] = [
    ([{"id": 5, "input": {"text": "Hello."}}], "5"),
    ([None, {"id": "after-null", "input": {"text": "Hello."}}], "after-null"),
    ({"id": "no-input"}, "no-input"),
    ([{"id": "strange-keys", "input": {"text": "Hello."}, "self": 1, "__class__": 2, "a b": [3]}], "strange-keys"),
    ([{"id": "text-as-input", "input": "Hello."}], "text-as-input"),
    ([{"id": "twice", "input": {"text": "Hello."}}] * 2, "twice"),
    ([{"id": "a/b?c#d", "input": {"text": "Hello."}}], "a/b?c#d"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queue")


@pytest.fixture(scope="module", params=["0", "1"], ids=["plain", "streaming"])
def queue(folder: Path, request: pytest.FixtureRequest) -> Iterator[LocalQueue]:
    outputs = folder / request.param
    outputs.mkdir()
    with open_queue(TONE, folder, CHATTERBOX_STREAM=request.param, CHATTERBOX_OUTPUTS_DIR=str(outputs / "o")) as queue:
        yield queue


def test_malformed_jobs_are_left_out_or_answered_and_the_worker_goes_on(queue: LocalQueue) -> None:
    ((worker_id, _),) = queue.pids.items()
    for body in [*MALFORMED, *(body for body, _ in ANSWERED)]:
        queue.faults.add("job-take", Fault(body=json.dumps(body).encode()))
    for body in (b"{", b"\xff\xfe", b"", b"NaN", b"[" * 100_000, b"<html>"):
        queue.faults.add("job-take", Fault(body=body))

    assert eventually(lambda: not queue.faults.is_due("job-take"), 60)
    assert queue.run({"text": "All is well."})["status"] == "COMPLETED"
    assert list(queue.pids) == [worker_id]

    def posted() -> list[str | None]:
        return [call.job_id for call in queue.calls if call.route == "job-done"]

    assert eventually(lambda: {job_id for _, job_id in ANSWERED} <= set(posted()), 20)
    assert posted().count("twice") <= 5  # the queue does not know it: 404, five times


TROUBLES: list[tuple[str, list[Fault]]] = [
    ("one 429", [Fault(status=429, headers={"Retry-After": "1"})]),
    ("one 400", [Fault(status=400)]),
    ("one dropped connection", [Fault(drop=True)]),
    ("two 500 and an answer that is lost", [Fault(status=500)] * 2 + [Fault(drop=True, is_after=True)]),
]


@pytest.mark.parametrize("faults", [row[1] for row in TROUBLES], ids=[row[0] for row in TROUBLES])
def test_a_finished_answer_is_not_lost(queue: LocalQueue, faults: list[Fault]) -> None:
    for fault in faults:
        queue.faults.add("job-done", fault)

    answer = queue.run({"text": "Hello there.", "seed": 7})

    assert answer["status"] == "COMPLETED"
    assert "retries" not in answer


def test_an_answer_that_is_too_large_for_this_queue_goes_over_the_volume(queue: LocalQueue) -> None:
    queue.faults.add("job-done", Fault(status=413, bytes_over=100_000))

    output = queue.run({"text": "A sentence that lasts for some time. " * 20})["output"]

    last = output[-1] if isinstance(output, list) else output
    assert Path(last["audio_path"]).is_file()


def test_the_reason_of_a_failure_is_in_the_output(queue: LocalQueue) -> None:
    answer = queue.run({"text": "Hello.", "speed": 9})

    assert answer["output"] == {"message": answer["error"], "code": "invalid_request", "field": "speed"}
    streamed = queue.jobs[answer["id"]].chunks
    assert streamed in ([], [answer["output"]])


def test_openais_models_are_listed_at_its_route(queue: LocalQueue) -> None:
    headers = {"Authorization": f"Bearer {queue.api_key}"}
    models = httpx.get(f"{queue.endpoint_url}/openai/v1/models", headers=headers, timeout=60).json()

    assert (models["object"], [model["id"] for model in models["data"]]) == ("list", ["multilingual"])


@pytest.mark.parametrize("stream", ["0", "1"])
def test_what_a_killed_worker_could_not_post_is_the_next_ones_answer(tmp_path: Path, stream: str) -> None:
    outputs = str(tmp_path / "outputs")
    with open_queue(TONE, tmp_path, CHATTERBOX_STREAM=stream, CHATTERBOX_OUTPUTS_DIR=outputs) as queue:
        ((first, pid),) = queue.pids.items()
        queue.faults.add("job-done", Fault(status=500), times=1000)
        job_id = queue.submit({"text": "Spoken once, without a seed."})
        (stored,) = [tmp_path / "outputs" / ".unposted"]
        assert eventually(lambda: any(stored.glob("*.json")), 30)
        ((head, body),) = [file.read_bytes().split(b"\n", 1) for file in stored.glob("*.json")]
        os.kill(pid, signal.SIGKILL)
        while queue.faults.take("job-done"):
            pass
        answer = queue.wait(job_id, 60)

        assert json.loads(head)["job"] == job_id
        assert (answer["status"], answer["retries"]) == ("COMPLETED", 1)
        assert answer["workerId"] != first
        assert answer["output"] == json.loads(body)["output"]  # with the seed that was drawn the first time
        assert eventually(lambda: not any(stored.glob("*.json")))
