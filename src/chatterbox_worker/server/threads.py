"""Threads that compute, at a lower priority than the event loop.

They share a few cores with the loop, which needs a core only for a moment at a time, but often. At the same priority
each of its wake-ups would queue behind all of theirs. At a lower one the loop answers at once, and they lose only the
time that it uses. A thread that such a thread starts, such as an engine's own, inherits its priority.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

_T = TypeVar("_T")

_NICE = 5  # a third of the loop's weight (sched(7)): low enough to yield, high enough not to starve
_CONVERSION_NICE = 10  # a third of speech's weight again
DEFAULT_EXECUTOR_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""As many as asyncio's own default executor has."""


def low_priority_pool(threads: int, name: str, nice: int = _NICE) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=partial(_lower_priority, nice))


def _lower_priority(nice: int) -> None:
    if sys.platform == "linux":  # elsewhere the priority is the whole process's
        os.nice(nice)


_conversions = low_priority_pool(max(1, (os.cpu_count() or 1) // 4), "convert", _CONVERSION_NICE)


async def run_conversion(work: Callable[[], _T]) -> _T:
    """The result of `work`, which decodes or encodes a whole file: on a few threads that speech does not use.

    On those of the default executor, six at once delayed the first audio of a stream by seconds.
    """
    return await asyncio.get_running_loop().run_in_executor(_conversions, work)
