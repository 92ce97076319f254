"""The queue's two HTTP APIs; the test is both client and worker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from chatterbox_worker.localqueue import Fault, JobState, Limits, LocalQueue
from support.http_server import QuietHandler, serving

_LIMITS = Limits(
    run_bytes=2000, runsync_bytes=4000, chunk_bytes=1000, poll_s=0.3, wait_range_s=(0.05, 300.0), webhook_pause_s=0.05
)


class Caller:
    """Client and worker in one."""

    def __init__(self, queue: LocalQueue) -> None:
        self.queue = queue
        self.client = httpx.Client(timeout=60)
        self.client.headers["Authorization"] = "Bearer local"
        self.worker = httpx.Client(timeout=60)
        self.worker.headers["Authorization"] = queue.worker_key or ""

    def call_client(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self.client.request(method, f"{self.queue.endpoint_url}/{path}", **arguments)

    def call_worker(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return self.worker.request(method, f"{self.queue.endpoint_url}/{path}", **arguments)

    def take(self, worker: str = "w") -> dict[str, Any]:
        reply = self.call_worker("GET", f"job-take/{worker}?gpu=x&job_in_progress=0")
        assert reply.status_code == 200, reply.text
        job: dict[str, Any] = reply.json()
        return job

    def done(self, job_id: str, body: str, worker: str = "w") -> httpx.Response:
        # As the SDK posts it: JSON that is declared as a form.
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"job-done/{worker}/{job_id}?gpu=x&isStream=false"
        return self.call_worker("POST", path, content=body.encode(), headers=headers)

    def chunk(self, job_id: str, body: str) -> httpx.Response:
        return self.call_worker("POST", f"job-stream/w/{job_id}?gpu=x&isStream=false", content=body.encode())


@pytest.fixture(scope="module")
def shared() -> Iterator[Caller]:
    with LocalQueue(workers=0, limits=_LIMITS) as queue:
        caller = Caller(queue)
        with caller.client, caller.worker:
            yield caller


@pytest.fixture
def caller(shared: Caller) -> Caller:
    shared.call_client("POST", "purge-queue")
    return shared


@pytest.mark.parametrize("key", [None, "local", "Bearer wrong", "Bearer", "Basic local"])
def test_a_client_without_the_key_is_refused(caller: Caller, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": key}
    for method, path in [("POST", "run"), ("GET", "status/x"), ("GET", "health"), ("POST", "openai/v1/x")]:
        reply = httpx.request(method, f"{caller.queue.endpoint_url}/{path}", headers=headers, timeout=60)
        assert reply.status_code == 401


def test_a_worker_must_send_its_key_raw(caller: Caller) -> None:
    for key in ("", "wrong", f"Bearer {caller.queue.worker_key}", "Bearer local"):
        for route in ("job-take/w", "job-take-batch/w", "job-stop/w", "ping/w"):
            url = f"{caller.queue.endpoint_url}/{route}"
            assert httpx.get(url, headers={"Authorization": key}, timeout=60).status_code == 401


@pytest.mark.parametrize("path", ["status/x", "stream/x", "status-sync/x"])
def test_an_unknown_job_is_not_found(caller: Caller, path: str) -> None:
    assert caller.call_client("GET", path).status_code == 404


@pytest.mark.parametrize("path", ["cancel/x", "retry/x"])
def test_nothing_can_be_done_to_an_unknown_job(caller: Caller, path: str) -> None:
    assert caller.call_client("POST", path).status_code == 404


def test_an_idle_take_is_held_open_and_answered_204(caller: Caller) -> None:
    for path in ("job-take/w?job_in_progress=0", "job-take-batch/w?batch_size=3", "job-stop/w"):
        started_s = time.monotonic()
        reply = caller.call_worker("GET", path)
        assert (reply.status_code, reply.content) == (204, b"")
        assert time.monotonic() - started_s > 0.25


def test_a_held_take_is_released_by_a_job_at_once() -> None:
    with LocalQueue(workers=0, limits=Limits(poll_s=300.0)) as queue:
        caller = Caller(queue)
        with caller.client, caller.worker:
            threading.Timer(0.1, queue.submit, [{"n": 1}]).start()
            assert caller.take()["input"] == {"n": 1}  # within the 60 s of its client


def test_a_job_with_an_empty_input_is_delivered_without_it(caller: Caller) -> None:
    job_id = caller.call_client("POST", "run", json={"input": {}}).json()["id"]
    assert caller.take() == {"id": job_id}


def test_a_batch_is_a_list_even_of_one(caller: Caller) -> None:
    ids = [caller.queue.submit({"n": n}) for n in range(3)]
    first = caller.call_worker("GET", "job-take-batch/w?gpu=x&batch_size=2&job_in_progress=0").json()
    second = caller.call_worker("GET", "job-take-batch/w?gpu=x&batch_size=2&job_in_progress=1").json()
    assert [job["id"] for job in first + second] == ids
    assert caller.call_worker("GET", "job-take-batch/w?batch_size=0").status_code == 400


def test_the_query_may_be_in_the_path_as_the_sdk_writes_it(caller: Caller) -> None:
    job_id = caller.queue.submit({"n": 1})
    assert caller.call_worker("GET", "job-take/w&job_in_progress=0").json()["id"] == job_id
    call = caller.queue.calls[-1]
    assert (call.route, call.worker_id, call.query) == ("job-take", "w", {"job_in_progress": "0"})


def test_run_answers_at_once_and_status_follows_the_job(caller: Caller) -> None:
    answer = caller.call_client("POST", "run", json={"input": {"text": "hi"}, "s3Config": {"bucketName": "b"}}).json()
    assert answer["status"] == "IN_QUEUE"
    path = f"status/{answer['id']}"
    assert caller.call_client("GET", path).json() == answer
    assert caller.take() == {"id": answer["id"], "input": {"text": "hi"}, "s3Config": {"bucketName": "b"}}
    caller.done(answer["id"], '{"status": "IN_PROGRESS", "output": "half"}')
    status = caller.call_client("POST", path).json()
    assert (status["status"], status["output"], status["workerId"]) == ("IN_PROGRESS", "half", "w")
    assert caller.done(answer["id"], '{"output": {"text": "grün"}}').status_code == 200
    status = caller.call_client("GET", path).json()
    assert (status["status"], status["output"]) == ("COMPLETED", {"text": "grün"})
    assert set(status) == {"id", "status", "delayTime", "executionTime", "workerId", "output"}


def test_runsync_waits_and_status_sync_goes_on_waiting(caller: Caller) -> None:
    answer = caller.call_client("POST", "runsync?wait=50", json={"input": {"text": "hi"}}).json()
    assert answer["status"] == "IN_QUEUE"
    assert answer["id"].startswith("sync-")
    job = caller.take()
    threading.Timer(0.1, caller.done, [job["id"], '{"output": 1}']).start()
    assert caller.call_client("GET", f"status-sync/{answer['id']}?wait=5000").json()["status"] == "COMPLETED"
    assert caller.call_client("POST", "runsync?wait=soon", json={"input": {"a": 1}}).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"text": "hi"}', b'{"input": {"speed": NaN}}', b"\xff"])
def test_an_invalid_submission_is_refused(caller: Caller, body: bytes) -> None:
    for route in ("run", "runsync"):
        reply = caller.call_client("POST", route, content=body)
        assert reply.status_code == 400
        assert reply.json()["error"]


def test_submissions_have_their_size_limits(caller: Caller) -> None:
    def body(size: int) -> bytes:
        return json.dumps({"input": "x" * (size - len('{"input": ""}'))}).encode()

    assert caller.call_client("POST", "run", content=body(2000)).status_code == 200
    assert caller.call_client("POST", "run", content=body(2001)).status_code == 400
    assert caller.call_client("POST", "runsync?wait=50", content=body(4000)).status_code == 200
    assert caller.call_client("POST", "runsync?wait=50", content=body(4001)).status_code == 400


@pytest.mark.parametrize(("is_sync", "limit"), [(False, 2000), (True, 4000)])
def test_a_result_over_the_limit_is_refused_and_the_job_stays_unchanged(
    caller: Caller, is_sync: bool, limit: int
) -> None:
    job_id = caller.queue.submit({"n": 1}, sync=is_sync)
    caller.take()
    body = json.dumps({"output": "x" * (limit + 1 - len('{"output": ""}'))})
    assert caller.done(job_id, body).status_code == 400
    job = caller.queue.jobs[job_id]
    assert (job.state, job.done_posts, job.refused_posts) == (JobState.IN_PROGRESS, 1, 1)
    assert caller.done(job_id, body.replace("xx", "x", 1)).status_code == 200
    assert caller.queue.jobs[job_id].state is JobState.COMPLETED


@pytest.mark.parametrize("body", ['{"output": NaN}', '{"output": -Infinity}', "output=1", "[1]", ""])
def test_a_result_that_is_not_json_is_refused(caller: Caller, body: str) -> None:
    job_id = caller.queue.submit({"n": 1})
    caller.take()
    assert caller.done(job_id, body).status_code == 400
    assert caller.queue.jobs[job_id].state is JobState.IN_PROGRESS


def test_chunks_are_drained_and_an_over_long_one_is_dropped(caller: Caller) -> None:
    job_id = caller.queue.submit({"n": 1})
    assert caller.call_client("GET", f"stream/{job_id}?wait=50").json() == {"status": "IN_QUEUE", "stream": []}
    caller.take()
    assert caller.chunk(job_id, '{"output": 1}').status_code == 200
    assert caller.chunk(job_id, json.dumps({"output": "x" * 1000})).status_code == 400
    assert caller.chunk(job_id, '{"output": NaN}').status_code == 400
    caller.chunk(job_id, '{"output": [2]}')
    assert caller.call_client("GET", f"stream/{job_id}").json() == {
        "status": "IN_PROGRESS", "stream": [{"output": 1}, {"output": [2]}],
    }  # fmt: skip
    threading.Timer(0.1, caller.chunk, [job_id, '{"output": 3}']).start()
    assert caller.call_client("POST", f"stream/{job_id}?wait=5000").json()["stream"] == [{"output": 3}]
    caller.chunk(job_id, '{"output": 4}')
    caller.done(job_id, '{"output": []}')
    assert caller.call_client("GET", f"stream/{job_id}").json() == {"status": "COMPLETED", "stream": [{"output": 4}]}
    assert caller.call_client("GET", f"stream/{job_id}").json() == {"status": "COMPLETED", "stream": []}


def test_cancelling_a_running_job_stops_it_in_its_worker(caller: Caller) -> None:
    job_id = caller.queue.submit({"n": 1})
    caller.take()
    assert caller.call_client("POST", f"cancel/{job_id}").json() == {"id": job_id, "status": "CANCELLED"}
    assert caller.call_worker("GET", "job-stop/w?gpu=x").json() == {"jobsToStop": [job_id]}


def test_a_failed_job_can_be_retried(caller: Caller) -> None:
    job_id = caller.queue.submit({"n": 1})
    assert caller.call_client("POST", f"retry/{job_id}").status_code == 400
    caller.take()
    caller.done(job_id, '{"error": "bad"}')
    assert caller.call_client("POST", f"retry/{job_id}").json() == {"id": job_id, "status": "IN_QUEUE"}
    assert caller.take()["id"] == job_id


def test_health_and_purge_count_what_there_is() -> None:
    with LocalQueue(workers=0, limits=_LIMITS) as queue:
        caller = Caller(queue)
        with caller.client, caller.worker:
            ids = [queue.submit({"n": n}) for n in range(4)]
            caller.take()
            caller.done(ids[0], '{"output": 1}')
            caller.take()
            assert caller.call_client("GET", "health").json() == {
                "jobs": {"completed": 1, "failed": 0, "inProgress": 1, "inQueue": 2, "retried": 0},
                "workers": {"idle": 0, "initializing": 0, "ready": 1, "running": 1, "throttled": 0, "unhealthy": 0},
            }
            assert caller.call_client("POST", "purge-queue").json() == {"removed": 2, "status": "completed"}
            assert caller.call_client("GET", "health").json()["jobs"]["inQueue"] == 0


def test_a_worker_that_reports_itself_unhealthy_gets_no_jobs(caller: Caller) -> None:
    caller.call_worker("GET", "ping/unhealthy?status=unhealthy&check=gpu&reason=none")
    caller.queue.submit({"n": 1})
    assert caller.call_worker("GET", "job-take/unhealthy").status_code == 204


def test_a_worker_that_asked_to_be_stopped_gets_no_more_jobs(caller: Caller) -> None:
    job_id = caller.queue.submit({"n": 1})
    caller.take("stopping")
    caller.queue.submit({"n": 2})
    caller.done(job_id, '{"output": 1, "stopPod": true}', "stopping")
    assert caller.call_worker("GET", "job-take/stopping").status_code == 204


def test_a_fault_happens_as_often_as_planned_and_then_all_is_well(caller: Caller) -> None:
    caller.queue.faults.add("job-done", Fault(status=500), times=2)
    caller.queue.faults.add("job-done", Fault(drop=True))
    caller.queue.faults.add("job-done", Fault(delay_s=0.2))
    job_id = caller.queue.submit({"n": 1})
    caller.take()
    assert [caller.done(job_id, '{"output": 1}').status_code for _ in range(2)] == [500, 500]
    with pytest.raises(httpx.RemoteProtocolError):
        caller.done(job_id, '{"output": 1}')
    assert caller.queue.jobs[job_id].done_posts == 0
    started_s = time.monotonic()
    assert caller.done(job_id, '{"output": 1}').status_code == 200
    assert time.monotonic() - started_s > 0.2


def test_a_fault_reaches_a_take_that_is_already_open(caller: Caller) -> None:
    threading.Timer(0.05, caller.queue.faults.add, ["job-take", Fault(status=429)]).start()
    assert caller.call_worker("GET", "job-take/w").status_code == 429


@pytest.mark.parametrize(
    ("output", "answer"),
    [([{"a": 1}], {"a": 1}), ({"a": 1}, {"a": 1}), ([1, 2], [1, 2]), ([], [])],
)
def test_an_openai_call_is_a_job_and_a_list_of_one_is_unwrapped(caller: Caller, output: object, answer: object) -> None:
    def work() -> None:
        job = caller.take()
        assert job["input"] == {"openai_route": "/v1/audio/speech", "openai_input": {"input": "hi"}}
        caller.done(job["id"], json.dumps({"output": output}))

    worker = threading.Thread(target=work)
    worker.start()
    assert caller.call_client("POST", "openai/v1/audio/speech", json={"input": "hi"}).json() == answer
    worker.join()


def test_a_failed_openai_call_is_an_error_and_a_get_has_no_body(caller: Caller) -> None:
    def work() -> None:
        job = caller.take()
        caller.done(job["id"], json.dumps({"error": job["input"]}))

    worker = threading.Thread(target=work)
    worker.start()
    reply = caller.call_client("GET", "openai/v1/models")
    worker.join()
    assert (reply.status_code, reply.json()) == (500, {"error": {"openai_route": "/v1/models"}})


@pytest.fixture
def receiver() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The port of a server that fails the first post, and all bodies so far."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(bodies) == 1 else 204)
            self.end_headers()

    bodies: list[dict[str, Any]] = []
    with serving(Handler) as port:
        yield port, bodies


def test_a_webhook_gets_the_whole_job_and_another_try(
    caller: Caller, receiver: tuple[int, list[dict[str, Any]]]
) -> None:
    port, bodies = receiver
    webhook = f"http://127.0.0.1:{port}/hook"
    job_id = caller.queue.submit({"n": 1}, webhook=webhook)
    caller.take()
    caller.done(job_id, '{"error": "bad"}')
    deadline = time.monotonic() + 60
    while len(bodies) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert bodies[0] == bodies[1]
    assert bodies[1].items() >= {"id": job_id, "status": "FAILED", "error": "bad", "webhook": webhook}.items()
    assert bodies[1]["input"] == {"n": 1}
    time.sleep(0.2)
    assert len(bodies) == 2


def test_a_port_in_use_is_reported_at_once(caller: Caller) -> None:
    port = int(caller.queue.url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"), LocalQueue(workers=0, port=port):
        pass
