"""An answer that could not be posted is stored, and reaches the platform from this worker or from another."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chatterbox_worker.localqueue import Fault, JobState, LocalQueue
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.protocol import outbox
from chatterbox_worker.serverless.protocol.outbox import Outbox, UnpostedAnswer
from chatterbox_worker.serverless.protocol.send import Urls
from support.posting import SMALL, Caller


def answer_to(job_id: str) -> UnpostedAnswer:
    return UnpostedAnswer(job_id, "w", False, json.dumps({"output": SMALL}).encode())


def stored_in(folder: Path) -> list[Path]:
    """The files of `kept`."""
    return list((folder / "outputs" / ".unposted").iterdir())


def test_what_could_not_be_posted_is_stored_until_it_could(
    caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    put, touch = Outbox.put, Outbox.touch

    def put_and_note(self: Outbox, answer: UnpostedAnswer) -> bool:
        seen.append(answer.output)
        return put(self, answer)

    def touch_and_note(self: Outbox, job_id: str) -> None:
        seen.append("touched")
        touch(self, job_id)

    monkeypatch.setattr(Outbox, "put", put_and_note)
    monkeypatch.setattr(Outbox, "touch", touch_and_note)

    answer = caller.post({"output": SMALL}, *[Fault(status=500)] * 3)

    assert seen == [SMALL, "touched", "touched"]
    assert kept.find(answer["id"]) is None


def test_an_error_is_not_stored(caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "put", lambda *_: pytest.fail("stored"))

    assert caller.post({"error": "no"}, *[Fault(status=500)] * 3)["status"] == "FAILED"


def cancelled_while_posting(caller: Caller, kept: Outbox) -> str:
    """The job's id; the platform answered nothing but 500, and then the SDK cancelled the task."""

    async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
        task = asyncio.create_task(caller.poster.send_result(session, {"output": SMALL}, taken))
        while not kept.find(taken["id"]):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    caller.queue.faults.add("job-done", Fault(status=500), times=10_000)
    job_id = str(caller.run(act)["id"])
    while caller.queue.faults.take("job-done"):
        pass
    return job_id


def test_a_job_that_the_platform_stopped_is_forgotten(caller: Caller, kept: Outbox) -> None:
    assert kept.find(cancelled_while_posting(caller, kept)) is None


