"""A finished answer reaches the platform, whatever the platform replies on the way."""

from __future__ import annotations

import itertools
import time
from typing import Any

import aiohttp
import pytest

from chatterbox_worker.errors import AnswerTooLarge
from chatterbox_worker.localqueue import Fault, LocalQueue, WorkerState
from chatterbox_worker.localqueue.fault import Route
from chatterbox_worker.serverless.delivery.answer import Answer, Failure
from chatterbox_worker.serverless.protocol import send
from chatterbox_worker.serverless.protocol.outbox import Outbox
from support.posting import LARGE, SMALL, Caller

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
