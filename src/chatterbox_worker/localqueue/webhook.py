"""Posts a finished job to its webhook: the full job object, in up to three attempts. A failure affects nothing else.

The address is the caller's and may be private: the queue is a developer's tool, and webhooks are tried on localhost.
"""

from __future__ import annotations

import asyncio
import logging

import httpx

from chatterbox_worker.localqueue.jobs import JsonObject, Limits, QueuedJob

_log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0  # RunPod documents no figure


class Webhooks:
    """Belongs to one event loop; must be closed there."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, job: QueuedJob) -> None:
        """Start delivering, if the job has a webhook."""
        url = job.body.get("webhook")
        if not isinstance(url, str) or not url:
            return
        self._client = self._client or httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=True)
        task = asyncio.create_task(self._deliver(self._client, url, {**job.body, **job.answer()}))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _deliver(self, client: httpx.AsyncClient, url: str, answer: JsonObject) -> None:
        for attempt in range(1, self._limits.webhook_attempts + 1):
            try:
                async with client.stream("POST", url, json=answer) as response:
                    if response.is_success:
                        return
                    reason = f"HTTP {response.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = repr(error)
            _log.warning("webhook of %s, attempt %d: %s", answer["id"], attempt, reason)
            if attempt < self._limits.webhook_attempts:
                await asyncio.sleep(self._limits.webhook_pause_s)
