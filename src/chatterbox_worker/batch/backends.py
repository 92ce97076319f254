"""What synthesizes the rows: this machine's engine, or an endpoint of RunPod's queue; `http_server` is a third.

All classify each failure: whether a retry may help, and whether the job may still succeed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from chatterbox_worker import request as requests
from chatterbox_worker.batch.spending import WorkerTime
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.client import (
    AnswerLost,
    AsyncRunPodServerlessClient,
    ClientError,
    Job,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NoAudio,
    NotFound,
    RequestRefused,
    StillRunning,
    Unauthorized,
    Unavailable,
)
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed, WorkerError
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.wiring import build

RETRYABLE_CODES = ("busy", "not_ready", "synthesis_failed", "no_speech", "device_failed")
"""The errors that may not occur again later or on another worker."""

_SUBMISSION_TIMEOUT_S = 15.0  # as long as the client waits for an answer


@dataclass(frozen=True, slots=True, eq=False)
class SynthesizedRow:
    audio: bytes
    about: Mapping[str, Any]
    """`format`, `duration_s`, `seed`, `model`: the facts of an answer (docs/API.md)."""
    work: WorkerTime | None = None


class RowFailed(Exception):
    """One row was not synthesized."""

    def __init__(
        self,
        message: str,
        code: str,
        *,
        field: str | None = None,
        can_retry: bool = False,
        job: str | None = None,
        work: WorkerTime | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.can_retry = can_retry
        """Whether another attempt may succeed."""
        self.job = job
        """The job if it may still succeed: it is polled and not sent again."""
        self.work = work
        """What the failed job took."""


class Stopped(Exception):
    """No further row can be synthesized; the message says why."""


class RowSynthesizer(Protocol):
    async def synthesize(
        self, request: dict[str, Any], job: str | None, on_submitted: Callable[[str], None]
    ) -> SynthesizedRow:
        """`job` is one that an earlier run submitted; `on_submitted` is called with the id of a new one at once.

        Raises:
            RowFailed, Stopped
        """


class LocalSynthesizer:
    def __init__(self, settings: Settings, synthesizer: Synthesizer, threads: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._synthesizer = synthesizer
        self._threads = threads

    async def synthesize(
        self, request: dict[str, Any], job: str | None, on_submitted: Callable[[str], None]
    ) -> SynthesizedRow:
        del job, on_submitted  # no job outlives this process
        scope = CancelScope()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._synthesize, request, scope)
        except DeviceFailed as error:
            raise Stopped(error.message) from error
        except WorkerError as error:
            can_retry = isinstance(error, SynthesisFailed)
            raise RowFailed(error.message, error.code, field=error.field, can_retry=can_retry) from error
        finally:
            scope.cancel()

    def _synthesize(self, request: dict[str, Any], scope: CancelScope) -> SynthesizedRow:
        recording = self._synthesizer.speak(requests.parse_speech(request, self._settings), scope)
        return SynthesizedRow(recording.audio, recording.info.as_json())


@asynccontextmanager
async def local(settings: Settings, in_flight: int) -> AsyncIterator[RowSynthesizer]:
    """Raises Stopped: the engine cannot start."""
    try:
        synthesizer = await asyncio.to_thread(build, settings)
    except WorkerError as error:
        raise Stopped(error.message) from error
    threads = ThreadPoolExecutor(in_flight, thread_name_prefix="row")
    try:
        yield LocalSynthesizer(settings, synthesizer, threads)
    finally:
        threads.shutdown(cancel_futures=True)
        synthesizer.close()


class EndpointSynthesizer:
    def __init__(self, client: AsyncRunPodServerlessClient) -> None:
        self._client = client

    async def synthesize(
        self, request: dict[str, Any], job: str | None, on_submitted: Callable[[str], None]
    ) -> SynthesizedRow:
        if job is not None and (result := await self._resume(job)) is not None:
            return result
        job = await self._submit(request, on_submitted)
        try:
            return await self._wait(job)
        except ClientError as error:
            raise _to_failure(error, job) from error

    async def _resume(self, job: str) -> SynthesizedRow | None:
        """The result of a job; None if its result has expired or it was cancelled."""
        try:
            return await self._wait(job)
        except (NotFound, JobCancelled):
            return None
        except ClientError as error:
            raise _to_failure(error, job) from error

    async def _submit(self, request: dict[str, Any], on_submitted: Callable[[str], None]) -> str:
        """Submit a job. If this is cancelled, it still waits for a submission in progress, to record its job."""
        sending = asyncio.ensure_future(self._client.submit(request))
        try:
            job = (await asyncio.shield(sending)).id
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_SUBMISSION_TIMEOUT_S)
            if sending.done() and sending.exception() is None:
                on_submitted(sending.result().id)
            sending.cancel()
            raise
        except (Unauthorized, NotFound) as error:
            raise Stopped(str(error)) from error
        except ClientError as error:
            raise _to_failure(error, None) from error
        on_submitted(job)
        return job

    async def _wait(self, job: str) -> SynthesizedRow:
        done: Job = await self._client.poll_until_complete(job)
        return SynthesizedRow(await self._client.audio(done), done.speech.found.about, _worker_time(done))


def _worker_time(job: Job) -> WorkerTime | None:
    milliseconds = job.get("executionTime")
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return WorkerTime(str(job.get("workerId")), milliseconds / 1000, time.monotonic())


@asynccontextmanager
async def endpoint(client: AsyncRunPodServerlessClient) -> AsyncIterator[RowSynthesizer]:
    async with client:
        yield EndpointSynthesizer(client)


_OUTCOMES: tuple[tuple[type[ClientError], str, bool, bool], ...] = (
    (JobTimedOut, "timed_out", False, False),
    (JobCancelled, "cancelled", False, False),
    (StillRunning, "still_running", False, True),
    (Unavailable, "unavailable", True, True),
    (AnswerLost, "answer_lost", False, True),  # a submission's has no job; a piece of a file is asked for again
    (NoAudio, "no_audio", False, False),
    (RequestRefused, "request_refused", False, False),
    (ClientError, "bad_answer", False, True),
)
"""Class, code, whether a retry may help, whether the job may still succeed."""


def _to_failure(error: ClientError, job: str | None) -> RowFailed:
    """The failure for a client's error; raises Stopped if the API key is wrong."""
    message = str(error)
    work = _worker_time(error.job) if isinstance(error, JobFailed) else None
    if isinstance(error, Unauthorized):
        raise Stopped(message) from error
    if type(error) is JobFailed:  # without a code the platform ended it: a worker was lost
        can_retry = error.code is None or error.code in RETRYABLE_CODES
        return RowFailed(message, error.code or "job_failed", field=error.field, can_retry=can_retry, work=work)
    code, can_retry, is_open = next(outcome[1:] for outcome in _OUTCOMES if isinstance(error, outcome[0]))
    return RowFailed(message, code, can_retry=can_retry, job=job if is_open else None, work=work)
