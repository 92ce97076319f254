"""Posts a finished job to its webhook: the full job object, in up to three attempts. A failure affects nothing else."""

from __future__ import annotations

import asyncio
import logging

import aiohttp

from chatterbox_worker.localqueue.jobs import JsonObject, Limits, QueuedJob

_log = logging.getLogger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=30)  # RunPod documents no figure


class Webhooks:
    """Belongs to one event loop; must be closed there."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, job: QueuedJob) -> None:
        """Start delivering, if the job has a webhook."""
        url = job.body.get("webhook")
        if not isinstance(url, str) or not url:
            return
        self._session = self._session or aiohttp.ClientSession(timeout=_TIMEOUT)
        task = asyncio.create_task(self._deliver(self._session, url, {**job.body, **job.answer()}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, session: aiohttp.ClientSession, url: str, answer: JsonObject) -> None:
        for attempt in range(1, self._limits.webhook_attempts + 1):
            try:
                async with session.post(url, json=answer) as response:
                    if 200 <= response.status < 300:
                        return
                    reason = f"HTTP {response.status}"
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: not a URL
                reason = repr(error)
            _log.warning("webhook of %s, attempt %d: %s", answer["id"], attempt, reason)
            if attempt < self._limits.webhook_attempts:
                await asyncio.sleep(self._limits.webhook_pause_s)
