"""Work on a thread of its own, in order, that cannot die and leave something undone."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

Work = Callable[[], None]


class Worker:
    """Runs what is submitted, one after another. Works must not raise; one that does is logged."""

    def __init__(self, name: str, enter: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
        """`enter` is called on the thread and returns the context in which it works, such as a stream.

        If that fails, the works run without it: they answer their takes, with whatever failure they meet themselves.
        """
        self._enter = enter
        self._works: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        self._works.put(work)

    def close(self) -> None:
        """Finish what was submitted, and end the thread."""
        self._works.put(None)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._enter())
            except Exception:
                log.exception("the thread works without its context")
            while (work := self._works.get()) is not None:
                try:
                    work()
                except Exception:
                    log.exception("work in the background failed")
