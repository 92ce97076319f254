"""Freed memory goes back to the system in quiet moments: glibc keeps what a burst of requests has used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chatterbox_worker.serverless.memory import MemoryRelease

_EVERY_S = 10.0
_HEAPS = 2  # with one, threads of many requests at once wait for each other (`share_heaps`)


@contextmanager
def memory_released(is_quiet: Callable[[], bool], every_s: float = _EVERY_S) -> Iterator[None]:
    """While the block lasts, release memory each time that `is_quiet`, on a thread of its own."""
    release = MemoryRelease(_HEAPS)
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
