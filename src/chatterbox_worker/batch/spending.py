"""What a run took: an endpoint's worker time, and what it costs at a price per second. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerTime:
    """How long a worker had one job."""

    worker: str
    execution_s: float
    ended_s: float
    """On a monotonic clock: when its end was seen, up to one poll after it."""


def busy_s(times: Iterable[WorkerTime]) -> float:
    """Seconds in which workers had at least one job: RunPod charges a worker once, however many jobs it has."""
    by_worker: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for time in times:
        by_worker[time.worker].append((time.ended_s - time.execution_s, time.ended_s))
    return sum(_union_s(sorted(intervals)) for intervals in by_worker.values())


def _union_s(intervals: list[tuple[float, float]]) -> float:
    total, reached = 0.0, float("-inf")
    for start, end in intervals:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
