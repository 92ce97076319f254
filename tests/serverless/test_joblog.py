"""Log lines: RunPod's shape, the job's id, and nothing that a caller said."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import copy_context

from chatterbox_worker.serverless import joblog


def line(*, as_json: bool, job_id: str | None = None, error: Exception | None = None, level: int = logging.INFO) -> str:
    record = logging.LogRecord("handler", level, __file__, 1, "spoke %d chunks", (3,), None)
    if error is not None:
        try:
            raise error from ValueError("because of hidden words")
        except type(error):
            record.exc_info = sys.exc_info()

    def formatted() -> str:
        if job_id is not None:
            joblog.enter(job_id)
        return joblog.JobFormatter(as_json=as_json).format(record)

    return copy_context().run(formatted)


def test_a_line_on_runpod_has_the_shape_of_the_sdks() -> None:
    assert json.loads(line(as_json=True, job_id="job-1", level=logging.WARNING)) == {
        "requestId": "job-1", "message": "handler: spoke 3 chunks", "level": "WARN",
    }  # fmt: skip
    assert json.loads(line(as_json=True))["requestId"] is None


def test_a_line_elsewhere_is_text_of_the_sdks_shape() -> None:
    assert line(as_json=False, job_id="job-1") == "INFO   | job-1 | handler: spoke 3 chunks"
    assert line(as_json=False) == "INFO   | handler: spoke 3 chunks"


def test_an_exception_in_a_job_shows_where_it_came_from_and_not_what_it_says() -> None:
    said = line(as_json=True, job_id="job-1", error=RuntimeError("hidden words"))

    assert "\n" not in said
    assert "RuntimeError" in said
    assert "ValueError" in said
    assert "test_joblog.py" in said
    assert "hidden words" not in said


def test_an_exception_outside_of_jobs_is_shown_whole() -> None:
    assert "weights are broken" in line(as_json=False, error=RuntimeError("weights are broken"))
