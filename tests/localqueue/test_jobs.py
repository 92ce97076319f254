"""The states of a job, without a clock, a network or a worker."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.localqueue.jobs import JobState, Limits, QueuedJob
from chatterbox_worker.localqueue.store import EXECUTION_TIMED_OUT, LOST, JobNotFoundError, JobStore


def _store(*, pings_expected: bool = True, **limits: Any) -> JobStore:
    numbers = itertools.count(1)
    return JobStore(Limits(**limits), lambda: f"job{next(numbers)}", pings_expected=pings_expected)


def _submit(store: JobStore, now: float = 0.0, *, is_sync: bool = False, **fields: Any) -> QueuedJob:
    return store.submit({"input": {"text": "hi"}, **fields}, is_sync=is_sync, now=now)


def test_a_job_is_queued_taken_and_completed_and_reports_how_long_each_took() -> None:
    store = _store()
    job = _submit(store, 10.0)
    assert job.answer() == {"id": "job1-u1", "status": "IN_QUEUE"}
    assert store.take("w", 1, 10.5) == [job]
    assert job.answer() == {"id": "job1-u1", "status": "IN_PROGRESS", "delayTime": 500, "workerId": "w"}
    store.done(job.id, "w", {"output": [1]}, 12.0)
    assert job.answer() == {
        "id": "job1-u1", "status": "COMPLETED", "delayTime": 500, "executionTime": 1500, "workerId": "w", "output": [1],
    }  # fmt: skip
    assert store.drain_finished() == [job]
    assert store.drain_finished() == []


@pytest.mark.parametrize(
    ("result", "state", "stored"),
    [
        ({"output": {"a": 1}}, JobState.COMPLETED, {"output": {"a": 1}}),
        ({}, JobState.COMPLETED, {}),
        ({"output": None}, JobState.COMPLETED, {"output": None}),
        ({"output": 1, "error": None}, JobState.COMPLETED, {"output": 1, "error": None}),
        ({"error": "bad"}, JobState.FAILED, {"error": "bad"}),
        ({"error": "bad", "output": {"code": "x"}}, JobState.FAILED, {"error": "bad", "output": {"code": "x"}}),
        ({"output": 1, "stopPod": True}, JobState.COMPLETED, {"output": 1}),
    ],
)
def test_a_result_decides_the_state(result: dict[str, Any], state: JobState, stored: dict[str, Any]) -> None:
    store = _store()
    job = _submit(store)
    store.take("w", 1, 1.0)
    store.done(job.id, "w", result, 2.0)
    assert (job.state, job.result) == (state, stored)


@pytest.mark.parametrize(
    ("job_input", "delivered"),
    [({"a": 1}, True), ("text", True), (0, True), (False, True), ({}, False), ([], False), ("", False), (None, False)],
)
def test_an_empty_input_never_reaches_a_worker(job_input: object, delivered: bool) -> None:
    job = _store().submit({"input": job_input, "webhook": "http://x"}, is_sync=False, now=0.0)
    assert ("input" in job.payload()) is delivered
    assert job.payload()["id"] == job.id
    assert job.payload()["webhook"] == "http://x"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "input"),
        ({"text": "hi"}, "input"),
        ({"input": {"a": 1}, "policy": "fast"}, "policy"),
        ({"input": {"a": 1}, "policy": {"ttl": 9_999}}, "policy.ttl"),
        ({"input": {"a": 1}, "policy": {"ttl": True}}, "policy.ttl"),
        ({"input": {"a": 1}, "policy": {"ttl": 10**400}}, "policy.ttl"),
        ({"input": {"a": 1}, "policy": {"executionTimeout": 4_999}}, "policy.executionTimeout"),
        ({"input": {"a": 1}, "policy": {"executionTimeout": 604_800_001}}, "policy.executionTimeout"),
    ],
)
def test_a_submission_that_cannot_be_honoured_is_refused(body: object, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _store().submit(body, is_sync=False, now=0.0)
    assert refusal.value.field == field


def test_jobs_are_taken_in_order_as_many_as_requested() -> None:
    store = _store()
    jobs = [_submit(store) for _ in range(5)]
    assert store.take("a", 2, 1.0) == jobs[:2]
    assert store.take("b", 9, 1.0) == jobs[2:]
    assert store.take("b", 1, 1.0) == []
    assert not store.has_waiting()


def test_a_cancelled_job_in_the_queue_is_never_taken() -> None:
    store = _store()
    job = _submit(store)
    assert store.cancel(job.id, 1.0).state is JobState.CANCELLED
    assert store.take("w", 1, 2.0) == []
    assert store.take_stops("w") == []


def test_a_cancelled_running_job_is_stopped_and_what_it_still_posts_is_ignored() -> None:
    store = _store()
    job = _submit(store)
    store.take("w", 1, 1.0)
    store.cancel(job.id, 2.0)
    assert store.has_stops("w")
    assert store.take_stops("w") == [job.id]
    assert not store.has_stops("w")
    store.progress(job.id, "w", "half")
    store.chunk(job.id, "w", "piece")
    store.done(job.id, "w", {"output": 1}, 3.0)
    assert (job.state, job.result, job.chunks, job.done_posts) == (JobState.CANCELLED, {}, [], 1)


def test_cancelling_a_finished_job_changes_nothing() -> None:
    store = _store()
    job = _submit(store)
    store.take("w", 1, 1.0)
    store.done(job.id, "w", {"output": 1}, 2.0)
    assert store.cancel(job.id, 3.0).state is JobState.COMPLETED


def test_a_late_progress_cannot_undo_a_result() -> None:
    store = _store()
    job = _submit(store)
    store.take("w", 1, 1.0)
    store.progress(job.id, "w", "half")
    assert job.answer()["output"] == "half"
    store.done(job.id, "w", {"output": "all"}, 2.0)
    store.progress(job.id, "w", "half")
    assert (job.answer()["status"], job.answer()["output"]) == ("COMPLETED", "all")


def test_each_chunk_is_read_once() -> None:
    store = _store()
    job = _submit(store)
    store.take("w", 1, 1.0)
    store.chunk(job.id, "w", 1)
    store.chunk(job.id, "w", 2)
    assert store.read_chunks(job) == [1, 2]
    assert store.read_chunks(job) == []
    assert job.chunk_count == 2


def test_a_job_that_no_ping_names_is_tried_once_more_and_then_fails() -> None:
    store = _store(lost_after_s=5.0)
    job = _submit(store)
    store.take("w", 1, 0.0)
    store.ping("w", [job.id], 4.0)
    assert not store.tick(8.0)
    store.ping("w", ["another"], 8.5)
    assert store.tick(9.5)
    assert (job.state, job.retries) == (JobState.IN_QUEUE, 1)
    store.done(job.id, "w", {"output": "too late"}, 10.0)
    assert store.take("v", 1, 11.0) == [job]
    store.ping("w", [job.id], 15.0)  # not its worker any more
    store.tick(16.5)
    assert job.answer() | {"executionTime": 0} == {
        "id": job.id, "status": "FAILED", "error": LOST, "retries": 1, "workerId": "v", "delayTime": 1500,
        "executionTime": 0,
    }  # fmt: skip
    assert store.counts == {"retried": 1, "failed": 1}


def test_without_pings_only_the_end_of_the_worker_loses_a_job() -> None:
    store = _store(pings_expected=False, lost_after_s=5.0)
    job = _submit(store)
    store.take("w", 1, 0.0)
    assert not store.tick(100.0)
    store.lose_jobs("w", 101.0)
    assert job.state is JobState.IN_QUEUE


def test_a_job_over_its_execution_timeout_is_stopped_and_timed_out() -> None:
    store = _store()
    job = _submit(store, policy={"executionTimeout": 5000})
    store.tick(50.0)
    assert job.answer()["status"] == "IN_QUEUE"  # waiting is not executing
    store.take("w", 1, 50.0)
    store.tick(54.9)
    assert job.answer()["status"] == "IN_PROGRESS"
    store.tick(55.1)
    assert job.answer()["status"] == "TIMED_OUT"
    assert job.result == {"error": EXECUTION_TIMED_OUT}
    assert store.take_stops("w") == [job.id]


def test_a_job_over_its_ttl_is_removed_even_while_it_runs() -> None:
    store = _store()
    job = _submit(store, policy={"ttl": 10_000})
    store.take("w", 1, 9.0)
    store.tick(10.1)
    with pytest.raises(JobNotFoundError):
        store.get(job.id)
    assert store.take_stops("w") == [job.id]


@pytest.mark.parametrize(("is_sync", "retention_s"), [(True, 60.0), (False, 1800.0)])
def test_a_result_is_removed_after_its_retention(is_sync: bool, retention_s: float) -> None:
    store = _store()
    job = _submit(store, is_sync=is_sync)
    assert job.id.startswith("sync-") is is_sync
    store.take("w", 1, 1.0)
    store.done(job.id, "w", {"output": 1}, 2.0)
    store.tick(2.0 + retention_s)
    assert store.get(job.id) is job
    store.tick(2.1 + retention_s)
    with pytest.raises(JobNotFoundError):
        store.get(job.id)


def test_only_what_failed_or_timed_out_can_be_retried_and_its_output_is_gone() -> None:
    store = _store()
    job = _submit(store)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match="only a FAILED or TIMED_OUT job"):
            store.retry(job.id, 1.0)
        store.take("w", 1, 1.0)
    store.done(job.id, "w", {"error": "bad", "output": 1}, 2.0)
    assert store.retry(job.id, 3.0).answer() == {"id": job.id, "status": "IN_QUEUE"}
    assert store.take("w", 1, 4.0) == [job]


def test_purging_cancels_waiting_jobs_and_not_running_ones() -> None:
    store = _store()
    running, *waiting = [_submit(store) for _ in range(3)]
    store.take("w", 1, 1.0)
    assert store.purge(2.0) == 2
    assert [job.state for job in (running, *waiting)] == [JobState.IN_PROGRESS, JobState.CANCELLED, JobState.CANCELLED]
    assert store.purge(3.0) == 0


def test_a_retried_job_is_kept_until_its_second_end() -> None:
    store = _store(run_retention_s=10.0)
    job = _submit(store)
    for taken_at in (0.0, 5.0):
        (taken,) = store.take("w", 1, taken_at)
        store.done(taken.id, "w", {"error": "no"}, taken_at)
        if not taken_at:
            store.retry(job.id, 5.0)
    store.tick(10.1)
    assert job.id in store.jobs
    store.tick(15.1)
    assert job.id not in store.jobs


def test_a_tick_and_a_ping_take_no_longer_with_thousands_of_jobs() -> None:
    store = _store()
    for number in range(10_000):
        job = _submit(store, policy={"ttl": 600_000 if number % 2 else 20_000})
        if number % 4:
            store.cancel(job.id, 0.0)
    started_s = time.process_time()
    for tick in range(200):
        store.tick(tick / 20)
        store.ping("w", [job.id], tick / 20)
    assert time.process_time() - started_s < 0.2  # a look at each job would take 3 s
    assert len(store.jobs) == 10_000
    assert store.tick(20.1)
    assert len(store.jobs) == 5_000
    assert store.has_waiting() is False  # those left were cancelled
    assert store.take("w", 1, 21.0) == []