def test_a_job_that_is_stopped_while_its_answer_is_stored_is_forgotten(
    caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Outbox.put

    def put_slowly(self: Outbox, answer: UnpostedAnswer) -> bool:
        is_stored = put(self, answer)
        time.sleep(0.2)
        return is_stored

    monkeypatch.setattr(Outbox, "put", put_slowly)
    assert kept.find(cancelled_while_posting(caller, kept)) is None


def test_a_worker_that_ends_leaves_its_answer_to_the_next(
    caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.ends = True
    job_id = cancelled_while_posting(caller, kept)
    next_worker = Caller(caller.queue, kept)

    async def handle(job: Any) -> Any:
        return "spoken again"

    async def handle_stream(job: Any) -> Any:
        yield "spoken again"

    async def ask() -> list[Any]:
        answer = next_worker.poster.answer_again(handle)
        stream = next_worker.poster.stream_again(handle_stream)
        return [
            await answer({"id": job_id}), await answer({"id": "another"}),
            [piece async for piece in stream({"id": "another"})],
        ]  # fmt: skip

    assert asyncio.run(ask()) == [SMALL, "spoken again", ["spoken again"]]
    assert caller.queue.jobs[job_id].state is JobState.IN_PROGRESS

    async def sweep() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": caller.queue.worker_key or ""}) as session:
            await next_worker.poster.sweep(session)  # its lease is not over
            assert kept.find(job_id) is not None
            monkeypatch.setattr(outbox, "LEASE_S", -1.0)
            await next_worker.poster.sweep(session)

    asyncio.run(sweep())
    assert (caller.queue.jobs[job_id].state, caller.queue.jobs[job_id].result) == (
        JobState.COMPLETED,
        {"output": SMALL},
    )
    assert kept.find(job_id) is None


def test_an_answer_that_was_found_is_posted_once_and_then_forgotten(caller: Caller, kept: Outbox) -> None:
    caller.ends = True
    job_id = cancelled_while_posting(caller, kept)
    poster = Caller(caller.queue, kept).poster

    async def answer() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": caller.queue.worker_key or ""}) as session:
            await poster.send_result(session, {"output": await poster.find(job_id)}, {"id": job_id})

    asyncio.run(answer())

    assert caller.queue.jobs[job_id].state is JobState.COMPLETED
    assert kept.find(job_id) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        lambda path: path.write_bytes(b"\0" * path.stat().st_size),
        lambda path: path.write_bytes(b"[]\n{}"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: path.chmod(0) if os.geteuid() else path.unlink(),
    ],
)  # fmt: skip
def test_a_damaged_file_is_no_answer(
    kept: Outbox, damage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.put(answer_to("a"))
    assert kept.find("a") is not None
    damage(*stored_in(tmp_path))
    monkeypatch.setattr(outbox, "LEASE_S", -1.0)

    assert kept.find("a") is None
    assert list(kept.abandoned()) == []


def test_another_endpoints_answers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(tmp_path / "outputs", max_age_s=3600)
    ours, theirs = Outbox(volume, "here"), Outbox(volume, "there")
    theirs.put(answer_to("a"))
    monkeypatch.setattr(outbox, "LEASE_S", -1.0)

    assert ours.find("a") is None
    assert list(ours.abandoned()) == []
    assert [answer.job_id for answer in theirs.abandoned()] == ["a"]


def test_an_answer_whose_lease_was_renewed_is_not_abandoned(kept: Outbox, tmp_path: Path) -> None:
    kept.put(answer_to("a"))
    (path,) = stored_in(tmp_path)
    os.utime(path, (time.time() - outbox.LEASE_S - 1,) * 2)
    assert [answer.job_id for answer in kept.abandoned()] == ["a"]

    kept.touch("a")

    assert list(kept.abandoned()) == []


def test_a_stream_that_was_found_is_not_spoken_again(caller: Caller, kept: Outbox) -> None:
    kept.put(UnpostedAnswer("a", "w", True, json.dumps({"output": [{"index": 0}, {"seed": 7}]}).encode()))

    async def handle(_: Any) -> Any:
        yield "spoken again"

    async def ask() -> list[Any]:
        return [piece async for piece in caller.poster.stream_again(handle)({"id": "a"})]

    assert asyncio.run(ask()) == [{"index": 0}, {"seed": 7}]


def test_what_is_too_old_is_deleted(kept: Outbox, tmp_path: Path) -> None:
    kept.put(answer_to("a"))
    long_ago = time.time() - outbox.OLDEST_S - 1
    (path,) = stored_in(tmp_path)
    os.utime(path, (long_ago, long_ago))

    assert list(kept.abandoned()) == []
    assert stored_in(tmp_path) == []


def test_without_a_volume_nothing_is_stored_and_the_answer_arrives(queue: LocalQueue, tmp_path: Path) -> None:
    none = Outbox(Volume(tmp_path / "missing" / "outputs", max_age_s=3600), "here")

    answer = Caller(queue, none).post({"output": SMALL}, *[Fault(status=500)] * 3)

    assert answer["output"] == SMALL
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("job_id", ["../../etc/passwd", "a/b?c=d#e", "$ID", "ж"])
def test_no_job_id_leaves_its_place_in_a_url_or_a_folder(kept: Outbox, tmp_path: Path, job_id: str) -> None:
    urls = Urls("http://x/done/$RUNPOD_POD_ID/$ID?gpu=y", "", "w")

    url = urls.of(job_id, is_chunk=False, is_stream=True)

    assert url.count("/") == 5
    assert url.endswith("?gpu=y&isStream=true")
    assert kept.put(answer_to(job_id))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == stored_in(tmp_path)
