"""The errors of the HTTP server alone, in addition to those of `chatterbox_worker.errors`."""

from __future__ import annotations

from chatterbox_worker.errors import Busy, WorkerError


class Unauthorised(WorkerError):
    code = "invalid_api_key"
    status = 401


class Forbidden(WorkerError):
    code = "forbidden"
    status = 403


class ModelNotFound(WorkerError):
    code = "model_not_found"
    status = 404


class BodyTooLarge(WorkerError):
    code = "body_too_large"
    status = 413


class BodyTooSlow(WorkerError):
    code = "body_too_slow"
    status = 408


class UnsupportedMediaType(WorkerError):
    code = "unsupported_media_type"
    status = 415


class NotOffered(WorkerError):
    """The server is not set up to do it."""

    code = "not_offered"
    status = 501


class TryLater(Busy):
    """The queue is full."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(TryLater):
    code = "rate_limit_exceeded"
