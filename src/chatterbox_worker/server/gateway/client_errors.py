"""What the client of a queue raises, as this package's errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chatterbox_worker import errors
from chatterbox_worker.client import (
    AnswerLost,
    ClientError,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    RequestRefused,
    RequestTooLarge,
    Unavailable,
)
from chatterbox_worker.errors import Busy, Cancelled, InvalidRequest, NotReady, SynthesisFailed, WorkerError
from chatterbox_worker.server.refusals import BodyTooLarge

log = logging.getLogger(__name__)

_BY_CODE: Mapping[str | None, type[WorkerError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, WorkerError)
}  # fmt: skip


@contextmanager
def worker_errors() -> Iterator[None]:
    """Raises the client's errors as this package's."""
    try:
        yield
    except ClientError as error:
        raise _worker_error(error) from error


def _worker_error(error: ClientError) -> WorkerError:
    match error:
        case JobFailed():
            return _job_error(error)
        case RequestTooLarge():
            return BodyTooLarge(str(error))
        case Unavailable(status=429):
            return Busy("RunPod's API takes no more requests at the moment; try again later")
        case RequestRefused(status=int(status)):
            log.warning("RunPod's API: %s", error)
            return NotReady(f"RunPod's API answered {status}; the server's log has the reason")
        case Unavailable() | AnswerLost():
            return NotReady(f"RunPod's API: {error}")
        case _:
            return SynthesisFailed(f"the endpoint's answer cannot be used: {error}")


def _job_error(error: JobFailed) -> WorkerError:
    """The worker's own error, with its code and field; the SDK drops both from a streaming endpoint's."""
    if isinstance(error, JobCancelled):
        return Cancelled("the job was cancelled on the queue")
    if isinstance(error, JobTimedOut):
        return SynthesisFailed("the job took longer than the endpoint allows")
    unknown = SynthesisFailed if error.code is None else InvalidRequest
    return _BY_CODE.get(error.code, unknown)(error.message, field=error.field)
