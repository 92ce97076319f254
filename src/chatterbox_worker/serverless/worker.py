"""Answers jobs: parse the input, speak or act, deliver the answer. Knows the platform only through `Platform`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Cancelled, DeviceFailed, NotReady, WorkerError, for_caller
from chatterbox_worker.memory import MemoryRelease
from chatterbox_worker.request import Action
from chatterbox_worker.serverless import job as jobs
from chatterbox_worker.serverless import joblog, texts
from chatterbox_worker.serverless.actions import act
from chatterbox_worker.serverless.delivery import Delivery, Failure, Unlogged, UnloggedText
from chatterbox_worker.serverless.delivery.streaming import CHUNK_BYTES, stream
from chatterbox_worker.serverless.information import JobCounts
from chatterbox_worker.serverless.job import SpeechJob
from chatterbox_worker.serverless.progress import Progress
from chatterbox_worker.serverless.texts import TextsJob
from chatterbox_worker.synthesis.synthesizer import Synthesizer

log = logging.getLogger(__name__)

Job = Mapping[str, Any]
"""A job as the SDK passes it: `id`, `input` and RunPod's own keys."""
_QUIET_S = 1.0  # after the last job has ended: an answer of 20 MB is sent in less
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Platform(Protocol):
    """What the worker needs of the platform, apart from jobs."""

    def report_progress(self, job: Job, update: dict[str, Any]) -> None: ...

    @property
    def takes_progress(self) -> bool:
        """Whether `report_progress` can be used."""

    def was_stopped(self, job_id: str) -> bool:
        """Whether the platform has just stopped the job; true once for each stop."""

    def device_failed(self) -> None:
        """Called when this process cannot speak any more."""


class NoPlatform:
    """For a worker that is called directly, without a queue."""

    takes_progress = False

    def report_progress(self, job: Job, update: dict[str, Any]) -> None:
        """There is no one to report to."""

    def was_stopped(self, job_id: str) -> bool:
        del job_id
        return False

    def device_failed(self) -> None:
        """There is no platform to replace the worker."""


class RunningJobs:
    """The tasks of the jobs that are being answered. Belongs to the SDK's event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def count(self) -> int:
        return len(self._tasks)

    def cancel_all(self) -> None:
        """Nothing is posted for a cancelled job, and the platform gives it to another worker."""
        for task in self._tasks:
            task.cancel()


def parse(job_input: object, settings: Settings) -> SpeechJob | TextsJob | Action:
    """The request in a job's `input`. Pure; raises InvalidRequest."""
    if isinstance(job_input, dict) and "openai_route" in job_input:
        job_input = jobs.openai_fields(job_input)
    elif isinstance(job_input, dict) and texts.has_texts(job_input):
        return texts.parse(job_input, settings)
    return jobs.parse(job_input, settings)


