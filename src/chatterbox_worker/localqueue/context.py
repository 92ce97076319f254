"""The state that the routes, the supervisor and the ticker of one queue share. Belongs to one event loop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chatterbox_worker.localqueue.condition import Condition
from chatterbox_worker.localqueue.fault import FaultPlan, Route
from chatterbox_worker.localqueue.jobs import JobState, Limits
from chatterbox_worker.localqueue.store import JobStore

_MAX_CALLS = 10_000


class WorkerState(StrEnum):
    INITIALIZING = "initializing"
    READY = "ready"
    UNHEALTHY = "unhealthy"
    """It failed its own fitness check, or ended before its first job-take."""
    RETIRED = "retired"
    """It gets no more jobs and is about to end."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class WorkerCall:
    """One request of a worker, for assertions."""

    route: Route
    worker_id: str
    query: Mapping[str, str]
    at: float
    job_id: str | None = None
    """Of a post."""
    size_bytes: int = 0
    """Of its body."""


class Workers:
    """The workers that the queue knows, and whether they may take jobs."""

    def __init__(self) -> None:
        self.states: dict[str, WorkerState] = {}

    def set(self, worker_id: str, state: WorkerState) -> None:
        self.states[worker_id] = state

    def note_take(self, worker_id: str) -> None:
        """A job-take arrived: a worker that asks for jobs is ready."""
        if self.states.get(worker_id, WorkerState.INITIALIZING) is WorkerState.INITIALIZING:
            self.states[worker_id] = WorkerState.READY

    def is_in(self, worker_id: str, state: WorkerState) -> bool:
        return self.states.get(worker_id) is state

    def may_take(self, worker_id: str) -> bool:
        return self.is_in(worker_id, WorkerState.READY)

    def ids(self, state: WorkerState) -> list[str]:
        return [worker_id for worker_id, its_state in self.states.items() if its_state is state]


@dataclass(slots=True)
class Context:
    store: JobStore
    limits: Limits
    api_key: str
    """What clients must send as a bearer token."""
    worker_key: str | None
    """What workers must send, raw; None to check nothing, as in the Hub's test harness."""
    faults: FaultPlan
    condition: Condition = field(default_factory=Condition)
    workers: Workers = field(default_factory=Workers)
    calls: deque[WorkerCall] = field(default_factory=lambda: deque(maxlen=_MAX_CALLS))
    is_closing: bool = False

    def now(self) -> float:
        return time.monotonic()

    def health(self) -> dict[str, dict[str, int]]:
        """The form of RunPod's /health."""
        ready = self.workers.ids(WorkerState.READY)
        running = sum(bool(self.store.running(worker_id)) for worker_id in ready)
        return {
            "jobs": {
                "completed": self.store.counts["completed"],
                "failed": self.store.counts["failed"],
                "inProgress": self.store.count(JobState.IN_PROGRESS),
                "inQueue": self.store.count(JobState.IN_QUEUE),
                "retried": self.store.counts["retried"],
            },
            "workers": {
                "idle": len(ready) - running,
                "initializing": len(self.workers.ids(WorkerState.INITIALIZING)),
                "ready": len(ready),
                "running": running,
                "throttled": 0,
                "unhealthy": len(self.workers.ids(WorkerState.UNHEALTHY)),
            },
        }
