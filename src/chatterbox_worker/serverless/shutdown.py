"""A worker's last twenty seconds: SIGTERM arrives, what runs is finished and posted, nothing new is taken.

The SDK (1.12) only sets a flag on SIGTERM. Its open job-take and job-stop polls run on, for up to 90 s, and a job that
arrives on one of them is taken and never run. So here

1. the two polls are wrapped, and end when the signal arrives: the connection closes, which the platform sees;
2. the SDK gets the signal when its take loop next asks for the concurrency, a call that the SDK documents: by then
   whatever it had taken is in its queue, and it runs its queue to the end;
3. a job that is not done after `DRAIN_S` is cancelled and nothing is posted for it, so that the platform gives it to
   another worker, as it does with every job whose worker goes away; an answer that could not be posted until then is on
   the volume, for that worker (`protocol.outbox`);
4. a process that is still there after `EXIT_S` ends itself, heartbeat first: an SDK whose worker is killed goes on
   pinging.

What is relied on beyond the documented surface: `rp_scale.get_job` and `rp_scale.get_stop_signals`, coroutine functions
that the scaler looks up by name when it is created. tests/serverless holds the SDK to it; pyproject pins the minor
version. `protocol` has what else is relied on.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

log = logging.getLogger(__name__)

DRAIN_S = 13.0
"""For what runs to be finished and posted."""
EXIT_S = 19.0
"""RunPod does not say when it kills; a container's usual grace is longer than this."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
Fetch = Callable[..., Awaitable[Any]]
_Handler = Callable[[int, FrameType | None], Any]


class Shutdown:
    """All of it but the watchdog belongs to the SDK's event loop."""

    def __init__(self, concurrency: int, give_up: Callable[[], None]) -> None:
        """`give_up` cancels the jobs that are still being spoken."""
        self._concurrency = concurrency
        self._give_up = give_up
        self._polls: set[asyncio.Task[Any]] = set()
        self._sdk_handler: _Handler | None = None
        self._is_watching = False
        self._began = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        return self._began.is_set()

    def concurrency(self, _current: int) -> int:
        """The SDK's `concurrency_modifier`: called in its loop, before each take."""
        if not self._is_watching:
            self._watch()
        if self._began.is_set() and self._sdk_handler is not None:
            self._sdk_handler(signal.SIGTERM, None)
        return self._concurrency

    def end_with(self, fetch: Fetch) -> Fetch:
        """`fetch`, but it returns no news as soon as the shutdown begins."""

        async def fetch_or_end(*args: Any) -> Any:
            if self._began.is_set():
                return []
            poll = asyncio.ensure_future(fetch(*args))
            self._polls.add(poll)
            try:
                return await poll
            except asyncio.CancelledError:
                if not self._began.is_set():
                    raise
                return []
            finally:
                self._polls.discard(poll)

        return fetch_or_end

    def begin(self) -> None:
        """Safe to call more than once; only the first counts."""
        if self._began.is_set():
            return
        self._began.set()
        for poll in self._polls:
            poll.cancel()
        log.info("shutting down: finishing what runs, taking nothing new")
        asyncio.get_running_loop().call_later(DRAIN_S, self._give_up)
        watchdog = threading.Timer(EXIT_S, _end_process)
        watchdog.daemon = True
        watchdog.start()

    def _watch(self) -> None:
        """Take the signals over from the SDK, which gets them later."""
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler):
            self._sdk_handler = handler
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.begin)
        self._is_watching = True


def _end_process() -> None:
    log.warning("not done after %.0f s: ending", EXIT_S)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)
