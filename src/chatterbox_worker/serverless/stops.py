"""Stop signals that arrive too early.

The SDK cancels a running job when the platform says so, but drops the signal for a job it has taken and not yet begun,
which takes it up to 0.1 s: that job would then run to its end without a caller. So the ids are remembered for a moment,
and a job that finds its own among them does not begin.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

REMEMBERED_S = 5.0
"""Longer than the SDK needs to begin a job, shorter than a caller needs to submit a stopped job again."""


class Stops:
    """Belongs to the SDK's event loop."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._stopped: dict[str, float] = {}

    def remember(self, fetch: Callable[..., Awaitable[Iterable[str]]]) -> Callable[..., Awaitable[Any]]:
        """`fetch`, a coroutine function that returns the ids of jobs to stop, wrapped so that they are remembered."""

        async def fetch_and_remember(*args: Any) -> Iterable[str]:
            job_ids = await fetch(*args)
            now_s = self._now_s()
            self._stopped = {job_id: at_s for job_id, at_s in self._stopped.items() if now_s - at_s < REMEMBERED_S}
            self._stopped.update(dict.fromkeys(job_ids, now_s))
            return job_ids

        return fetch_and_remember

    def include(self, job_id: str) -> bool:
        """Whether the job was stopped a moment ago; true once for each stop."""
        at_s = self._stopped.pop(job_id, None)
        return at_s is not None and self._now_s() - at_s < REMEMBERED_S
