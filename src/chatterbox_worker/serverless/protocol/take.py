"""Takes jobs from the queue, and passes on only what the SDK can digest.

The SDK (1.12) puts whatever arrives into its own queue: `null` in a batch ends the process, a number as an id stops all
taking, an id that it already has is spoken twice, and a job without an input is dropped without an answer. It also asks
again at once after an error, a hundred times a second. So here a job is repaired if it has an id, so that it is
answered; what has none is logged and left out; and errors are followed by a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

import aiohttp

from chatterbox_worker.serverless.protocol.pauses import pause_s

log = logging.getLogger(__name__)

Job = dict[str, Any]

_LONGEST_PAUSE_S = 5.0
_LONGEST_FLASHBOOT_PAUSE_S = 0.5  # a 400 is expected there (the SDK's words), and a job may come right after it
_LONGEST_ID_CHARS = 256


class Taker:
    """Belongs to the SDK's event loop."""

    def __init__(self, url_of: Callable[[int], str], running: Callable[[], Collection[str]]) -> None:
        """
        Args:
            url_of: the URL that takes so many jobs.
            running: the ids of the jobs that this worker has.
        """
        self._url_of = url_of
        self._running = running
        self._failures = 0

    async def __call__(self, session: aiohttp.ClientSession, count: int = 1) -> list[Job]:
        """At most `count` jobs; none if there are none or the platform answered badly, which is logged."""
        try:
            async with session.get(self._url_of(count)) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
                taken = await response.json(content_type=None) if status == 200 else None
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:  # ValueError: not JSON, not UTF-8
            await self._fail(f"{type(error).__name__}", None)
            return []
        if status in (200, 204):
            self._failures = 0
            return [] if taken is None else digest(taken, self._running())
        await self._fail(f"HTTP {status}", retry_after, is_expected=status == 400)
        return []

    async def _fail(self, reason: str, retry_after: str | None, *, is_expected: bool = False) -> None:
        self._failures += 1
        if not is_expected and self._failures & (self._failures - 1) == 0:  # the first, second, fourth, eighth...
            log.warning("no job could be taken: %s, for the %d. time in a row", reason, self._failures)
        longest_s = _LONGEST_FLASHBOOT_PAUSE_S if is_expected else _LONGEST_PAUSE_S
        await asyncio.sleep(pause_s(self._failures, retry_after, longest_s=longest_s))


def digest(taken: object, running: Collection[str]) -> list[Job]:
    """The jobs of an answer in a form that the SDK can handle, each once."""
    items = taken if isinstance(taken, list) else [taken]
    jobs: dict[str, Job] = {}
    for item in items:
        job_id = _id_of(item)
        if job_id is None or not isinstance(item, dict):
            log.warning("the platform sent something that is not a job: %s", _describe(item))
        elif job_id in jobs or job_id in running:
            log.warning("the platform sent a job that this worker already has")
        else:
            jobs[job_id] = {"input": None, **_usable(item), "id": job_id}
    return list(jobs.values())


def _id_of(item: object) -> str | None:
    value = item.get("id") if isinstance(item, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= _LONGEST_ID_CHARS else None


def _usable(item: Mapping[str, Any]) -> Job:
    """Without keys that the SDK's record of a job, to which it sets each as an attribute, cannot have."""
    return {name: value for name, value in item.items() if name != "self" and not name.startswith("__")}


def _describe(item: object) -> str:
    return f"an object with {len(item)} fields and no usable id" if isinstance(item, dict) else type(item).__name__
