"""How many threads a CPU engine computes with.

Torch counts the machine's cores. A container is often allowed fewer, by a quota of CPU time that only the cgroup's
files show, and threads beyond the quota wait for each other at every layer. Torch itself respects CPU affinity.
"""

from __future__ import annotations

import ctypes
import math
import os
from pathlib import Path

import torch

_CGROUP = Path("/sys/fs/cgroup")
_SOFT = 1  # omp_pause_soft of omp.h: the team ends, settings stay
_NO_LIMIT = 1_000_000.0  # cores


def use_threads(wanted: int) -> int:
    """Set torch's threads to `wanted`, 0 for as many cores as this process may use. Returns the number."""
    count = wanted or allowed_cores()
    if count != torch.get_num_threads():
        torch.set_num_threads(count)
    return count


def release_threads() -> None:
    """Release the helper threads of this thread. Call it after computing on any thread but an engine's own.

    libgomp keeps a team for every thread that ever computed. Once all teams together have more threads than there are
    cores, none spins any more while it waits for its next product: a step of T3 took 12.5 ms instead of 10 (nano, int8,
    2 cores). Does nothing if torch has another OpenMP.
    """
    pause = getattr(ctypes.CDLL(None), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_SOFT)


def allowed_cores(cgroup: Path = _CGROUP) -> int:
    """Cores of this process's affinity, or of its container's quota if that is less; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_quota(cgroup))))


def _quota(cgroup: Path) -> float:
    """Cores, by cgroup version 2's `cpu.max` or version 1's two files; `_NO_LIMIT` if there is no quota."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            return float(quota) / float(period) if quota.isdecimal() else _NO_LIMIT  # "max" and -1 are no limit
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return _NO_LIMIT
