"""What each call does, with no network: outcomes in, steps out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.client import (
    AnswerLost,
    ClientError,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NotFound,
    RequestRefused,
    RequestTooLarge,
    StillRunning,
    Unauthorized,
    Unavailable,
    flows,
)
from chatterbox_worker.client.flows import Deadline, Wait
from chatterbox_worker.client.wire import HttpCall, Lost, Outcome, Reply, Unreached, submission
from support.client_flows import NEVER, PATIENT, base64_of, calls, drive, ok

GOOD = ok(id="j", status="IN_QUEUE")
REFUSED_FOR_NOW = [Reply(429, b""), Reply(503, b""), Unreached("no route")]
LOST = [Reply(500, b""), Reply(502, b""), Reply(524, b""), Lost("reset")]


@pytest.mark.parametrize("outcome", REFUSED_FOR_NOW, ids=str)
def test_a_submission_that_was_never_accepted_is_sent_again(outcome: Outcome) -> None:
    job, steps = drive(flows.run({"text": "a"}, PATIENT), [outcome, outcome, GOOD])
    assert job.id == "j"
    assert calls(steps) == ["POST /run"] * 3


@pytest.mark.parametrize("outcome", REFUSED_FOR_NOW, ids=str)
def test_a_submission_that_is_never_accepted_is_known_not_to_run(outcome: Outcome) -> None:
    with pytest.raises(Unavailable):
        drive(flows.run({"text": "a"}, PATIENT), [outcome] * PATIENT.attempts)


@pytest.mark.parametrize("outcome", LOST, ids=str)
def test_a_submission_whose_answer_was_lost_is_never_sent_again(outcome: Outcome) -> None:
    with pytest.raises(AnswerLost, match="may be running"):
        drive(flows.run({"text": "a"}, PATIENT), [outcome])


@pytest.mark.parametrize("outcome", [*REFUSED_FOR_NOW, *LOST], ids=str)
def test_a_poll_is_repeated_whatever_went_wrong(outcome: Outcome) -> None:
    job, steps = drive(flows.status("j", PATIENT), [outcome, GOOD])
    assert job.status == "IN_QUEUE"
    assert calls(steps) == ["GET /status/j"] * 2


@pytest.mark.parametrize("outcome", [*REFUSED_FOR_NOW, *LOST], ids=str)
def test_repeating_ends(outcome: Outcome) -> None:
    with pytest.raises(Unavailable) as caught:
        drive(flows.status("j", PATIENT), [outcome] * PATIENT.attempts)
    assert caught.value.status == (outcome.status if isinstance(outcome, Reply) else None)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RequestRefused), (401, Unauthorized), (403, Unauthorized), (404, NotFound)]
)
def test_a_refusal_is_not_sent_twice_and_carries_the_endpoints_reason(status: int, kind: type[ClientError]) -> None:
    with pytest.raises(kind, match="the body is too large"):
        drive(flows.status("j", PATIENT), [Reply(status, b'{"error": "the body is too large"}')])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"id": 1, "status": "COMPLETED"}'])
def test_an_answer_that_is_not_a_job_is_an_error(body: bytes) -> None:
    with pytest.raises(ClientError):
        drive(flows.status("j", PATIENT), [Reply(200, body)])


def test_pauses_grow_and_are_spread_and_respect_retry_after() -> None:
    assert [PATIENT.pause_s(failures) for failures in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 20.0]
    assert replace(PATIENT, random=lambda: 0.25).pause_s(2) == 0.25
    _, steps = drive(flows.status("j", PATIENT), [Reply(429, b"", retry_after="7"), GOOD])
    assert steps[1] == Wait(7.0)


def test_runsync_that_comes_back_unfinished_is_polled_on() -> None:
    done = ok(id="j", status="COMPLETED", output={"x": 1})
    outcomes = [ok(id="j", status="IN_PROGRESS"), ok(id="j", status="IN_PROGRESS"), done]
    job, steps = drive(flows.runsync({"text": "a"}, 600.0, PATIENT), outcomes)
    assert job["output"] == {"x": 1}
    assert calls(steps) == ["POST /runsync", "GET /status/j", "GET /status/j"]
    assert isinstance(steps[0], HttpCall)
    assert steps[0].params == {"wait": "90000"}  # under the edge's 100 s
    assert steps[0].timeout_s > 90


def test_polling_ends_with_its_deadline_and_names_the_next_call() -> None:
    times = iter(range(0, 1000, 4))
    patience = replace(PATIENT, clock=lambda: float(next(times)))
    with pytest.raises(StillRunning, match=r"poll_until_complete\('j'\)") as caught:
        drive(flows.poll("j", Deadline.after(10.0, patience), None), [GOOD] * 3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.job.id == "j"


@pytest.mark.parametrize(
    ("answer", "kind", "message", "code", "field"),
    [
        ({"status": "FAILED", "error": "no such voice", "output": {"code": "voice_not_found", "field": "voice"}},
         JobFailed, "no such voice", "voice_not_found", "voice"),
        ({"status": "FAILED", "output": {"error": "no such voice", "code": "voice_not_found"}},
         JobFailed, "no such voice", "voice_not_found", None),
        ({"status": "FAILED", "error": "no such voice", "code": "voice_not_found", "field": "voice"},
         JobFailed, "no such voice", "voice_not_found", "voice"),
        ({"status": "FAILED", "error": '{"error_type": "x", "error_message": "a bug", "error_traceback": "..."}'},
         JobFailed, "a bug", None, None),
        ({"status": "FAILED", "error": {"reason": 1}}, JobFailed, '{"reason": 1}', None, None),
        ({"status": "FAILED", "error": "1.5"}, JobFailed, "1.5", None, None),
        ({"status": "CANCELLED"}, JobCancelled, "job j is CANCELLED", None, None),
        ({"status": "TIMED_OUT", "error": "job timed out"}, JobTimedOut, "job timed out", None, None),
    ],
)  # fmt: skip
def test_a_failed_job_raises_the_workers_reason(
    answer: dict[str, Any], kind: type[JobFailed], message: str, code: str | None, field: str | None
) -> None:
    with pytest.raises(JobFailed) as caught:
        drive(flows.poll("j", NEVER, None), [ok(id="j", **answer)])
    error = caught.value
    assert type(error) is kind
    assert (str(error), error.code, error.field, error.job.id) == (message, code, field, "j")


@pytest.mark.parametrize("job_id", ["", "../health", "a/b", "a?b"])
def test_only_a_job_id_gets_into_a_url(job_id: str) -> None:
    with pytest.raises(ValueError, match="not a job id"):
        drive(flows.status(job_id, PATIENT), [])


def test_runpods_own_keys_go_next_to_the_input_and_recordings_into_it_as_base64(tmp_path: Path) -> None:
    path = tmp_path / "alice.wav"
    path.write_bytes(b"RIFF")
    own: dict[str, Any] = {"webhook": "https://x.org/", "policy": {"ttl": 10_000}, "s3Config": {"accessSecret": "s"}}
    call = submission("/run", {"text": "é\ud83d", "reference_audio": path, "seed": None} | own)
    assert (
        json.loads(call.content or b"") == {"input": {"text": "é\ud83d", "reference_audio": base64_of(b"RIFF")}} | own
    )


def test_a_request_over_the_routes_limit_is_refused_before_it_is_sent() -> None:
    job_input = {"text": "a", "reference_audio": b"\0" * 9_000_000}
    with pytest.raises(RequestTooLarge, match=r"12\.0 MB .* at most 10 MB on /run"):
        submission("/run", job_input)
    assert submission("/runsync", job_input)


def test_every_poll_reaches_the_caller() -> None:
    seen: list[Any] = []
    outcomes: list[Outcome] = [
        ok(id="j", status="IN_PROGRESS", output={"chunks_done": 1}),
        ok(id="j", status="COMPLETED", output=2),
    ]
    drive(flows.poll("j", NEVER, lambda job: seen.append(job.output)), outcomes)
    assert seen == [{"chunks_done": 1}, 2]