class Worker:
    """Answers each job on a thread of its own, so that the SDK's event loop stays free."""

    def __init__(
        self,
        settings: Settings,
        synthesizer: Synthesizer,
        platform: Platform | None = None,
        running: RunningJobs | None = None,
    ) -> None:
        """
        Raises:
            InvalidRequest: the settings of the bucket are incomplete.
        """
        self.settings = settings
        self.synthesizer = synthesizer
        self._platform = platform or NoPlatform()
        self._running = RunningJobs() if running is None else running
        self._delivery = Delivery(settings)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="job")
        self._counts = JobCounts()
        self._release_memory = MemoryRelease()
        self._quiet: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def __call__(self, job: Job) -> dict[str, Any]:
        """The answer to one job; raises nothing but CancelledError."""
        scope = self._begin(job)
        try:
            answer = await self._on_thread(self._answer, job, scope)
        except Exception as error:  # noqa: BLE001  # `_failure` separates bugs from refusals
            return self._failure(error)
        self._counts.jobs_done += 1
        if "refresh_worker" in answer:  # of several texts, those spoken before the device failed go back
            self._platform.device_failed()
        return answer

    async def stream(self, job: Job) -> AsyncIterator[dict[str, Any]]:
        """The same in pieces."""
        scope = self._begin(job)
        try:
            pieces = await self._on_thread(self._pieces, job, scope)
            while (piece := await self._on_thread(next, pieces, None)) is not None:
                if piece.pop("refresh_worker", False):
                    self._platform.device_failed()
                yield piece
        except Exception as error:  # noqa: BLE001  # the same
            failure = self._failure(error)
            yield Failure({name: failure[name] for name in failure if name not in ("error", "refresh_worker")})
            yield failure
            return
        self._counts.jobs_done += 1

    def close(self) -> None:
        self._is_closed = True
        self.synthesizer.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job: Job) -> CancelScope:
        """A scope that is cancelled when the SDK's task for this job ends, however it ends.

        Raises:
            CancelledError: the job was stopped before it began.
        """
        job_id = str(job.get("id"))
        joblog.enter(job_id)
        if self._platform.was_stopped(job_id):
            raise asyncio.CancelledError
        report = Progress(partial(self._platform.report_progress, job)) if self._platform.takes_progress else None
        scope = CancelScope(report)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # coroutines run in tasks
        self._running.add(task)
        # Not a `finally`: a task cancelled while it posts a chunk leaves its generator to the garbage collector.
        task.add_done_callback(partial(self._end, job_id, scope))
        return scope

    def _end(self, job_id: str, scope: CancelScope, _task: asyncio.Task[Any]) -> None:
        scope.cancel()  # the thread cannot be interrupted, but its takes can
        self._platform.was_stopped(job_id)  # use up a stop that came late, so that a retry of the job can begin
        if not self._is_closed:
            self._threads.submit(self._release_memory)
            self._watch_quiet()

    def _watch_quiet(self) -> None:
        """Release memory once more when nothing has ended for a second: the last answer has been sent by then."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(_QUIET_S, self._release_in_quiet)

    def _release_in_quiet(self) -> None:
        if not self._is_closed and not self._running.count:
            self._threads.submit(partial(self._release_memory, is_quiet=True))

    async def _on_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        in_context = partial(copy_context().run, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, in_context)

    def _answer(self, job: Job, scope: CancelScope) -> dict[str, Any]:
        request = parse(job.get("input"), self.settings)
        if isinstance(request, SpeechJob):
            route = self._delivery.route(job)
            self._delivery.check(request, route)
            return self._delivery.answer(self.synthesizer.speak(request.request, scope), request, route)
        if isinstance(request, TextsJob):
            route = self._delivery.route(job)
            return texts.answer(request, self.synthesizer, self._delivery, route, scope)
        most_bytes = CHUNK_BYTES if self.settings.stream else self._delivery.limit_bytes(job)
        volume = self._delivery.volume
        return Unlogged(act(request, self.settings, self.synthesizer, self._counts, volume, most_bytes=most_bytes))

    def _pieces(self, job: Job, scope: CancelScope) -> Iterator[dict[str, Any]]:
        request = parse(job.get("input"), self.settings)
        if isinstance(request, TextsJob):
            return texts.stream(request, self.synthesizer, self._delivery, self._delivery.route(job), scope)
        if isinstance(request, SpeechJob) and request.output not in ("s3", "volume"):
            return stream(self.synthesizer, self._delivery, request, self._delivery.route(job), scope)
        return iter([self._answer(job, scope)])  # there is nothing to stream

    def _failure(self, error: Exception) -> dict[str, Any]:
        """The answer to a job that failed."""
        self._counts.jobs_failed += 1
        refusal = for_caller(error, log)
        if refusal is error and not isinstance(refusal, Cancelled):
            log.info("refused: %s", refusal.code)  # not the field, which may be the caller's own word
        answer = _answer_to_failure(refusal)
        if isinstance(refusal, DeviceFailed):
            self._platform.device_failed()
            answer["refresh_worker"] = True
        return answer


def _answer_to_failure(error: WorkerError) -> Unlogged:
    """The SDK moves `error` out of it, next to the job's output."""
    return Unlogged(Failure.of(error), error=UnloggedText(error.message))


class Unready:
    """Stands in for a worker that could not start: every job is answered with the reason."""

    def __init__(self, reason: WorkerError) -> None:
        self.reason = reason
        self._error = NotReady(f"this worker could not start: {reason.message}", field=reason.field)

    async def __call__(self, _job: Job) -> dict[str, Any]:
        return _answer_to_failure(self._error)

    async def stream(self, _job: Job) -> AsyncIterator[dict[str, Any]]:
        yield Failure.of(self._error)
        yield _answer_to_failure(self._error)

    def close(self) -> None:
        """It holds nothing."""
