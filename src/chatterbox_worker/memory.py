"""The memory of this process: how much it holds, and giving back what is not used.

glibc keeps freed memory in an arena for each thread, and answers of many minutes are made on many threads: after twenty
of them a worker held half as much again as after the first.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER_HEAPS = 2  # with one, threads of many requests at once wait for each other (`share_heaps`)
_M_ARENA_MAX = -8  # malloc.h of glibc
_GROWTH_BYTES = 8 * 2**20  # releasing takes a few milliseconds; less growth than this is not worth them


def rss_bytes() -> int:
    """What this process holds now; without /proc, the most that it held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * resource.getpagesize()


def share_heaps(count: int) -> None:
    """Makes the process's threads share so many heaps, where the C library is glibc.

    By default each thread has a heap of its own, up to eight for each core, and keeps in it what it has freed; and
    `malloc_trim` does not give back the end of a heap other than the first. A worker grew from 119 to 145 or 163 MB
    over twenty answers of 15 minutes with two heaps, in five runs of eight, and to 123 MB with one. A server with many
    requests at once has two, because threads wait for each other at a heap: ten streams that are not read took 65 to
    109 MiB without a limit, and take 63 to 67 (tests/server/test_load.py).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, count)


def return_freed() -> None:
    """Collects cycles, and returns all freed memory to the system, where the C library is glibc.

    For the moment after much was freed at once: glibc keeps it. A server whose models were unloaded (nano in full size)
    held 1.5 GB, of which 0.9 had been freed.
    """
    gc.collect()
    # Only glibc has it; others return large blocks by themselves.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryRelease:
    """Returns freed memory to the system if the process holds more than its level: what it needs between jobs.

    When a job ends its answer is still being sent, so only a call in a quiet moment can raise the level. A level that
    counted an answer would leave the answer's memory with the process once it is freed.
    """

    def __init__(self, heaps: int = 1) -> None:
        """`heaps`: as `share_heaps`."""
        share_heaps(heaps)
        gc.freeze()  # the models and libraries that are loaded by now stay: a collection need not look at them
        self._lock = threading.Lock()
        self._level_bytes = rss_bytes()

    def __call__(self, *, is_quiet: bool = False) -> None:
        """Takes milliseconds. From any thread; at once if another thread is doing it.

        `is_quiet`: whether no job is running and the last answer has been sent.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            if rss_bytes() > self._level_bytes + _GROWTH_BYTES:
                return_freed()  # and what cycles keep of an answer's samples
            if is_quiet or rss_bytes() < self._level_bytes:
                self._level_bytes = rss_bytes()
        finally:
            self._lock.release()


@contextmanager
def memory_released(is_quiet: Callable[[], bool], heaps: int, every_s: float = 10.0) -> Iterator[None]:
    """While the block lasts, release memory each time that `is_quiet`, on a thread; `heaps` as `share_heaps`."""
    release = MemoryRelease(heaps)
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(every_s):
            if is_quiet():
                release(is_quiet=True)

    thread = threading.Thread(target=work, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
