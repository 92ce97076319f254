"""Every way a call can fail.

ClientError
├── RequestRefused       the endpoint refused the request (4xx)
│   ├── Unauthorized     401, 403
│   ├── NotFound         404: no such endpoint, or a job or a file that has expired
│   └── RequestTooLarge  over RunPod's limit, so it was not sent
├── Unavailable          not reached, or 429 and 5xx to the end of the retries; nothing was started
├── AnswerLost           sent, but no answer came: a job may be running, so it was not sent again
├── StillRunning         the time given is over; also a TimeoutError; the job goes on
├── JobFailed            the worker's own reason: message, code, field
│   ├── JobCancelled
│   └── JobTimedOut      over the endpoint's execution timeout, or its time to live
└── NoAudio              an answer without audio that can be saved
    └── AudioOnVolume    the audio is a file on the endpoint's network volume, which the endpoint does not hand out

Those that carry a job, StillRunning and JobFailed, are in `job_errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of all errors of this client."""


class RequestRefused(ClientError):
    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """Of the HTTP answer; None when there was none, or none that could be read."""


class Unauthorized(RequestRefused):
    pass


class NotFound(RequestRefused):
    pass


class RequestTooLarge(RequestRefused):
    pass


class Unavailable(ClientError):
    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """Of the last HTTP answer; None when there was none."""


class AnswerLost(ClientError):
    pass


class NoAudio(ClientError):
    pass


class AudioOnVolume(NoAudio):
    def __init__(self, path: str, about: Mapping[str, Any], reason: str) -> None:
        super().__init__(f"the audio is on the endpoint's network volume at {path} and cannot be downloaded: {reason}")
        self.path = path
        self.about = about
        """The rest of the answer."""
