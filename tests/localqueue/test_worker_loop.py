"""The SDK's real loop behind the queue: what a handler does, and what its caller sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatterbox_worker.localqueue import Fault, JobNotFoundError, JobState, Limits, LocalQueue, WorkerStartError
from chatterbox_worker.localqueue.store import EXECUTION_TIMED_OUT, LOST
from support.paths import WORKERS

# Small enough to wait for, large enough that a slow machine's pings (one a second) are not missed.
_LIMITS = Limits(lost_after_s=3.0, execution_timeout_range_s=(0.2, 600.0), ttl_range_s=(0.2, 86400.0))


def _queue(worker: str, **options: Any) -> LocalQueue:
    options.setdefault("limits", _LIMITS)
    return LocalQueue(command=[sys.executable, f"{worker}.py"], cwd=WORKERS, grace_s=3.0, **options)


def _eventually(predicate: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not predicate() and time.monotonic() < deadline:
        time.sleep(0.05)
    return predicate()


def _group_is_alive(pid: int) -> bool:
    """Whether a process of the group still runs; a zombie does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, *_ = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
        if int(group) == pid and state != "Z":
            return True
    return False


@pytest.fixture(scope="module")
def queue() -> Iterator[LocalQueue]:
    with _queue("plain", env={"COLOUR": "green"}) as queue:
        yield queue


@pytest.fixture(scope="module")
def streaming() -> Iterator[LocalQueue]:
    with _queue("generator") as queue:
        yield queue


