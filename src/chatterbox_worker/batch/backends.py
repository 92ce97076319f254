"""Who speaks the rows: this machine's engine, or an endpoint of RunPod's queue. Both say of a failure what it is good for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from chatterbox_worker import request as requests
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
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.synthesizer import CancelScope, Synthesizer
from chatterbox_worker.wiring import build

_WORTH_ANOTHER_TRY = ("busy", "not_ready", "synthesis_failed", "device_failed")
"""Codes of what another moment or another worker may do better."""

_LAST_WORD_S = 15.0  # as long as the client waits for an answer


@dataclass(frozen=True, slots=True, eq=False)
class SynthesizedRow:
    audio: bytes
    about: Mapping[str, Any]
    """`format`, `duration_s`, `seed`, `model`: what an answer says (docs/API.md)."""


class Failed(Exception):
    """One row was not spoken."""

    def __init__(
        self, message: str, code: str, *, field: str | None = None, again: bool = False, job: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field
        self.again = again
        """Whether it may be tried again."""
        self.job = job
        """Where something may still come of it: to be looked at, not sent again."""


class Stopped(Exception):
    """No row can be spoken any more; the sentence says why."""


class RowSynthesizer(Protocol):
    async def speak(self, request: dict[str, Any], job: str | None, submitted: Callable[[str], None]) -> SynthesizedRow:
        """`job`: one that an earlier run has submitted. `submitted` is told the id of a new one, before it is waited for.

        Raises:
            Failed, Stopped
        """


class LocalSynthesizer:
    def __init__(self, settings: Settings, synthesizer: Synthesizer, threads: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._synthesizer = synthesizer
        self._threads = threads

    async def speak(self, request: dict[str, Any], job: str | None, submitted: Callable[[str], None]) -> SynthesizedRow:
        del job, submitted  # nothing outlives this process
        call = CancelScope()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._speak, request, call)
        except DeviceFailed as error:
            raise Stopped(error.message) from error
        except WorkerError as error:
            again = isinstance(error, SynthesisFailed)
            raise Failed(error.message, error.code, field=error.field, again=again) from error
        finally:
            call.cancel()

    def _speak(self, request: dict[str, Any], call: CancelScope) -> SynthesizedRow:
        parsed = requests.parse(request, self._settings)
        assert isinstance(parsed, SpeechRequest)  # noqa: S101 - rows have no action
        recording = self._synthesizer.speak(parsed, call)
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

    async def speak(self, request: dict[str, Any], job: str | None, submitted: Callable[[str], None]) -> SynthesizedRow:
        if job is not None and (spoken := await self._resumed(job)) is not None:
            return spoken
        job = await self._submit(request, submitted)
        try:
            return await self._waited(job)
        except ClientError as error:
            raise _failed(error, job) from error

    async def _resumed(self, job: str) -> SynthesizedRow | None:
        """What came of a job; None where nothing will: its result has expired, or somebody has cancelled it."""
        try:
            return await self._waited(job)
        except (NotFound, JobCancelled):
            return None
        except ClientError as error:
            raise _failed(error, job) from error

    async def _submit(self, request: dict[str, Any], submitted: Callable[[str], None]) -> str:
        """A submission that is on its way is waited for even when this is cancelled, so that its job is not forgotten."""
        sending = asyncio.ensure_future(self._client.submit(request))
        try:
            job = (await asyncio.shield(sending)).id
        except asyncio.CancelledError:
            await asyncio.wait([sending], timeout=_LAST_WORD_S)
            if sending.done() and sending.exception() is None:
                submitted(sending.result().id)
            sending.cancel()
            raise
        except (Unauthorized, NotFound) as error:
            raise Stopped(str(error)) from error
        except ClientError as error:
            raise _failed(error, None) from error
        submitted(job)
        return job

    async def _waited(self, job: str) -> SynthesizedRow:
        done: Job = await self._client.poll_until_complete(job)
        return SynthesizedRow(await self._client.audio(done), done.speech.found.about)


@asynccontextmanager
async def endpoint(client: AsyncRunPodServerlessClient) -> AsyncIterator[RowSynthesizer]:
    async with client:
        yield EndpointSynthesizer(client)


_OUTCOMES: tuple[tuple[type[ClientError], str, bool, bool], ...] = (
    (JobTimedOut, "timed_out", False, False),
    (JobCancelled, "cancelled", False, False),
    (StillRunning, "still_running", False, True),
    (Unavailable, "unavailable", True, True),
    (AnswerLost, "answer_lost", False, False),
    (NoAudio, "no_audio", False, False),
    (RequestRefused, "request_refused", False, False),
    (ClientError, "bad_answer", False, True),
)
"""Kind, code, whether another try is worth it, whether something may still come of the job."""


def _failed(error: ClientError, job: str | None) -> Failed:
    message = str(error)
    if isinstance(error, Unauthorized):
        raise Stopped(message) from error
    if type(error) is JobFailed:  # without a code the platform ended it: a worker was lost
        again = error.code is None or error.code in _WORTH_ANOTHER_TRY
        return Failed(message, error.code or "job_failed", field=error.field, again=again)
    code, again, is_open = next(row[1:] for row in _OUTCOMES if isinstance(error, row[0]))
    return Failed(message, code, again=again, job=job if is_open else None)
