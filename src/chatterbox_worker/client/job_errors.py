"""The errors that carry a job; `errors` lists all."""

from __future__ import annotations

from chatterbox_worker.client.errors import ClientError
from chatterbox_worker.client.types import Job


class StillRunning(ClientError, TimeoutError):
    def __init__(self, job: Job, waited_s: float) -> None:
        super().__init__(
            f"job {job.id} is {job.status} after {waited_s:.0f} s; "
            f"go on with poll_until_complete({job.id!r}) or end it with cancel({job.id!r})"
        )
        self.job = job


class JobFailed(ClientError):
    def __init__(self, message: str, *, job: Job, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.job = job
        self.code = code
        """One of the worker's error codes (docs/API.md); None if the platform, not the worker, ended the job."""
        self.field = field
        """The field of the request that is to blame, if there is one."""


class JobCancelled(JobFailed):
    pass


class JobTimedOut(JobFailed):
    pass
