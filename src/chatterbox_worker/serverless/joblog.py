"""Log lines as RunPod's console reads them, each with the job it belongs to.

On RunPod a line is JSON, `{"requestId", "message", "level"}`, the shape of the SDK's own lines, so that the console can
filter by request; elsewhere it is text. Inside a job an exception is logged without its message, which may quote
the caller's text: its type and where it came from are enough to find a bug.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar

_JOB_ID: ContextVar[str | None] = ContextVar("job_id", default=None)
_LEVELS = {"WARNING": "WARN", "CRITICAL": "ERROR"}  # the SDK's names for them
_CHATTY = ("botocore", "boto3", "s3transfer", "urllib3", "httpx", "httpcore", "huggingface_hub", "filelock")


def enter(job_id: str) -> None:
    """Lines logged in this context from now on belong to the job: of its task, and of threads that run in a copy."""
    _JOB_ID.set(job_id)


class JobFormatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        job_id = _JOB_ID.get()
        message = f"{record.name}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            message += "\n" + (origin(error) if job_id else "".join(traceback.format_exception(error)).rstrip())
        level = _LEVELS.get(record.levelname, record.levelname)
        if self._as_json:
            return json.dumps({"requestId": job_id, "message": message, "level": level})
        return f"{level:<7}| {job_id} | {message}" if job_id else f"{level:<7}| {message}"


def origin(error: BaseException) -> str:
    """The type of an exception and the frames it came through, without its message; and those of its causes."""
    found = traceback.extract_tb(error.__traceback__)
    frames = "\n".join(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in found)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    earlier = "" if cause is None else f"\nafter {origin(cause)}"
    return f"{type(error).__name__} (its message may quote the caller and is left out)\n{frames}{earlier}"


def configure(*, as_json: bool) -> None:
    """Log to standard output, as the SDK does, from level INFO."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JobFormatter(as_json=as_json))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
