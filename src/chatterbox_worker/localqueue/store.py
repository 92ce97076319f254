"""All jobs of one queue: which wait, run, are lost or are removed. No clock, no I/O, one thread."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.localqueue.jobs import JobState, JsonObject, Limits, QueuedJob, new_job

_MOST_STALE = 1000  # entries of `_removals`
LOST = "job timed out after 1 retries"  # the platform's own message
EXECUTION_TIMED_OUT = "job exceeded its execution timeout"


class JobNotFoundError(LookupError):
    """Never submitted, or already removed."""


class JobStore:
    """Every method takes the time as `now`; `tick` must be called regularly."""

    def __init__(self, limits: Limits, new_id: Callable[[], str], *, pings_expected: bool) -> None:
        self.limits = limits
        self.jobs: dict[str, QueuedJob] = {}
        self.counts: Counter[str] = Counter()
        """How often a job was "completed", "failed" or "retried"."""
        self._new_id = new_id
        self._pings_expected = pings_expected
        self._queue: deque[QueuedJob] = deque()
        self._running: dict[str, QueuedJob] = {}
        self._removals: list[tuple[float, str]] = []
        """A heap of when a job is to be removed, and its id; entries from before a change of state are stale."""
        self._stops: dict[str, list[str]] = {}
        self._finished: list[QueuedJob] = []

    def get(self, job_id: str) -> QueuedJob:
        """Raises JobNotFoundError."""
        try:
            return self.jobs[job_id]
        except KeyError:
            raise JobNotFoundError(job_id) from None

    def count(self, state: JobState) -> int:
        return sum(job.state is state for job in self.jobs.values())

    def running(self, worker_id: str) -> list[QueuedJob]:
        return [job for job in self._running.values() if job.worker_id == worker_id]

    # Called for clients

    def submit(self, body: object, *, is_sync: bool, now: float) -> QueuedJob:
        """Raises InvalidRequest."""
        # The suffix and the prefix are those of RunPod's own ids.
        job_id = f"sync-{self._new_id()}-u1" if is_sync else f"{self._new_id()}-u1"
        job = new_job(job_id, body, is_sync=is_sync, now=now, limits=self.limits)
        self.jobs[job.id] = job
        self._queue.append(job)
        self._schedule_removal(job)
        return job

    def read_chunks(self, job: QueuedJob) -> list[Any]:
        """Chunks that no client has read; each is read once."""
        chunks, job.chunks = job.chunks, []
        return chunks

    def cancel(self, job_id: str, now: float) -> QueuedJob:
        """A finished job stays as it is. Raises JobNotFoundError."""
        job = self.get(job_id)
        if not job.state.is_final:
            self._stop(job)
            self._finish(job, JobState.CANCELLED, {}, now)
        return job

    def retry(self, job_id: str, now: float) -> QueuedJob:
        """Queue a FAILED or TIMED_OUT job again, without its old output. Raises JobNotFoundError, InvalidRequest."""
        job = self.get(job_id)
        if job.state not in (JobState.FAILED, JobState.TIMED_OUT):
            raise InvalidRequest(f"only a FAILED or TIMED_OUT job can be retried; this one is {job.state}")
        job.retries = 0
        self._queue_again(job, now)
        return job

    def purge(self, now: float) -> int:
        """Cancel all waiting jobs; returns how many."""
        waiting = [job for job in self._queue if job.state is JobState.IN_QUEUE]
        for job in waiting:
            self._finish(job, JobState.CANCELLED, {}, now)
        return len(waiting)

    # Called for workers

    def take(self, worker_id: str, count: int, now: float) -> list[QueuedJob]:
        taken: list[QueuedJob] = []
        while self.has_waiting() and len(taken) < count:
            job = self._queue.popleft()
            job.state, job.worker_id, job.taken_at, job.seen_at = JobState.IN_PROGRESS, worker_id, now, now
            self._running[job.id] = job
            taken.append(job)
        return taken

    def has_waiting(self) -> bool:
        while self._queue and self._queue[0].state is not JobState.IN_QUEUE:  # cancelled or removed while it waited
            self._queue.popleft()
        return bool(self._queue)

    def ping(self, worker_id: str, job_ids: Iterable[str], now: float) -> None:
        named = set(job_ids)
        for job in self.running(worker_id):
            if job.id in named:
                job.seen_at = now

    def progress(self, job_id: str, worker_id: str, output: object) -> None:
        """The job's output so far; ignored if it is no longer this worker's job. Raises JobNotFoundError."""
        job = self.get(job_id)
        if self._runs(worker_id, job):
            job.result = {"output": output}

    def chunk(self, job_id: str, worker_id: str, output: object) -> None:
        """Raises JobNotFoundError."""
        job = self.get(job_id)
        if self._runs(worker_id, job):
            job.chunks.append(output)
            job.chunk_count += 1

    def done(self, job_id: str, worker_id: str, result: JsonObject, now: float) -> None:
        """The final result; ignored if it is no longer this worker's job. Raises JobNotFoundError."""
        job = self.get(job_id)
        job.done_posts += 1
        if self._runs(worker_id, job):
            stored: JsonObject = {key: value for key, value in result.items() if key in ("output", "error")}
            self._finish(job, JobState.FAILED if result.get("error") else JobState.COMPLETED, stored, now)

    def count_refused(self, job_id: str, *, is_final: bool) -> None:
        """Count a post that broke a limit. The job's state does not change. Raises JobNotFoundError."""
        job = self.get(job_id)
        job.refused_posts += 1
        job.done_posts += is_final

    def take_stops(self, worker_id: str) -> list[str]:
        """Jobs that the worker should stop; each is returned once."""
        return self._stops.pop(worker_id, [])

    def has_stops(self, worker_id: str) -> bool:
        return bool(self._stops.get(worker_id))

    def lose_jobs(self, worker_id: str, now: float) -> None:
        """The worker's processes have ended, so its jobs are lost."""
        self._stops.pop(worker_id, None)
        for job in self.running(worker_id):
            self._lose(job, now)

    # Timeouts

    def tick(self, now: float) -> bool:
        """Time out, lose and remove jobs that are due; returns whether anything changed.

        Its time does not grow with the jobs that wait or are over.
        """
        changed = False
        while self._removals and self._removals[0][0] < now:
            due = self.jobs.get(heapq.heappop(self._removals)[1])
            if due is not None and due.removed_at(self.limits) < now:
                self._remove(due)
                changed = True
        for job in list(self._running.values()):
            if now - job.taken_at > job.execution_timeout_s:
                self._stop(job)
                self._finish(job, JobState.TIMED_OUT, {"error": EXECUTION_TIMED_OUT}, now)
            elif self._pings_expected and now - job.seen_at > self.limits.lost_after_s:
                self._lose(job, now)
            else:
                continue
            changed = True
        return changed

    def drain_finished(self) -> list[QueuedJob]:
        """Jobs that reached a final state since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def _runs(self, worker_id: str, job: QueuedJob) -> bool:
        return job.state is JobState.IN_PROGRESS and job.worker_id == worker_id

    def _finish(self, job: QueuedJob, state: JobState, result: JsonObject, now: float) -> None:
        job.state, job.result, job.finished_at = state, result, now
        self._running.pop(job.id, None)
        self._schedule_removal(job)
        self.counts["completed" if state is JobState.COMPLETED else "failed"] += state is not JobState.CANCELLED
        self._finished.append(job)

    def _stop(self, job: QueuedJob) -> None:
        if job.state is JobState.IN_PROGRESS and job.worker_id is not None:
            self._stops.setdefault(job.worker_id, []).append(job.id)

    def _lose(self, job: QueuedJob, now: float) -> None:
        if job.retries:
            self._finish(job, JobState.FAILED, {"error": LOST}, now)
            return
        job.retries = 1
        self.counts["retried"] += 1
        self._queue_again(job, now)

    def _queue_again(self, job: QueuedJob, now: float) -> None:
        job.state, job.worker_id, job.queued_at, job.taken_at = JobState.IN_QUEUE, None, now, 0.0
        job.result, job.chunks = {}, []
        self._running.pop(job.id, None)
        self._queue.append(job)
        self._schedule_removal(job)

    def _schedule_removal(self, job: QueuedJob) -> None:
        heapq.heappush(self._removals, (job.removed_at(self.limits), job.id))
        if len(self._removals) > 2 * len(self.jobs) + _MOST_STALE:
            self._removals = [(each.removed_at(self.limits), each.id) for each in self.jobs.values()]
            heapq.heapify(self._removals)

    def _remove(self, job: QueuedJob) -> None:
        self._stop(job)
        self._running.pop(job.id, None)
        job.state = JobState.TIMED_OUT if not job.state.is_final else job.state
        del self.jobs[job.id]
