"""A job of the queue and its states: values and transitions, no clock and no I/O.

    IN_QUEUE ── take ──> IN_PROGRESS ── done ──> COMPLETED | FAILED
       │  ^                │  │  │
       │  └─── lost once ──┘  │  └── execution timeout ──> TIMED_OUT
       └───────── cancel ─────┴──────────────────────────> CANCELLED

Times are seconds on any monotonic clock, passed in. Limits are those of RunPod's documentation, "Send API
requests" and "Job states"; where it is ambiguous (which megabyte, which default), the stricter reading applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from chatterbox_worker.errors import InvalidRequest, quote

JsonObject = dict[str, Any]

_WEEK_S = 7 * 86400.0


class JobState(StrEnum):
    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_final(self) -> bool:
        return self not in (JobState.IN_QUEUE, JobState.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Limits:
    """The platform's limits; tests use smaller ones."""

    run_bytes: int = 10_000_000
    runsync_bytes: int = 20_000_000
    chunk_bytes: int = 1_000_000
    run_retention_s: float = 1800.0
    runsync_retention_s: float = 60.0
    execution_timeout_s: float = 600.0
    execution_timeout_range_s: tuple[float, float] = (5.0, _WEEK_S)
    ttl_s: float = 86400.0
    ttl_range_s: tuple[float, float] = (10.0, _WEEK_S)
    runsync_wait_s: float = 90.0
    wait_range_s: tuple[float, float] = (1.0, 300.0)
    stream_wait_s: float = 10.0
    gateway_s: float = 100.0
    """An /openai call still open after this is answered 524, as by the platform's edge."""
    poll_s: float = 20.0
    """How long an idle job-take or job-stop is held open."""
    lost_after_s: float = 30.0
    """A job that no ping has named for this long is lost. Our own figure; RunPod documents none."""
    webhook_attempts: int = 3
    webhook_pause_s: float = 10.0


@dataclass(slots=True)
class QueuedJob:
    """One job of the queue. Only `JobStore` changes it."""

    id: str
    body: JsonObject
    """The submission: `input` and all other fields."""
    is_sync: bool
    submitted_at: float
    execution_timeout_s: float
    ttl_s: float
    state: JobState = JobState.IN_QUEUE
    queued_at: float = 0.0
    taken_at: float = 0.0
    seen_at: float = 0.0
    """When the worker last showed that it has the job."""
    finished_at: float = 0.0
    worker_id: str | None = None
    result: JsonObject = field(default_factory=dict)
    """`output` and `error`, each only if there is one."""
    retries: int = 0
    chunks: list[Any] = field(default_factory=list)
    """Streamed, but not yet read by a client."""
    chunk_count: int = 0
    done_posts: int = 0
    """Final results that arrived for it, accepted or not: a correct worker sends exactly one."""
    refused_posts: int = 0
    """Results and chunks answered with 400."""

    def payload(self) -> JsonObject:
        """The job as a worker receives it. An empty input is left out, as on the platform."""
        job = {**self.body, "id": self.id}
        if job.get("input") in ({}, [], "", None):
            job.pop("input", None)
        return job

    def answer(self) -> JsonObject:
        """The job as a client sees it."""
        answer: JsonObject = {"id": self.id, "status": str(self.state)}
        if self.taken_at:
            answer["delayTime"] = _milliseconds(self.taken_at - self.queued_at)
            answer["workerId"] = self.worker_id
        if self.taken_at and self.state.is_final:
            answer["executionTime"] = _milliseconds(self.finished_at - self.taken_at)
        if self.retries:
            answer["retries"] = self.retries
        return answer | self.result

    def removed_at(self, limits: Limits) -> float:
        """When the queue forgets it, unless its state changes before."""
        ends_at = self.submitted_at + self.ttl_s
        if not self.state.is_final:
            return ends_at
        retention_s = limits.runsync_retention_s if self.is_sync else limits.run_retention_s
        return min(ends_at, self.finished_at + retention_s)

    def result_limit_bytes(self, limits: Limits) -> int:
        return limits.runsync_bytes if self.is_sync else limits.run_bytes


def new_job(job_id: str, body: object, *, is_sync: bool, now: float, limits: Limits) -> QueuedJob:
    """The job of a submission.

    Raises:
        InvalidRequest: the body is not an object with an `input`, or its policy is out of the platform's range.
    """
    if not isinstance(body, dict) or "input" not in body:
        raise InvalidRequest('the body must be a JSON object with an "input"', field="input")
    policy = body.get("policy") or {}
    if not isinstance(policy, dict):
        raise InvalidRequest(f"policy must be an object, not {quote(policy)}", field="policy")
    return QueuedJob(
        id=job_id,
        body=dict(body),
        is_sync=is_sync,
        submitted_at=now,
        queued_at=now,
        execution_timeout_s=_seconds(
            policy, "executionTimeout", limits.execution_timeout_s, limits.execution_timeout_range_s
        ),
        ttl_s=_seconds(policy, "ttl", limits.ttl_s, limits.ttl_range_s),
    )


def _seconds(policy: Mapping[str, object], name: str, default_s: float, range_s: tuple[float, float]) -> float:
    value = policy.get(name)
    if value is None:
        return default_s
    low, high = range_s
    if isinstance(value, bool) or not isinstance(value, int | float) or not low * 1000 <= value <= high * 1000:
        raise InvalidRequest(
            f"policy.{name} must be {low * 1000:.0f} to {high * 1000:.0f} milliseconds, not {quote(value)}",
            field=f"policy.{name}",
        )
    return value / 1000


def _milliseconds(duration_s: float) -> int:
    return max(0, round(duration_s * 1000))
