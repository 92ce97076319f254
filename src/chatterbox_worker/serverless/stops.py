"""Stop signals that come too early.

The SDK cancels a running job when the platform says so, but drops the signal for a job it has taken and not yet begun,
which takes it up to 0.1 s: that job would then hold its place to the end, for nobody. So the ids are kept for a
moment, and a job that finds its own among them does not begin.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

KEPT_S = 5.0
"""Longer than the SDK needs to begin a job; shorter than anybody takes to submit a stopped job once more."""


class Stops:
    """Lives on the SDK's event loop."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._noted: dict[str, float] = {}

    def noting(self, fetch: Callable[..., Awaitable[Iterable[str]]]) -> Callable[..., Awaitable[Any]]:
        """`fetch`, a coroutine function that gives the ids of jobs to stop; they are noted on the way."""

        async def fetch_and_note(*args: Any) -> Iterable[str]:
            job_ids = await fetch(*args)
            now_s = self._now_s()
            self._noted = {job_id: at_s for job_id, at_s in self._noted.items() if now_s - at_s < KEPT_S}
            self._noted.update(dict.fromkeys(job_ids, now_s))
            return job_ids

        return fetch_and_note

    def include(self, job_id: str) -> bool:
        """Whether the job was stopped a moment ago; told once."""
        at_s = self._noted.pop(job_id, None)
        return at_s is not None and self._now_s() - at_s < KEPT_S
