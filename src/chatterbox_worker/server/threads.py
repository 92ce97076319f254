"""Threads that compute, and give way to the event loop.

As many threads as there is work share a few cores with the loop, which needs them only for a moment at a time but often.
At the same priority each of its wake-ups queues behind all of theirs; below it, it answers at once and they lose
nothing that it does not use. What such a thread starts, an engine's own threads included, inherits its priority.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

_NICE = 5  # a third of the loop's weight (sched(7)): enough to give way, not to starve beside other processes
HELPERS = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's own default executor."""


def computing(threads: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process's
        os.nice(_NICE)
