"""How many threads a CPU engine computes with.

Torch counts the machine's cores; a container is often allowed fewer, by a quota of time that nothing but this file shows, and
threads beyond it wait for each other at every layer. CPU affinity torch honours itself.
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
    """Set torch's threads to `wanted`, 0 for as many cores as this process may use. Returns how many that are."""
    count = wanted or allowed_cores()
    if count != torch.get_num_threads():
        torch.set_num_threads(count)
    return count


def release_threads() -> None:
    """Give back the threads that helped this one compute; whoever computed aside from an engine's own thread calls it when done.

    libgomp keeps a team for every thread that ever computed, and once all teams together have more threads than there are cores, none
    waits awake for its next product any more: a step of T3 took 12.5 ms instead of 10 (nano, int8, 2 cores). Where torch has another
    OpenMP, nothing happens.
    """
    pause = getattr(ctypes.CDLL(None), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_SOFT)


def allowed_cores(cgroup: Path = _CGROUP) -> int:
    """Cores of this process's affinity, or of its container's quota if that is less; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_quota(cgroup))))


def _quota(cgroup: Path) -> float:
    """Cores, by cgroup version 2's `cpu.max` or version 1's two files; `_NO_LIMIT` where there is none."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            return float(quota) / float(period) if quota.isdecimal() else _NO_LIMIT  # "max" and -1 are no limit
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return _NO_LIMIT
