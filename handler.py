"""The RunPod edge: what a job may hold, and what goes back.

`job["input"]` is one of
1. our own fields: `{"text": "Hello.", "model": "turbo", "voice": "alice", "format": "mp3", ...}` (docs/API.md);
2. the shape of RunPod's public Chatterbox endpoint: `{"prompt": "Hello.", "voice_url": "https://..."}`;
   the answer then carries `audio_url`, a data URI, in place of `audio_base64`;
3. what RunPod makes of its `/openai/v1/*` routes: `{"openai_route": "/v1/audio/speech", "openai_input": {...}}`;
4. many texts: `{"texts": [{"id": "a", "text": "Hello."}, ...], "format": "mp3", ...}`, each failing alone (many/);
5. an action: `{"action": "info"}`, `voices.list`, `voices.save`, `voices.export`, `voices.delete`.
Beside the input a job may carry `s3Config`, a bucket of its own for a large answer.

What goes back is JSON that fits RunPod's limit, or `{"error": "<sentence>", "code": "...", "field": "..."}`, which makes
the job FAILED. With CHATTERBOX_STREAM=1 the handler is a generator instead (delivery/streaming.py); the SDK then keeps
nothing of an error but the sentence. A start-up failure does not end the worker: every job is answered with the reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from chatterbox_worker import request as requests
from chatterbox_worker.config import Settings, ensure_variable, environment
from chatterbox_worker.errors import Cancelled, DeviceFailed, InvalidRequest, NotReady, WorkerError, choices, quote
from chatterbox_worker.request import Request, SpeechRequest
from chatterbox_worker.serverless import joblog
from chatterbox_worker.serverless import texts as many
from chatterbox_worker.serverless.actions import act
from chatterbox_worker.serverless.delivery import Delivery, Unlogged, UnloggedText
from chatterbox_worker.serverless.delivery.streaming import streamed
from chatterbox_worker.serverless.fitness import prove_speech
from chatterbox_worker.serverless.information import JobCounts
from chatterbox_worker.serverless.progress import Progress
from chatterbox_worker.serverless.shutdown import Shutdown
from chatterbox_worker.serverless.stops import Stops
from chatterbox_worker.synthesizer import CancelScope, Synthesizer
from chatterbox_worker.wiring import build

log = logging.getLogger("handler")
Job = Mapping[str, Any]
_P = ParamSpec("_P")
_T = TypeVar("_T")

_OPENAI_ROUTES: Mapping[str, Callable[[object], dict[str, Any]]] = {
    "/v1/audio/speech": requests.openai_speech,
    "/v1/models": lambda _: {"action": "info"},
}


def parse(job_input: object, settings: Settings) -> Request | many.Texts:
    """The request in a job's `input`. Pure; raises InvalidRequest."""
    if isinstance(job_input, dict) and "openai_route" in job_input:
        if unknown := set(job_input) - {"openai_route", "openai_input"}:
            raise InvalidRequest(f"unknown field {quote(min(unknown))} beside openai_route", field=min(unknown))
        route = job_input["openai_route"]
        if not isinstance(route, str) or route not in _OPENAI_ROUTES:
            raise InvalidRequest(
                f"openai_route must be {choices(_OPENAI_ROUTES)}, not {quote(route)}", field="openai_route"
            )
        job_input = _OPENAI_ROUTES[route](job_input.get("openai_input"))
    elif isinstance(job_input, dict) and many.asks_for_many(job_input):
        return many.parse(job_input, settings)
    return requests.parse(job_input, settings)


