"""The memory of this process: how much it holds, and giving back what is not used.

glibc keeps freed memory in an arena for each thread, and answers of many minutes are made on many threads: after twenty
of them a worker held half as much again as after the first.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import threading
from pathlib import Path

_M_ARENA_MAX = -8  # malloc.h of glibc
_GROWTH_BYTES = 16 * 2**20  # releasing takes a few milliseconds; less growth than this is not worth them


def rss_bytes() -> int:
    """What this process holds now; without /proc, the most that it held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def share_heaps() -> None:
    """Makes the process's threads share two heaps, where the C library is glibc.

    By default each thread has a heap of its own, up to eight for each core, and keeps in it what it has freed. Ten
    streams that are not read took 65 to 109 MiB, and take 63 to 67 with two heaps (tests/server/test_load.py); a
    worker grew from 119 to 177 MB over ten answers of 15 minutes, and to 122 with two.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


def next_level(level_bytes: int, rss_bytes: int) -> int:
    """The level after a release that left `rss_bytes`: down at once, up by a quarter of the growth.

    An answer that is still being sent counts as growth. A level that rose by all of it would leave the answer's memory
    with the process once it is freed; one that never rose would release after each job, although nothing is to gain.
    """
    grown = rss_bytes - level_bytes
    return level_bytes + (grown // 4 if grown > 0 else grown)


class MemoryRelease:
    """Returns freed memory to the system if the process has grown since it last did."""

    def __init__(self) -> None:
        share_heaps()
        gc.freeze()  # the models and libraries that are loaded by now stay: a collection need not look at them
        self._lock = threading.Lock()
        self._level_bytes = rss_bytes()
        # Only glibc has it; others return large blocks by themselves.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def __call__(self) -> None:
        """Takes milliseconds. From any thread; at once if another thread is doing it."""
        if self._trim is None or not self._lock.acquire(blocking=False):
            return
        try:
            if rss_bytes() > self._level_bytes + _GROWTH_BYTES:
                gc.collect()  # cycles keep some of an answer's samples
                self._trim(0)
                self._level_bytes = next_level(self._level_bytes, rss_bytes())
        finally:
            self._lock.release()
