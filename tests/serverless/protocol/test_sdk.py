"""What we rely on inside RunPod's SDK beyond its documented surface: a new version that changes it fails here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from runpod.serverless import worker as sdk_worker
from runpod.serverless.modules import rp_http, rp_job, rp_scale
from runpod.serverless.modules.worker_state import JobsProgress

from chatterbox_worker.serverless.protocol.scaler import Scaler


def test_the_scaler_looks_its_fetchers_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def take(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(rp_scale, "get_job", take)
    monkeypatch.setattr(rp_scale, "get_stop_signals", take)

    scaler = rp_scale.JobScaler({})

    assert scaler.jobs_fetcher is take
    assert scaler.stop_signals_fetcher is take


def test_the_scaler_is_looked_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Scaler] = []

    class Ours(Scaler):
        def start(self) -> None:
            started.append(self)

    async def pass_() -> None:
        """Every fitness check."""

    monkeypatch.setattr(rp_scale, "JobScaler", Ours)
    monkeypatch.setattr(sdk_worker, "run_fitness_checks", pass_)
    monkeypatch.setattr(sdk_worker.heartbeat, "start_ping", lambda _: None)
    monkeypatch.setattr(JobsProgress, "set_mirror", lambda *_: None)

    sdk_worker.run_worker({})

    assert len(started) == 1


@pytest.mark.parametrize("name", ["send_result", "stream_result", "_job_get_url"])
def test_the_functions_that_are_replaced_or_called_exist(name: str) -> None:
    assert callable(getattr(rp_job, name))


def test_the_replaced_functions_have_the_known_parameters() -> None:
    assert [*inspect.signature(rp_http.send_result).parameters] == ["session", "job_data", "job", "is_stream"]
    assert [*inspect.signature(rp_http.stream_result).parameters] == ["session", "job_data", "job"]
    assert [*inspect.signature(rp_job.get_job).parameters] == ["session", "num_jobs"]


def test_the_templates_exist() -> None:
    assert isinstance(rp_http.JOB_DONE_URL_TEMPLATE, str)
    assert isinstance(rp_http.JOB_STREAM_URL_TEMPLATE, str)


def test_the_url_of_a_batch_names_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rp_job, "JOB_GET_URL", "http://x/job-take/w?gpu=1")

    assert rp_job._job_get_url(3).startswith("http://x/job-take-batch/w?gpu=1&batch_size=3&")
    assert rp_job._job_get_url(1).startswith("http://x/job-take/w?gpu=1&")


async def _handle(monkeypatch: pytest.MonkeyPatch, handler: Any) -> tuple[list[Any], list[Any]]:
    """What the SDK posts for one job: the results, and the pieces of a stream."""
    results: list[Any] = []
    pieces: list[Any] = []

    async def send(session: Any, result: Any, job: Any, is_stream: bool = False) -> None:
        results.append((result, is_stream))

    async def stream(session: Any, result: Any, job: Any) -> None:
        pieces.append(result)

    monkeypatch.setattr(rp_job, "send_result", send)
    monkeypatch.setattr(rp_job, "stream_result", stream)
    await rp_job.handle_job(None, {"handler": handler, "return_aggregate_stream": True}, {"id": "1", "input": {}})
    return results, pieces


@pytest.mark.anyio
async def test_the_output_is_the_object_that_the_handler_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"a": 1}

    async def handler(job: Any) -> dict[str, int]:
        return answer

    results, _ = await _handle(monkeypatch, handler)

    assert results == [({"output": {"a": 1}}, False)]
    assert results[0][0]["output"] is answer


@pytest.mark.anyio
async def test_a_streams_output_is_the_list_of_the_objects_that_were_yielded(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [{"index": 0}, {"summary": True}]

    async def handler(job: Any) -> Any:
        for item in items:
            yield item

    results, pieces = await _handle(monkeypatch, handler)

    ((result, is_stream),) = results
    assert is_stream
    assert all(mine is theirs for mine, theirs in zip(items, result["output"], strict=True))
    assert [piece["output"] for piece in pieces] == items


@pytest.mark.anyio
async def test_an_error_in_a_stream_is_its_sentence_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(job: Any) -> Any:
        yield {"message": "no", "code": "x"}
        yield {"error": "no", "code": "x"}

    results, pieces = await _handle(monkeypatch, handler)

    assert results == [({"error": "no"}, True)]
    assert pieces == [{"output": {"message": "no", "code": "x"}}]


def test_jobs_in_progress_can_be_listed() -> None:
    progress = JobsProgress()
    progress.add({"id": "a", "input": None})
    try:
        assert {str(job) for job in progress} == {"a"}
    finally:
        progress.remove("a")
