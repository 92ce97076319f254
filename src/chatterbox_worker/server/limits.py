"""Limits on callers: admission to the queue, a rate for each key, and the size and time of a body."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from chatterbox_worker.request import LONGEST_REFERENCE_CHARS
from chatterbox_worker.server import failures
from chatterbox_worker.server.middleware import HttpMiddleware
from chatterbox_worker.server.refusals import BodyTooLarge, BodyTooSlow, RateLimited, TryLater

BODY_BYTES = LONGEST_REFERENCE_CHARS + 2_000_000
"""The longest reference in base64, and 2 MB for a text of 50 000 escaped characters and the other fields."""
SILENT_S = 30.0
"""A body of which no byte arrives for so long, in seconds, is given up."""
LONGEST_BODY_S = 300.0
"""So is one that takes longer as a whole: 35 MB at 1 Mbit/s."""
_LONGEST_RETRY_S = 60  # few clients wait longer
_FIRST_GUESS_S = 2.0  # a request's time, until some have been measured
_SMOOTHING = 0.9  # of the running mean: about the last ten requests count
_MAX_BUCKETS = 10_000  # the least recently used one is full again anyway


class Ticket:
    """One request's place in the queue; `leave` may be called more than once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission
        self._took_s = 0.0
        self._since_s: float | None = time.monotonic()
        """None while the place is given back."""

    def use(self, needed: bool) -> None:
        """Gives the place back while nothing is generated, and takes it again: without waiting, as it was admitted."""
        if self._admission is None or needed == (self._since_s is not None):
            return
        if needed:
            self._admission.come_back()
            self._since_s = time.monotonic()
        elif self._admission.step_out():
            self._took_s += self._elapsed_s()
            self._since_s = None

    def leave(self) -> None:
        self.use(needed=True)
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave(self._took_s + self._elapsed_s())

    def _elapsed_s(self) -> float:
        return 0.0 if self._since_s is None else time.monotonic() - self._since_s


class Admission:
    """A bounded queue: `running` requests are processed, `waiting` wait, and the next one gets the time to retry after.

    For one event loop.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._running = running
        self.places = running + waiting
        self.inside = 0
        self._outside = 0  # requests that wait for their readers
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

    def step_out(self) -> bool:
        """Whether the place is given back: not for more requests than there are places, each of which holds memory."""
        if self._outside >= self.places:
            return False
        self.inside -= 1
        self._outside += 1
        return True

    def come_back(self) -> None:
        self.inside += 1
        self._outside -= 1

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


class BodyLimit(HttpMiddleware):
    """Middleware: refuses a body whose declared length is too large, and stops reading one that grows too large or
    arrives too slowly.
    """

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = BodyTooLarge(f"the body is larger than {BODY_BYTES} bytes")
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > BODY_BYTES:
            await failures.response(scope["path"], refusal)(scope, receive, send)
            return
        size = 0
        is_whole = False
        ends_s = time.monotonic() + LONGEST_BODY_S

        async def receive_limited() -> Message:
            nonlocal size, is_whole
            message = await receive() if is_whole else await _receive_soon(receive, ends_s)
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size > BODY_BYTES:
                raise refusal
            return message

        await self._app(scope, receive_limited, send)


async def _receive_soon(receive: Receive, ends_s: float) -> Message:
    """
    Raises:
        BodyTooSlow: nothing arrived in time.
    """
    try:
        return await asyncio.wait_for(receive(), min(SILENT_S, max(0.0, ends_s - time.monotonic())))
    except TimeoutError:
        raise BodyTooSlow(
            f"the body was not sent: at most {SILENT_S:g} s may pass without a byte, and {LONGEST_BODY_S:g} s in all"
        ) from None
