"""`LocalQueue`: a RunPod endpoint on localhost, with the real worker loop behind it.

It runs in a thread of its own, so it serves tests, scripts and the command line alike. One queue is one endpoint,
called "local". Left out on purpose: rate limits, scaling, FlashBoot, several endpoints, storage across runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from chatterbox_worker import config
from chatterbox_worker.localqueue.app import ENDPOINT_ID, build_app
from chatterbox_worker.localqueue.context import Context, WorkerCall, WorkerState
from chatterbox_worker.localqueue.environment import worker_environment
from chatterbox_worker.localqueue.fault import FaultPlan
from chatterbox_worker.localqueue.jobs import JsonObject, Limits, QueuedJob
from chatterbox_worker.localqueue.store import JobStore
from chatterbox_worker.localqueue.supervisor import Supervisor, WorkerCommand
from chatterbox_worker.localqueue.webhook import Webhooks

_log = logging.getLogger(__name__)

_TICK_S = 0.05
_MAX_LOG_LINES = 5000
_LOG_LINES_SHOWN = 30
_START_TIMEOUT_S = 420.0  # RunPod calls a worker unhealthy after seven minutes of start-up
_T = TypeVar("_T")


class WorkerStartError(RuntimeError):
    """No worker became ready."""

    def __init__(self, printed: str) -> None:
        super().__init__(f"the worker did not start; it printed:\n{printed}")


class LocalQueue:
    """A context manager: entering starts the queue and its workers, leaving ends them all.

    Args:
        command: starts one worker; run in `cwd`.
        env: variables for the worker, over this process's own and RunPod's.
        workers: how many to keep alive; 0 for a test that plays the worker itself.
        hub: the conditions of the Hub's test harness: `sh -c`, no stream, no pings, no worker key.
        grace_s: between SIGTERM and SIGKILL. RunPod's own figure is not known.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = (sys.executable, "handler.py"),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        workers: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = "local",
        hub: bool = False,
        limits: Limits | None = None,
        start_timeout_s: float = _START_TIMEOUT_S,
        grace_s: float = 5.0,
        log_line: Callable[[str], None] | None = None,
    ) -> None:
        limits = limits or Limits()
        self.faults = FaultPlan()
        self.log_lines: deque[str] = deque(maxlen=_MAX_LOG_LINES)
        """What the workers printed."""
        self._context = Context(
            store=JobStore(limits, lambda: str(uuid.uuid4()), pings_expected=not hub),
            limits=limits,
            api_key=api_key,
            worker_key=None if hub else secrets.token_hex(16),
            faults=self.faults,
        )
        self._env = dict(env or {})
        self._host, self._port = host, port
        self._start_timeout_s = start_timeout_s
        self._workers_wanted = workers
        self._sink = log_line or _log.info
        # The harness joins the image's command by spaces and gives it to a shell.
        arguments = ["sh", "-c", " ".join(command)] if hub else list(command)
        self._supervisor = Supervisor(
            WorkerCommand(arguments, cwd or Path.cwd(), self._environment, self._store_line),
            self._context.workers,
            count=workers,
            grace_s=grace_s,
        )
        self._home: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop = asyncio.Event()

    # For callers

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT/v2, the value for RUNPOD_ENDPOINT_BASE_URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v2"

    @property
    def endpoint_url(self) -> str:
        return f"{self.url}/{ENDPOINT_ID}"

    @property
    def api_key(self) -> str:
        return self._context.api_key

    @property
    def worker_key(self) -> str | None:
        return self._context.worker_key

    @property
    def jobs(self) -> Mapping[str, QueuedJob]:
        """The current jobs, for reading."""
        return MappingProxyType(self._context.store.jobs)

    @property
    def calls(self) -> list[WorkerCall]:
        """The requests of the workers, oldest first."""
        return list(self._context.calls)

    @property
    def worker_states(self) -> dict[str, WorkerState]:
        return dict(self._context.workers.states)

    @property
    def pids(self) -> dict[str, int]:
        """The leader of each running worker's process group."""
        return self._supervisor.pids

    def submit(self, job_input: object, *, sync: bool = False, **fields: object) -> str:
        """Queue a job with these fields in addition to its input (webhook, policy); returns its id."""

        async def submit() -> str:
            job = self._context.store.submit({"input": job_input, **fields}, is_sync=sync, now=self._context.now())
            self._context.condition.notify()
            return job.id

        return self._run_on_loop(submit())

    def wait(self, job_id: str, timeout_s: float = 60.0) -> JsonObject:
        """The job's answer once it is final. Raises JobNotFoundError, TimeoutError."""

        async def wait() -> JsonObject:
            job = self._context.store.get(job_id)
            if not await self._context.condition.until(lambda: job.state.is_final, timeout_s):
                raise TimeoutError(f"{job_id} is still {job.state} after {timeout_s} s\n{self._log_tail()}")
            return job.answer()

        return self._run_on_loop(wait())

    def run(self, job_input: object, *, sync: bool = False, timeout_s: float = 60.0, **fields: object) -> JsonObject:
        """Submit and wait."""
        return self.wait(self.submit(job_input, sync=sync, **fields), timeout_s)

    def health(self) -> dict[str, dict[str, int]]:
        return self._context.health()

    def _wait_until_ready(self) -> None:
        """Until some worker has asked for jobs. Raises WorkerStartError."""
        deadline = time.monotonic() + self._start_timeout_s
        while not self._context.workers.ids(WorkerState.READY):
            if self._supervisor.has_given_up or time.monotonic() > deadline:
                raise WorkerStartError(self._log_tail())
            time.sleep(_TICK_S)

    # Start and end

    def __enter__(self) -> Self:
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="local queue", daemon=True)
        self._thread.start()
        try:
            self._port = started.result()
            if self._workers_wanted:
                self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers and the server. Safe to call twice."""
        if self._thread is None or self._loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has already ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def _run(self, started: Future[int]) -> None:
        with tempfile.TemporaryDirectory(prefix="local-queue-", ignore_cleanup_errors=True) as home:
            self._home = Path(home)
            asyncio.run(self._main(started))

    async def _main(self, started: Future[int]) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(
            build_app(self._context),
            handler_cancellation=True,  # a worker that disconnected must not get a job
            shutdown_timeout=1.0,
            access_log=None,
        )
        webhooks = Webhooks(self._context.limits)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
        except OSError as error:
            await runner.cleanup()
            started.set_exception(error)
            return
        self._port = runner.addresses[0][1]
        self.faults.on_change = partial(self._loop.call_soon_threadsafe, self._context.condition.notify)
        try:
            self._supervisor.tick(self._context.now())
            started.set_result(self._port)
            while not self._stop.is_set():
                self._tick(webhooks)
                await asyncio.sleep(_TICK_S)
            self._supervisor.stop()
            self._context.condition.notify()
            while not self._supervisor.is_idle:
                self._tick(webhooks)
                await asyncio.sleep(_TICK_S)
        except OSError as error:  # the command cannot be run at all
            if started.done():
                raise
            started.set_exception(error)
        finally:
            self._supervisor.kill()
            self._context.is_closing = True
            self._context.condition.notify()
            await webhooks.close()
            await runner.cleanup()

    def _tick(self, webhooks: Webhooks) -> None:
        context, now = self._context, self._context.now()
        gone = self._supervisor.tick(now)
        for worker_id in gone:
            context.store.lose_jobs(worker_id, now)
        changed = context.store.tick(now)
        for job in context.store.drain_finished():
            webhooks.send(job)
        if gone or changed:
            context.condition.notify()

    def _run_on_loop(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        if self._loop is None or not self._loop.is_running():
            coroutine.close()
            raise RuntimeError("the queue is not running")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _environment(self, worker_id: str) -> Mapping[str, str]:
        if self._home is None:
            raise RuntimeError("the queue is not running")
        home = self._home / worker_id
        home.mkdir(exist_ok=True)
        return worker_environment(
            config.environment(),
            self._env,
            queue_url=self.endpoint_url,
            worker_id=worker_id,
            worker_key=self._context.worker_key,
            home=home,
        )

    def _store_line(self, line: str) -> None:
        self.log_lines.append(line)
        self._sink(line)

    def _log_tail(self) -> str:
        return "\n".join(list(self.log_lines)[-_LOG_LINES_SHOWN:])