class Worker:
    """Answers jobs, each on a thread of its own, so that the SDK's event loop stays free."""

    def __init__(self, settings: Settings, synthesizer: Synthesizer) -> None:
        """
        Raises:
            InvalidRequest: the settings of the bucket are incomplete.
        """
        self._settings = settings
        self.synthesizer = synthesizer
        self._delivery = Delivery(settings)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="job")
        self._tally = JobCounts()
        self._tasks: set[asyncio.Task[Any]] = set()

        self.tell_progress: Callable[[Job, Any], None] | None = None
        """How the platform hears of a job's progress."""
        self.was_stopped: Callable[[str], bool] = lambda _: False
        """Whether the platform has just stopped a job of this id."""
        self.device_failed: Callable[[], None] = lambda: None
        """Called when this process cannot speak any more."""

    async def __call__(self, job: Job) -> dict[str, Any]:
        """The answer to one job; never raises but to be cancelled."""
        call = self._begin(job)
        try:
            answer = await self._on_thread(self._answer, job, call)
        except Exception as error:  # noqa: BLE001  # the edge's one: _failure tells bugs from refusals
            return self._failure(error)
        self._tally.jobs_done += 1
        if "refresh_worker" in answer:  # of many texts, those that were spoken before the device failed go back
            self.device_failed()
        return answer

    async def stream(self, job: Job) -> AsyncIterator[dict[str, Any]]:
        """The same, piece by piece."""
        call = self._begin(job)
        try:
            pieces = await self._on_thread(self._pieces, job, call)
            while (piece := await self._on_thread(next, pieces, None)) is not None:
                if piece.pop("refresh_worker", False):
                    self.device_failed()
                yield piece
        except Exception as error:  # noqa: BLE001  # likewise
            yield self._failure(error)
            return
        self._tally.jobs_done += 1

    def give_up(self) -> None:
        """Cancel the jobs that are being spoken: nothing is posted for them, and the platform gives them to others."""
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        self.synthesizer.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job: Job) -> CancelScope:
        """A call that is given up when the SDK's task for this job ends, however it ends.

        Raises:
            CancelledError: the job was stopped before it began.
        """
        job_id = str(job.get("id"))
        joblog.enter(job_id)
        if self.was_stopped(job_id):
            raise asyncio.CancelledError
        call = CancelScope(None if self.tell_progress is None else Progress(partial(self.tell_progress, job)))
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # coroutines run in tasks
        self._tasks.add(task)
        # Not a `finally`: a task that is cancelled while it posts a chunk leaves its generator to the garbage collector.
        task.add_done_callback(partial(self._end, job_id, call))
        return call

    def _end(self, job_id: str, call: CancelScope, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        call.cancel()  # the thread cannot be interrupted, but its takes can
        self.was_stopped(job_id)  # told once, and now: should the job be retried, it shall begin

    async def _on_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        there = partial(copy_context().run, work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, there)

    def _answer(self, job: Job, call: CancelScope) -> dict[str, Any]:
        request = parse(job.get("input"), self._settings)
        if not isinstance(request, SpeechRequest | tuple):
            return Unlogged(act(request, self._settings, self.synthesizer, self._tally))
        route = self._delivery.route(job)
        if isinstance(request, tuple):
            return Unlogged(many.answer(request, self.synthesizer, self._delivery, route, call))
        self._delivery.check(request, route)
        recording = self.synthesizer.speak(request, call)
        return Unlogged(self._delivery.deliver(recording, request, route))

    def _pieces(self, job: Job, call: CancelScope) -> Iterator[dict[str, Any]]:
        request = parse(job.get("input"), self._settings)
        if isinstance(request, tuple):
            return many.streamed(request, self.synthesizer, self._delivery, self._delivery.route(job), call)
        if not isinstance(request, SpeechRequest) or request.output in ("s3", "volume"):
            return iter([self._answer(job, call)])  # there is nothing to be streamed
        return streamed(self.synthesizer, self._delivery, request, self._delivery.route(job), call)

    def _failure(self, error: Exception) -> dict[str, Any]:
        """What the caller hears; a bug's insides go to the log."""
        self._tally.jobs_failed += 1
        if not isinstance(error, WorkerError):
            log.error("a bug", exc_info=error)
            error = WorkerError("internal error; the worker's log has the details")
        elif not isinstance(error, Cancelled):
            log.info("refused: %s", error.code)  # the field may be the caller's own word
        answer = Unlogged(error.answer(), error=UnloggedText(error.message))
        if isinstance(error, DeviceFailed):
            self.device_failed()
            answer["refresh_worker"] = True
        return answer


class Unready:
    """Stands in for a worker that could not start: every job hears why."""

    def __init__(self, reason: WorkerError) -> None:
        self._answer = NotReady(f"this worker could not start: {reason.message}", field=reason.field).answer()

    async def __call__(self, _job: Job) -> dict[str, Any]:
        return dict(self._answer)

    async def stream(self, _job: Job) -> AsyncIterator[dict[str, Any]]:
        yield dict(self._answer)

    def give_up(self) -> None:
        """Nothing runs."""

    close = give_up


def start(env: Mapping[str, str]) -> tuple[Worker | Unready, Settings]:
    """The process's one worker, its models loaded; or a stand-in that knows why there is none."""
    settings = Settings()
    try:
        settings = Settings.from_env(env)
        return Worker(settings, build(settings)), settings
    except WorkerError as error:
        log.error("start-up failed: %s", error.message)  # noqa: TRY400  # the sentence is the whole story
        return Unready(error), settings
    except Exception as error:  # likewise the edge's: an engine that cannot load must say so to every job
        log.exception("start-up failed")
        return Unready(NotReady(f"{type(error).__name__} while loading; the worker's log has the details")), settings


def serve(worker: Worker | Unready, settings: Settings) -> None:
    """Answer the jobs of RunPod's queue until it ends us."""
    ensure_variable("RUNPOD_LOG_LEVEL", "INFO")  # the SDK's own default shows answers, and "" ends it

    import runpod  # noqa: PLC0415  # 2 s and a child process at import: after the models, never in a test of parse()
    from runpod.serverless.modules import rp_scale  # noqa: PLC0415

    stops = Stops()
    shutdown = Shutdown(settings.concurrency, worker.give_up)
    rp_scale.get_job = shutdown.ending(rp_scale.get_job)
    rp_scale.get_stop_signals = shutdown.ending(stops.noting(rp_scale.get_stop_signals))
    config: dict[str, Any] = {
        "handler": worker.stream if settings.stream else worker.__call__,  # the SDK asks the function what it is
        "return_aggregate_stream": True,
        "concurrency_modifier": shutdown.concurrency,
    }
    if isinstance(worker, Worker):

        @runpod.serverless.register_fitness_check  # type: ignore[untyped-decorator]
        def every_model_speaks(synthesizer: Synthesizer = worker.synthesizer) -> None:
            prove_speech(synthesizer)

        def device_failed() -> None:
            config["refresh_worker"] = settings.stream  # which a generator cannot ask for in its answer
            shutdown.begin()  # and not one job more, whenever the platform comes to end us

        worker.device_failed, worker.was_stopped = device_failed, stops.include
        worker.tell_progress = None if settings.stream else runpod.serverless.progress_update
    runpod.serverless.start(config)
    worker.close()


def main() -> None:
    """Load, then serve."""
    env = environment()
    joblog.configure(as_json=bool(env.get("RUNPOD_ENDPOINT_ID")))
    serve(*start(env))  # a module-level import of the model would load it twice on forkserver


if __name__ == "__main__":
    main()
