"""The SDK's scaler, which takes a job when there is room for one, and begins it when it is taken.

The SDK looks every second whether there is room again, and every 0.1 s whether a job was taken: a GPU speaks 5 s of
audio meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from runpod.serverless.modules.rp_scale import JobScaler

from chatterbox_worker.serverless.protocol.take import Job

_LOOK_S = 0.1  # whether the worker is to end


class Scaler(JobScaler):  # type: ignore[misc]  # the SDK has no types
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self._has_changed = asyncio.Event()
        """A job has ended, or one that was taken has begun: until then the SDK counts it twice."""

    async def set_scale(self) -> None:
        """What the SDK awaits before each take: returns when there is room for a job, or the worker is to end."""
        while True:
            await super().set_scale()
            if not self.is_alive() or self.current_occupancy() < self.current_concurrency:
                return
            self._has_changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_changed.wait(), _LOOK_S)

    async def run_jobs(self, session: Any) -> None:
        """Run the queue's jobs, as many at once as the concurrency, until the worker ends and the queue is empty."""
        running: set[asyncio.Task[None]] = set()
        taking: asyncio.Task[Job] | None = None
        queue = self.jobs_queue
        while self.is_alive() or not self.jobs_queue.empty():
            if taking is not None and queue is not self.jobs_queue:  # the SDK replaces one that is empty
                taking.cancel()
                taking = None
            if taking is None and len(running) < self.current_concurrency:
                queue = self.jobs_queue
                taking = asyncio.create_task(queue.get())
            waiting = running if taking is None else {*running, taking}
            await asyncio.wait(waiting, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            ended = {task for task in running if task.done()}
            await asyncio.gather(*ended, return_exceptions=True)  # `handle_job` has logged them
            running -= ended
            if ended:
                self._has_changed.set()
            if taking is not None and taking.done():
                job, taking = taking.result(), None
                self.jobs_tasks[job["id"]] = task = asyncio.create_task(self.handle_job(session, job))
                running.add(task)
                self._has_changed.set()
        if taking is not None:
            taking.cancel()
        await asyncio.gather(*running, return_exceptions=True)
