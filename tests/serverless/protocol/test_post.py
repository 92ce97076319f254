"""A finished answer reaches the platform, whatever the platform replies on the way."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chatterbox_worker.errors import AnswerTooLarge
from chatterbox_worker.localqueue import Fault, JobState, LocalQueue, WorkerState
from chatterbox_worker.localqueue.fault import Route
from chatterbox_worker.serverless.delivery.answer import Answer, Failure
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.protocol import outbox, send
from chatterbox_worker.serverless.protocol.outbox import Outbox, UnpostedAnswer
from chatterbox_worker.serverless.protocol.post import Poster
from chatterbox_worker.serverless.protocol.send import Urls

LARGE = "x" * 400_000
SMALL = {"text": "small"}

HEALED: list[tuple[str, list[Fault]]] = [
    ("nothing", []),
    ("one 429", [Fault(status=429)]),
    ("one 429 with Retry-After", [Fault(status=429, headers={"Retry-After": "0"})]),
    ("one 400", [Fault(status=400)]),
    ("one 401", [Fault(status=401)]),
    ("one 403", [Fault(status=403)]),
    ("two 404", [Fault(status=404)] * 2),
    ("one 408", [Fault(status=408)]),
    ("one dropped connection", [Fault(drop=True)]),
    ("six 500", [Fault(status=500)] * 6),
    ("twenty of 502, 503 and 504", [Fault(status=status) for status in (502, 503, 504, 503) * 5]),
    (
        "everything at once",
        [Fault(drop=True), Fault(status=500), Fault(status=429), Fault(status=400), Fault(drop=True)],
    ),
    ("an error that is no JSON", [Fault(status=500, body=b"\xff<html>", content_type="text/html")]),
    ("an answer that is no JSON", [Fault(body=b"\xff<html>", content_type="text/html", is_after=True)]),
    ("an answer that is lost", [Fault(drop=True, is_after=True)]),
    ("an error after it was accepted", [Fault(status=500, is_after=True)]),
    ("a reply that comes late", [Fault(delay_s=0.2)]),
]


@pytest.fixture(scope="module")
def queue() -> Iterator[LocalQueue]:
    with LocalQueue(workers=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "pause_s", lambda *_, **__: 0.001)


@pytest.fixture
def kept(tmp_path: Path) -> Outbox:
    return Outbox(Volume(tmp_path / "outputs", max_age_s=3600), "here")


class Caller:
    """Plays the worker `w`: takes a job and posts its result."""

    def __init__(self, queue: LocalQueue, kept: Outbox) -> None:
        self.queue = queue
        self.ends = False
        urls = Urls(
            f"{queue.endpoint_url}/job-done/$RUNPOD_POD_ID/$ID?gpu=x",
            f"{queue.endpoint_url}/job-stream/$RUNPOD_POD_ID/$ID?gpu=x",
            "w",
        )
        self.poster = Poster(urls, kept, lambda: self.ends)

    def run(
        self, act: Callable[[aiohttp.ClientSession, dict[str, Any]], Awaitable[None]], **job: Any
    ) -> dict[str, Any]:
        """The job as its caller sees it, after `act` had the session and the job."""
        job_id = self.queue.submit({"text": "Hello."}, **job)

        async def take_and_act() -> None:
            headers = {"Authorization": self.queue.worker_key or ""}
            async with aiohttp.ClientSession(headers=headers) as session:
                async with session.get(f"{self.queue.endpoint_url}/job-take/w?gpu=x") as reply:
                    taken = await reply.json()
                assert taken["id"] == job_id
                await asyncio.wait_for(act(session, taken), 20)

        asyncio.run(take_and_act())
        return self.queue.jobs[job_id].answer()

    def post(self, result: dict[str, Any], *faults: Fault, is_stream: bool = False, **job: Any) -> dict[str, Any]:
        for fault in faults:
            self.queue.faults.add("job-done", fault)

        async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
            await self.poster.send_result(session, result, taken, is_stream)

        answer = self.run(act, **job)
        for route in ("job-done", "job-stream"):  # the next test plans its own
            while self.queue.faults.take(route, LARGE.encode()):
                pass
        return answer


@pytest.fixture
def caller(queue: LocalQueue, kept: Outbox) -> Caller:
    return Caller(queue, kept)


@pytest.mark.parametrize("faults", [row[1] for row in HEALED], ids=[row[0] for row in HEALED])
def test_an_answer_arrives_as_it_is(caller: Caller, kept: Outbox, faults: list[Fault]) -> None:
    answer = caller.post({"output": {"text": LARGE}}, *faults)

    assert (answer["status"], answer["output"]) == ("COMPLETED", {"text": LARGE})
    assert kept.find(answer["id"]) is None


def test_each_attempt_follows_the_pause_that_the_last_answer_asks_for(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str | None]] = []

    def pause_s(failures: int, retry_after: str | None, *, longest_s: float) -> float:
        asked.append((failures, retry_after))
        return 0.1

    monkeypatch.setattr(send, "pause_s", pause_s)
    started_s = time.monotonic()
    answer = caller.post({"output": SMALL}, Fault(status=503, headers={"Retry-After": "7"}), Fault(status=500))

    assert answer["output"] == SMALL
    assert asked == [(1, "7"), (2, None)]
    assert time.monotonic() - started_s >= 0.2


def test_an_error_arrives_too(caller: Caller) -> None:
    answer = caller.post({"output": {"code": "x"}, "error": "no"}, Fault(status=429), Fault(drop=True))

    assert (answer["status"], answer["error"], answer["output"]) == ("FAILED", "no", {"code": "x"})


@pytest.mark.parametrize(("sizes", "status"), [((60_000,), "COMPLETED"), ((), "FAILED")])
def test_a_request_to_stop_the_worker_arrives_whatever_becomes_of_the_answer(
    kept: Outbox, sizes: tuple[int, ...], status: str
) -> None:
    with LocalQueue(workers=0) as own:
        result = {"output": shrinking(*sizes), "stopPod": True}
        answer = Caller(own, kept).post(result, *[Fault(status=413, bytes_over=100_000)] * 20)

        assert (answer["status"], own.worker_states["w"]) == (status, WorkerState.RETIRED)


def shrinking(*sizes: int) -> Answer:
    """An answer that was too large, and becomes smaller by these steps."""
    left = iter(sizes)

    def shrink(limit_bytes: int) -> Answer:
        size = next(left, None)
        if size is None:
            raise AnswerTooLarge("no way left", field="format")
        assert size <= limit_bytes
        return Answer({"text": "y" * size, "limit": limit_bytes}, shrink)

    return Answer({"text": LARGE}, shrink)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_answer_that_is_refused_comes_smaller(caller: Caller, status: int) -> None:
    answer = caller.post({"output": shrinking(150_000, 60_000)}, *[Fault(status=status, bytes_over=100_000)] * 20)

    assert (answer["status"], len(answer["output"]["text"])) == ("COMPLETED", 60_000)


def test_an_answer_that_cannot_be_smaller_fails_with_a_code_and_a_way_out(caller: Caller, kept: Outbox) -> None:
    answer = caller.post({"output": shrinking(150_000)}, *[Fault(status=413, bytes_over=100_000)] * 20)

    assert answer["status"] == "FAILED"
    assert (answer["output"]["code"], answer["output"]["field"]) == ("answer_too_large", "format")
    assert answer["output"]["message"] == answer["error"]
    assert "HTTP 413" in answer["error"]
    assert "s3Config" in answer["error"]
    assert kept.find(answer["id"]) is None


def test_a_small_answer_that_is_refused_is_not_called_too_large(caller: Caller) -> None:
    answer = caller.post({"output": SMALL}, *[Fault(status=400)] * 2)

    assert (answer["status"], answer["output"]["code"]) == ("FAILED", "internal_error")
    assert "HTTP 400" in answer["error"]


def test_the_list_of_a_stream_is_made_smaller_by_its_last_item(caller: Caller) -> None:
    summary = Answer({"seed": 7}, lambda _: [{"index": 0}, {"seed": 7}])
    output = [{"index": 0, "audio_base64": LARGE}, summary]

    answer = caller.post({"output": output}, *[Fault(status=400, bytes_over=100_000)] * 2, is_stream=True)

    assert answer["output"] == [{"index": 0}, {"seed": 7}]


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_the_platform_does_not_know_is_given_up(caller: Caller, kept: Outbox, status: int) -> None:
    answer = caller.post({"output": SMALL}, *[Fault(status=status)] * 5)

    assert answer["status"] == "IN_PROGRESS"
    assert kept.find(answer["id"]) is None


def test_a_job_that_is_refused_to_the_end_does_not_hold_its_place_for_ever(caller: Caller) -> None:
    answer = caller.post({"output": shrinking(150_000, 60_000)}, *[Fault(status=400)] * 50)

    assert answer["status"] == "IN_PROGRESS"


def test_after_the_jobs_time_to_live_nothing_is_posted(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "pause_s", lambda *_, **__: 20.0)

    answer = caller.post({"output": SMALL}, Fault(status=500), policy={"ttl": 10_000})

    assert answer["status"] == "IN_PROGRESS"


@pytest.mark.parametrize(
    "output",
    [{"loudness": float("nan")}, {"audio": b"RIFF"}, {"a": {1, 2}}, {"a": {("b", "c"): 1}}],
    ids=["not a number", "bytes", "a set", "a key that is no string"],
)
def test_an_answer_that_is_not_json_is_an_internal_error(caller: Caller, output: Any) -> None:
    answer = caller.post({"output": output})

    assert (answer["status"], answer["output"]["code"]) == ("FAILED", "internal_error")


def test_half_of_a_surrogate_pair_does_not_lose_the_answer(caller: Caller) -> None:
    assert caller.post({"output": {"text": "a\ud800b"}})["output"] == {"text": "a?b"}


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


def cancelled_while_posting(caller: Caller, **result: Any) -> str:
    """The job's id; the platform answered nothing but 500, and then the SDK cancelled the task."""

    async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
        task = asyncio.create_task(caller.poster.send_result(session, {"output": SMALL}, taken))
        while not caller.poster._outbox.find(taken["id"]):  # noqa: ASYNC110 - a file
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
    assert kept.find(cancelled_while_posting(caller)) is None