def _python(queue: LocalQueue, code: str) -> Any:
    """What `code` prints, as JSON, run with the official client pointed at the queue."""
    head = f"import json, runpod\nrunpod.api_key = {queue.api_key!r}\nendpoint = runpod.Endpoint('local')\n"
    run = subprocess.run(
        [sys.executable, "-c", head + code],
        env={"RUNPOD_ENDPOINT_BASE_URL": queue.url, "PATH": os.defpath, "HOME": str(WORKERS)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_a_job_reaches_the_handler_complete_and_its_answer_comes_back(queue: LocalQueue) -> None:
    answer = queue.run({"text": "grün"})
    assert answer["status"] == "COMPLETED"
    assert answer["output"]["echo"] == {"text": "grün"}
    assert answer["workerId"].startswith("local-")
    assert queue.jobs[answer["id"]].done_posts == 1


def test_an_error_dict_fails_the_job_and_keeps_the_other_keys(queue: LocalQueue) -> None:
    answer = queue.run({"do": "error"})
    assert (answer["status"], answer["error"]) == ("FAILED", "no such voice")
    assert answer["output"] == {"code": "voice_not_found"}


def test_an_exception_fails_the_job_with_the_sdks_report(queue: LocalQueue) -> None:
    answer = queue.run({"do": "raise"})
    report = json.loads(answer["error"])
    assert (answer["status"], report["error_message"]) == ("FAILED", f"a bug in {answer['id']}")
    assert report["worker_id"] == answer["workerId"]


def test_progress_shows_before_the_result(queue: LocalQueue) -> None:
    job_id = queue.submit({"do": "progress"})
    assert _eventually(lambda: queue.jobs[job_id].answer().get("output") == "half")
    assert queue.jobs[job_id].state is JobState.IN_PROGRESS
    assert queue.wait(job_id)["output"]["echo"] == {"do": "progress"}
    assert queue.jobs[job_id].done_posts == 1


def test_jobs_overlap_up_to_the_handlers_concurrency(queue: LocalQueue) -> None:
    ids = [queue.submit({"do": "meet", "count": 3}) for _ in range(3)]  # each waits for the others
    assert {queue.wait(job_id)["status"] for job_id in ids} == {"COMPLETED"}


def test_a_cancelled_job_is_stopped_inside_the_worker(queue: LocalQueue) -> None:
    job_id = queue.submit({"do": "slow", "seconds": 600})
    # the SDK takes a job before it runs it
    assert _eventually(lambda: job_id in queue.run({"do": "echo"})["output"]["begun"])
    headers = {"Authorization": f"Bearer {queue.api_key}"}
    reply = httpx.post(f"{queue.endpoint_url}/cancel/{job_id}", headers=headers, timeout=60)
    assert reply.json() == {"id": job_id, "status": "CANCELLED"}
    assert _eventually(lambda: _was_stopped(queue, job_id))
    assert queue.jobs[job_id].done_posts == 0


def _was_stopped(queue: LocalQueue, job_id: str) -> bool:
    return job_id in queue.run({"do": "echo"})["output"]["stopped"]


def test_a_job_over_its_execution_timeout_is_stopped_inside_the_worker(queue: LocalQueue) -> None:
    job_id = queue.submit({"do": "slow", "seconds": 600}, policy={"executionTimeout": 600})
    answer = queue.wait(job_id)
    assert (answer["status"], answer["error"]) == ("TIMED_OUT", EXECUTION_TIMED_OUT)
    assert _eventually(lambda: _was_stopped(queue, job_id))


def test_a_job_over_its_ttl_is_gone_and_stopped(queue: LocalQueue) -> None:
    job_id = queue.submit({"do": "slow", "seconds": 600}, policy={"ttl": 600})
    assert _eventually(lambda: job_id not in queue.jobs)
    with pytest.raises(JobNotFoundError):
        queue.wait(job_id)
    assert _eventually(lambda: _was_stopped(queue, job_id))


@pytest.mark.slow
def test_the_worker_pings_with_the_jobs_it_has(queue: LocalQueue) -> None:
    job_id = queue.submit({"do": "slow", "seconds": 1.5})
    queue.wait(job_id)
    pings = [call for call in queue.calls if call.route == "ping"]
    assert any(job_id in call.query.get("job_id", "") for call in pings)
    assert all(call.query["runpod_version"].startswith("1.12.") for call in pings)


def test_a_worker_has_runpods_environment_and_a_home_of_its_own(queue: LocalQueue) -> None:
    names = ["RUNPOD_POD_ID", "RUNPOD_WEBHOOK_PING", "HOME", "PYTHONUNBUFFERED", "COLOUR", "XDG_CACHE_HOME"]
    seen = queue.run({"do": "environment", "names": names})["output"]
    assert seen["RUNPOD_POD_ID"] in queue.pids
    assert seen["RUNPOD_WEBHOOK_PING"].startswith(queue.endpoint_url)
    assert Path(seen["HOME"]) != Path.home()
    assert (seen["PYTHONUNBUFFERED"], seen["COLOUR"]) == ("1", "green")
    assert Path(seen["XDG_CACHE_HOME"]).name == ".cache"


@pytest.mark.slow
def test_a_result_survives_two_bad_replies(queue: LocalQueue) -> None:
    queue.faults.add("job-done", Fault(status=500))
    job_id = queue.submit({"text": "again"})
    assert queue.wait(job_id)["status"] == "COMPLETED"
    assert queue.jobs[job_id].done_posts == 1


def test_many_bad_replies_to_takes_do_not_lose_a_job(queue: LocalQueue) -> None:
    for status in (500, 400, 404):
        queue.faults.add("job-take", Fault(status=status), times=5)
    queue.faults.add("job-take", Fault(drop=True), times=3)
    assert queue.run({"text": "after the faults"})["status"] == "COMPLETED"
    assert not queue.faults.is_due("job-take")


@pytest.mark.slow
def test_the_official_client_works_with_the_queue_unchanged(queue: LocalQueue) -> None:
    seen = _python(
        queue,
        """
output = endpoint.run_sync({"text": "hi"}, timeout=120)
job = endpoint.run({"text": "ho"})
slow = endpoint.run({"do": "slow", "seconds": 600})
failed = endpoint.run_sync({"do": "error"})
print(json.dumps([output["echo"], job.output(timeout=120)["echo"], slow.cancel()["status"], failed,
                  endpoint.health()["workers"]["ready"], endpoint.purge_queue()["status"]]))
""",
    )
    assert seen == [{"text": "hi"}, {"text": "ho"}, "CANCELLED", {"code": "voice_not_found"}, 1, "completed"]


@pytest.mark.slow
def test_a_generator_streams_and_its_result_is_the_whole(streaming: LocalQueue) -> None:
    seen = _python(
        streaming,
        """
job = endpoint.run({"count": 3})
print(json.dumps([list(job.stream()), job.output()]))
""",
    )
    assert seen == [[0, 1, 2], [0, 1, 2]]


def test_a_chunk_over_the_limit_is_dropped_but_is_in_the_result(streaming: LocalQueue) -> None:
    answer = streaming.run({"count": 1, "size": 1_000_001})
    job = streaming.jobs[answer["id"]]
    assert answer["status"] == "COMPLETED"
    assert len(answer["output"][0]) == 1_000_001
    assert (job.chunk_count, job.refused_posts) == (0, 1)


def test_an_error_half_way_fails_the_job_and_preserves_the_chunks(streaming: LocalQueue) -> None:
    answer = streaming.run({"count": 5, "fail_at": 2})
    assert (answer["status"], answer["error"]) == ("FAILED", "half-way")
    assert streaming.jobs[answer["id"]].chunks == [0, 1]


def test_an_openai_stream_is_relayed_as_the_worker_wrote_it(streaming: LocalQueue) -> None:
    reply = httpx.post(
        f"{streaming.endpoint_url}/openai/v1/chat/completions",
        json={"stream": True}, headers={"Authorization": f"Bearer {streaming.api_key}"}, timeout=60,
    )  # fmt: skip
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.text == 'data: {"n": 1}\n\ndata: [DONE]\n\n'


@pytest.mark.slow
@pytest.mark.parametrize("what", [{"do": "nan"}, {"do": "bytes"}, {"do": "big", "size": 10_000_000}])
def test_a_result_that_cannot_be_posted_is_lost_as_on_the_platform(queue: LocalQueue, what: dict[str, Any]) -> None:
    answer = queue.run(what)
    assert (answer["status"], answer["error"], answer["retries"]) == ("FAILED", LOST, 1)


def test_an_empty_input_is_dropped_and_a_batching_worker_sees_a_job_without_one(queue: LocalQueue) -> None:
    answer = queue.run({})
    assert json.loads(answer["error"])["error_message"] == "'input'"  # the handler's KeyError


@pytest.mark.slow
def test_a_worker_that_asks_to_be_refreshed_is_ended_and_a_new_one_started() -> None:
    with _queue("plain") as queue:
        (first,) = queue.pids.values()
        answer = queue.run({"do": "refresh"})
        assert (answer["status"], answer["error"]) == ("FAILED", "the device is gone")
        after = queue.run({"text": "hi"})
        assert after["output"]["pid"] != first
        assert after["workerId"] != answer["workerId"]
        assert not _group_is_alive(first)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_job_tried_once_more() -> None:
    with _queue("plain") as queue:
        (first,) = queue.pids.values()
        answer = queue.run({"do": "crash"})
        assert (answer["status"], answer["error"], answer["retries"]) == ("FAILED", LOST, 1)
        assert queue.run({"text": "hi"})["status"] == "COMPLETED"
        assert not _group_is_alive(first)  # the heartbeat outlives its parent unless it is ended
        assert list(queue.pids) == ["local-3"]


@pytest.mark.slow
def test_two_workers_share_one_queue_and_all_processes_end_with_it() -> None:
    with _queue("plain", workers=2) as queue:
        pids = queue.pids
        assert _eventually(lambda: queue.health()["workers"]["ready"] == 2)
        ids = [queue.submit({"do": "slow", "seconds": 1.0}) for _ in range(8)]
        answers = [queue.wait(job_id) for job_id in ids]
        assert {answer["workerId"] for answer in answers} == {"local-1", "local-2"}
        assert all(queue.jobs[job_id].done_posts == 1 for job_id in ids)
    assert not any(map(_group_is_alive, pids.values()))


@pytest.mark.slow
@pytest.mark.parametrize("hub", [False, True])
def test_a_job_that_runs_when_the_queue_closes_may_still_post(hub: bool) -> None:
    with _queue("plain", hub=hub) as queue:
        job_id = queue.submit({"do": "slow", "seconds": 1.0})
        assert _eventually(lambda: queue.jobs[job_id].state is JobState.IN_PROGRESS)
    assert queue.jobs[job_id].state is JobState.COMPLETED


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["plain", "generator"])
def test_a_worker_serves_under_the_hubs_conditions(worker: str) -> None:
    with _queue(worker, hub=True) as queue:
        answer = queue.run({"count": 2})
        assert answer["status"] == "COMPLETED"
        assert not [call for call in queue.calls if call.route in ("ping", "job-stream")]
        pids = queue.pids
    assert not any(map(_group_is_alive, pids.values()))


def test_a_worker_that_cannot_start_is_reported_with_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("print('no weights here')\nraise SystemExit(3)\n")
    with pytest.raises(WorkerStartError, match="no weights here"), LocalQueue(cwd=tmp_path):
        pass


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError), LocalQueue(command=["/no/such/python"]):
        pass


def test_a_queue_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with LocalQueue(workers=0):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
