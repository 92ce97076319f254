"""Limits on callers: admission to the queue, a rate for each key, and the size of a body."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatterbox_worker.request import LONGEST_REFERENCE_CHARS
from chatterbox_worker.server import failures
from chatterbox_worker.server.refusals import BodyTooLarge, RateLimited, TryLater

BODY_BYTES = LONGEST_REFERENCE_CHARS + 2_000_000
"""The longest reference in base64, and 2 MB for a text of 50 000 escaped characters and the other fields."""
_LONGEST_RETRY_S = 60  # few clients wait longer
_FIRST_GUESS_S = 2.0  # a request's time, until some have been measured
_SMOOTHING = 0.9  # of the running mean: about the last ten requests count
_MAX_BUCKETS = 10_000  # the least recently used one is full again anyway


class Ticket:
    """One request's place in the queue; `leave` may be called more than once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        self._entered_s = time.monotonic()

    def leave(self) -> None:
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave(time.monotonic() - self._entered_s)


class Admission:
    """A bounded queue: `running` requests are processed, `waiting` wait, and the next one gets the time to retry after.

    For one event loop.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._running = running
        self.places = running + waiting
        self.inside = 0
        self._mean_s = _FIRST_GUESS_S

    def enter(self) -> Ticket:
        """
        Raises:
            TryLater: every place is taken.
        """
        if self.inside >= self.places:
            raise TryLater(
                f"the queue is full with {self.inside} requests; try again later",
                retry_after_s=self._retry_after_s(),
            )
        self.inside += 1
        return Ticket(self)

    @contextmanager
    def place(self) -> Iterator[None]:
        ticket = self.enter()
        try:
            yield
        finally:
            ticket.leave()

    def leave(self, took_s: float) -> None:
        self.inside -= 1
        self._mean_s = _SMOOTHING * self._mean_s + (1 - _SMOOTHING) * took_s

    def _retry_after_s(self) -> int:
        return min(max(1, math.ceil(self._mean_s / self._running)), _LONGEST_RETRY_S)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_s: float


class RateLimit:
    """A token bucket for each caller; a full one lasts for a minute's requests."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str) -> None:
        """
        Raises:
            RateLimited: the caller's bucket is empty.
        """
        if not self._per_minute:
            return
        now_s = self._clock()
        bucket = self._buckets.pop(caller, None) or _Bucket(self._per_minute, now_s)
        self._buckets[caller] = bucket
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.popitem(last=False)
        rate = self._per_minute / 60
        bucket.tokens = min(self._per_minute, bucket.tokens + (now_s - bucket.filled_s) * rate)
        bucket.filled_s = now_s
        if bucket.tokens < 1:
            wait_s = math.ceil((1 - bucket.tokens) / rate)
            raise RateLimited(f"more than {self._per_minute} requests a minute; try again later", retry_after_s=wait_s)
        bucket.tokens -= 1


class BodyLimit:
    """Middleware: refuses a body whose declared length is too large, and stops reading one that grows too large."""

    def __init__(self, app: ASGIApp, limit_bytes: int = BODY_BYTES) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = BodyTooLarge(f"the body is larger than {self._limit_bytes} bytes")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit_bytes:
            await failures.response(scope["path"], refusal)(scope, receive, send)
            return
        size = 0

        async def receive_limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit_bytes:
                raise refusal
            return message

        await self._app(scope, receive_limited, send)
