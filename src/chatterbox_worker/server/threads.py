"""Threads that compute, at a lower priority than the event loop.

They share a few cores with the loop, which needs a core only for a moment at a time, but often. At the same priority
each of its wake-ups would queue behind all of theirs. At a lower one the loop answers at once, and they lose only the
time that it uses. A thread that such a thread starts, such as an engine's own, inherits its priority.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

_NICE = 5  # a third of the loop's weight (sched(7)): low enough to yield, high enough not to starve
DEFAULT_EXECUTOR_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's own default executor has."""


def low_priority_pool(threads: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_lower_priority)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere the priority is the whole process's
        os.nice(_NICE)
