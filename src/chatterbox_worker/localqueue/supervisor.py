"""Starts the workers, watches them, ends them and starts new ones.

A worker is a process group: the SDK's heartbeat is a child that outlives a killed parent and keeps pinging, and `sh -c`
adds one more process. A worker is ended with SIGTERM to the group, then SIGKILL to what is left of it. Nothing here
waits: `tick` does what is due. POSIX only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chatterbox_worker.localqueue.context import Workers, WorkerState

_log = logging.getLogger(__name__)

FAILED_STARTS = 3  # in a row, before the supervisor gives up; one is enough if no worker was ever ready
_BACK_OFF_S = 0.5
_MAX_BACK_OFF_S = 10.0
_READER_JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How a worker is started."""

    arguments: Sequence[str]
    cwd: Path
    environment: Callable[[str], Mapping[str, str]]
    """A worker's environment, by its id."""
    log_line: Callable[[str], None]
    """Called with every line that the worker prints, from a separate thread."""


@dataclass(slots=True)
class _Running:
    id: str
    process: subprocess.Popen[str]
    reader: threading.Thread
    kill_at: float | None = field(default=None)
    """Set when it has been asked to end."""


class Supervisor:
    """Keeps `count` workers alive. Every method belongs to one thread."""

    def __init__(self, command: WorkerCommand, workers: Workers, *, count: int, grace_s: float) -> None:
        self._command = command
        self._workers = workers
        self._count = count
        self._grace_s = grace_s
        self._running: list[_Running] = []
        self._started = 0
        self._failed_starts = 0
        self._ever_ready = False
        self._start_at = 0.0

    @property
    def has_given_up(self) -> bool:
        return self._failed_starts >= (FAILED_STARTS if self._ever_ready else 1)

    @property
    def is_idle(self) -> bool:
        return not self._running

    @property
    def pids(self) -> dict[str, int]:
        """The leader of each worker's process group, by worker."""
        return {running.id: running.process.pid for running in self._running}

    def tick(self, now: float) -> list[str]:
        """Start, signal and reap workers; returns those that have ended since the last call."""
        gone = []
        for running in list(self._running):
            if running.process.poll() is not None and not self._may_finish(running, now):
                self._reap(running, now)
                gone.append(running.id)
            elif running.kill_at is not None and now > running.kill_at:
                _signal_group(running.process, signal.SIGKILL)
            elif running.kill_at is None and self._workers.is_in(running.id, WorkerState.RETIRED):
                running.kill_at = now + self._grace_s
                _signal_group(running.process, signal.SIGTERM)
        while len(self._running) < self._count and now >= self._start_at and not self.has_given_up:
            self._start()
        return gone

    def stop(self) -> None:
        """Ask every worker to end and start no more; keep ticking until `is_idle`."""
        self._count = 0
        for running in self._running:
            self._workers.set(running.id, WorkerState.RETIRED)

    def kill(self) -> None:
        """End every worker now."""
        self._count = 0
        for running in list(self._running):
            _signal_group(running.process, signal.SIGKILL)
            running.process.wait()
            self._reap(running, 0.0)

    def _may_finish(self, running: _Running, now: float) -> bool:
        """Whether the leader has ended on request and its group still has time: `sh` ends before its child."""
        if running.kill_at is None or now > running.kill_at:
            return False
        try:
            os.killpg(running.process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _start(self) -> None:
        self._started += 1
        worker_id = f"local-{self._started}"
        process = subprocess.Popen(  # noqa: S603  the user's own handler
            self._command.arguments,
            cwd=self._command.cwd,
            env=dict(self._command.environment(worker_id)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(process,), name=f"log of {worker_id}", daemon=True)
        reader.start()
        self._workers.set(worker_id, WorkerState.INITIALIZING)
        self._running.append(_Running(worker_id, process, reader))

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            for line in process.stdout:
                self._command.log_line(line.rstrip("\n"))

    def _reap(self, running: _Running, now: float) -> None:
        _signal_group(running.process, signal.SIGKILL)  # the heartbeat, and anything else that is left
        running.reader.join(_READER_JOIN_S)
        if running.process.stdout is not None and not running.reader.is_alive():
            running.process.stdout.close()
        self._running.remove(running)
        was_asked = running.kill_at is not None
        was_ready = self._workers.states[running.id] in (WorkerState.READY, WorkerState.RETIRED)
        self._ever_ready |= was_ready
        self._workers.set(running.id, WorkerState.GONE)
        if self._count == 0 or was_asked or was_ready:
            self._failed_starts = 0
        else:
            self._failed_starts += 1
            self._start_at = now + min(_BACK_OFF_S * 2**self._failed_starts, _MAX_BACK_OFF_S)
        if self.has_given_up:
            self._workers.set(running.id, WorkerState.UNHEALTHY)
        if not was_asked:
            _log.warning("worker %s ended by itself with exit code %d", running.id, running.process.returncode)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS reports EPERM for a group of zombies
        os.killpg(process.pid, number)
