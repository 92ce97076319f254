"""The SDK's scaler, which begins a job when it is taken.

The SDK looks every 0.1 s whether a job was taken, so that one waits up to that long: as long as a GPU takes for 5 s of
speech.
"""

from __future__ import annotations

import asyncio
from typing import Any

from runpod.serverless.modules.rp_scale import JobScaler

from chatterbox_worker.serverless.protocol.take import Job

_LOOK_S = 0.1  # whether the worker is to end


class Scaler(JobScaler):  # type: ignore[misc]  # the SDK has no types
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
            if taking is not None and taking.done():
                job, taking = taking.result(), None
                self.jobs_tasks[job["id"]] = task = asyncio.create_task(self.handle_job(session, job))
                running.add(task)
        if taking is not None:
            taking.cancel()
        await asyncio.gather(*running, return_exceptions=True)
