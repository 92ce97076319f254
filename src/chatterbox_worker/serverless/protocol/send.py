"""Posts one body to one address until the platform has it or refuses it."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import aiohttp

from chatterbox_worker.serverless.protocol.pauses import pause_s

log = logging.getLogger(__name__)

Verdict = Literal["posted", "refused", "gone", "again"]

_REFUSALS = (400, 413, 422)
_UNKNOWN_JOB = (404, 410)
_MOST_GONE = 5  # a gateway's own 404 passes
_LONGEST_PAUSE_S = 30.0
_TIMEOUT_S, _SLOWEST_BYTES_PER_S = 60.0, 200_000


@dataclass(frozen=True, slots=True)
class Urls:
    """Where results go: templates with `$RUNPOD_POD_ID` and `$ID`, as RunPod sets them."""

    done: str
    stream: str
    worker_id: str

    def of(self, job_id: str, *, is_chunk: bool, is_stream: bool, worker_id: str | None = None) -> str:
        template = self.stream if is_chunk else self.done
        named = template.replace("$RUNPOD_POD_ID", worker_id or self.worker_id)
        return f"{named.replace('$ID', quote(job_id, safe=''))}&isStream={'true' if is_stream else 'false'}"

    @property
    def endpoint(self) -> str:
        """What is the same for all workers of one endpoint."""
        return self.done.partition("?")[0]

    @property
    def has_stream(self) -> bool:
        """The Hub's test harness has no address for chunks."""
        return self.stream.startswith("http")


def judge(status: int | None) -> Verdict:
    """What an HTTP status, or None for no answer, says about a post."""
    if status is None:
        return "again"
    if 200 <= status < 300:
        return "posted"
    return "refused" if status in _REFUSALS else "gone" if status in _UNKNOWN_JOB else "again"


class Post:
    """One job's posts to one address."""

    def __init__(self, session: aiohttp.ClientSession, url: str, job_id: str, deadline_s: float) -> None:
        self._session = session
        self._url = url
        self._headers = {
            "charset": "utf-8",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Request-ID": job_id,
        }
        self._deadline_s = deadline_s
        self.status: int | None = None
        """Of the last answer."""
        self.was_kept = False

    async def until_answered(self, body: bytes, keep: Callable[[bool], bool] | None = None) -> Verdict:
        """Post until the platform has it or refuses it; `keep` stores it after the first failure."""
        failures = gone = bad = 0
        is_kept = False
        while True:
            self.status, retry_after = await self.send(body)
            verdict = judge(self.status)
            gone += verdict == "gone"
            bad += self.status == 400
            is_final = (verdict == "refused" and not (self.status == 400 and bad == 1)) or gone >= _MOST_GONE
            if verdict == "posted" or is_final:
                return verdict
            failures += 1
            wait_s = pause_s(failures, retry_after, longest_s=_LONGEST_PAUSE_S)
            log.warning("the platform did not take the result (%s); again in %.1f s", self._reason(), wait_s)
            if time.monotonic() + wait_s > self._deadline_s:
                log.error("the job's time to live is over: its result is dropped")
                return "gone"
            if keep is not None:
                storing = asyncio.ensure_future(asyncio.to_thread(keep, is_kept))
                try:
                    is_kept = await asyncio.shield(storing)
                except asyncio.CancelledError:
                    is_kept = await storing  # the thread goes on, and what it stores may have to be removed
                    raise
                finally:
                    self.was_kept |= is_kept
            await asyncio.sleep(wait_s)

    async def send(self, body: bytes) -> tuple[int | None, str | None]:
        """The status and the Retry-After of one post; None for the status without an answer."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S + len(body) / _SLOWEST_BYTES_PER_S)
        try:
            async with self._session.post(
                self._url, data=io.BytesIO(body), headers=self._headers, timeout=timeout
            ) as response:
                return response.status, response.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            return None, None

    def _reason(self) -> str:
        return "no answer" if self.status is None else f"HTTP {self.status}"