def test_a_job_that_is_stopped_while_its_answer_is_stored_is_forgotten(
    caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Outbox.put

    def put_slowly(self: Outbox, answer: UnpostedAnswer) -> bool:
        is_stored = put(self, answer)
        time.sleep(0.2)
        return is_stored

    monkeypatch.setattr(Outbox, "put", put_slowly)
    assert kept.find(cancelled_while_posting(caller)) is None


def test_a_worker_that_ends_leaves_its_answer_to_the_next(
    caller: Caller, kept: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.ends = True
    job_id = cancelled_while_posting(caller)
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
    job_id = cancelled_while_posting(caller)
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
def test_a_damaged_file_is_no_answer(kept: Outbox, damage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.put(UnpostedAnswer("a", "w", False, json.dumps({"output": SMALL}).encode()))
    assert kept.find("a") is not None
    damage(kept._path("a"))
    monkeypatch.setattr(outbox, "LEASE_S", -1.0)

    assert kept.find("a") is None
    assert list(kept.abandoned()) == []


def test_another_endpoints_answers_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(tmp_path / "outputs", max_age_s=3600)
    ours, theirs = Outbox(volume, "here"), Outbox(volume, "there")
    theirs.put(UnpostedAnswer("a", "w", False, json.dumps({"output": SMALL}).encode()))
    monkeypatch.setattr(outbox, "LEASE_S", -1.0)

    assert ours.find("a") is None
    assert list(ours.abandoned()) == []
    assert [answer.job_id for answer in theirs.abandoned()] == ["a"]


def test_an_answer_whose_lease_was_renewed_is_not_abandoned(kept: Outbox) -> None:
    kept.put(UnpostedAnswer("a", "w", False, json.dumps({"output": SMALL}).encode()))
    os.utime(kept._path("a"), (time.time() - outbox.LEASE_S - 1,) * 2)
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


def test_what_is_too_old_is_deleted(kept: Outbox) -> None:
    kept.put(UnpostedAnswer("a", "w", False, json.dumps({"output": SMALL}).encode()))
    long_ago = time.time() - outbox.OLDEST_S - 1
    os.utime(kept._path("a"), (long_ago, long_ago))

    assert list(kept.abandoned()) == []
    assert not kept._path("a").exists()


def test_without_a_volume_nothing_is_stored_and_the_answer_arrives(queue: LocalQueue, tmp_path: Path) -> None:
    none = Outbox(Volume(tmp_path / "missing" / "outputs", max_age_s=3600), "here")

    answer = Caller(queue, none).post({"output": SMALL}, *[Fault(status=500)] * 3)

    assert answer["output"] == SMALL
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("job_id", ["../../etc/passwd", "a/b?c=d#e", "$ID", "ж"])
def test_no_job_id_leaves_its_place_in_a_url_or_a_folder(kept: Outbox, job_id: str) -> None:
    urls = Urls("http://x/done/$RUNPOD_POD_ID/$ID?gpu=y", "", "w")

    url = urls.of(job_id, is_chunk=False, is_stream=True)

    assert url.count("/") == 5
    assert url.endswith("?gpu=y&isStream=true")
    assert kept._path(job_id).parent == kept._folder


# Pieces of a stream

PIECES: list[tuple[str, list[Fault], bool]] = [
    ("nothing", [], True),
    ("one of each", [Fault(status=429), Fault(status=500), Fault(drop=True), Fault(status=400)], True),
    ("refused", [Fault(status=400)] * 2, False),
    ("too large", [Fault(status=413)], False),
]


@pytest.mark.parametrize(("faults", "arrives"), [row[1:] for row in PIECES], ids=[row[0] for row in PIECES])
def test_a_piece_of_a_stream_arrives_or_is_in_the_result(caller: Caller, faults: list[Fault], arrives: bool) -> None:
    route: Route = "job-stream"
    for fault in faults:
        caller.queue.faults.add(route, fault)

    async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
        await caller.poster.stream_result(session, {"output": {"index": 0}}, taken)
        await caller.poster.send_result(session, {"output": [{"index": 0}]}, taken, True)

    answer = caller.run(act)

    assert (answer["status"], answer["output"]) == ("COMPLETED", [{"index": 0}])
    assert caller.queue.jobs[answer["id"]].chunk_count == int(arrives)


def test_a_failed_stream_says_why_in_its_last_item_and_in_its_output(caller: Caller) -> None:
    failure = Failure.of(AnswerTooLarge("too large", field="format"))

    async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
        await caller.poster.stream_result(session, {"output": failure}, taken)
        await caller.poster.send_result(session, {"error": "too large"}, taken, True)

    answer = caller.run(act)

    said = {"message": "too large", "code": "answer_too_large", "field": "format"}
    assert (answer["status"], answer["error"], answer["output"]) == ("FAILED", "too large", said)
    assert caller.queue.jobs[answer["id"]].chunks == [said]


def test_every_status_has_a_verdict() -> None:
    verdicts = {send.judge(status) for status in itertools.chain([None], range(100, 600))}

    assert verdicts == {"posted", "refused", "gone", "again"}
    assert {status for status in range(400, 600) if send.judge(status) != "again"} == {400, 404, 410, 413, 422}
