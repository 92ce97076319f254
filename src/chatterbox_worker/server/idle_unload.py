"""Loads the synthesizer on first use and unloads it after a time without requests.

Everything here runs in worker threads; `condition` can be read at any time without waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chatterbox_worker.errors import DeviceFailed, NotReady, WorkerError
from chatterbox_worker.memory import return_freed
from chatterbox_worker.server.backend import Readiness
from chatterbox_worker.synthesis.synthesizer import Synthesizer

log = logging.getLogger(__name__)

_RETRY_S = 10.0  # after a failed start, so that a burst of requests does not try it again each time


class IdleUnloader:
    def __init__(
        self,
        build: Callable[[], Synthesizer],
        *,
        idle_s: float,
        offloads: bool = False,
        clock: Callable[[], float] = time.monotonic,
        on_device_failed: Callable[[], None] = lambda: None,
    ) -> None:
        """`offloads`: the weights stay in the machine's memory meanwhile, if all engines can do that."""
        self._build = build
        self._offloads = offloads
        self._on_device_failed = on_device_failed
        self._idle_s = idle_s
        self._clock = clock
        self._building = threading.Lock()
        self._counting = threading.Lock()
        self._synthesizer: Synthesizer | None = None
        self._offloaded: tuple[Synthesizer, Callable[[], None]] | None = None
        self._users = 0
        self._last_used_s = clock()
        self._failed_s = -_RETRY_S
        self.condition = Readiness("starting")

    @contextmanager
    def acquire(self) -> Iterator[Synthesizer]:
        """The synthesizer, which stays loaded while the block lasts. Builds it if needed; other callers wait meanwhile.

        Raises:
            NotReady: it cannot be built, or the device failed and the process must be restarted.
        """
        with self._counting:
            self._users += 1
        try:
            yield self._get_or_load()
        except DeviceFailed as failure:
            self.condition = Readiness("failed", failure.message)
            self._on_device_failed()
            raise
        finally:
            with self._counting:
                self._users -= 1
                self._last_used_s = self._clock()

    def unload_if_idle(self) -> bool:
        """Free the models if they have not been used for `idle_s`; returns whether it did."""
        if not self._idle_s or self._synthesizer is None or self._clock() - self._last_used_s < self._idle_s:
            return False
        with self._building:
            with self._counting:  # `acquire` finds nothing from here on, and waits until it is freed
                if self._users:
                    return False
                synthesizer, self._synthesizer = self._synthesizer, None
                self.condition = Readiness("asleep")
            if synthesizer is not None:
                self._free(synthesizer)
            del synthesizer
            return_freed()  # engines hold cycles; the device's memory must be free when this returns
        log.info("unloaded the models after %g s without a request", self._idle_s)
        return True

    def _free(self, synthesizer: Synthesizer) -> None:
        if self._offloads and synthesizer.can_offload:
            try:
                self._offloaded = synthesizer, synthesizer.offload()
            except Exception:  # such as too little memory
                log.exception("the models cannot stay in memory; they will be loaded from their files")
            else:
                return
        synthesizer.close()

    def close(self) -> None:
        with self._building:
            synthesizer, self._synthesizer = self._synthesizer, None
            if self._offloaded is not None:
                (synthesizer, _), self._offloaded = self._offloaded, None
            if synthesizer is not None:
                synthesizer.close()

    def _get_or_load(self) -> Synthesizer:
        if (synthesizer := self._synthesizer) is not None and self.condition.state == "ready":
            return synthesizer
        with self._building:
            if self._synthesizer is not None:
                if self.condition.state == "failed":
                    raise NotReady(f"the device failed and this server must be restarted: {self.condition.reason}")
                return self._synthesizer
            if self.condition.state == "failed" and self._clock() - self._failed_s < _RETRY_S:
                raise NotReady(f"the models could not be loaded: {self.condition.reason}")
            return self._load()

    def _load(self) -> Synthesizer:
        if self.condition.state != "starting":
            self.condition = Readiness("waking")
        started_s = time.perf_counter()
        try:
            synthesizer = self._build() if self._offloaded is None else self._wake(*self._offloaded)
        except WorkerError as error:
            self._fail(error.message)
            raise NotReady(f"the models could not be loaded: {error.message}") from error
        except Exception as error:  # no error of a model's loader may leave the state at "starting"
            log.exception("loading failed")
            self._fail(f"{type(error).__name__} while loading; the server's log has the details")
            raise NotReady(f"the models could not be loaded: {self.condition.reason}") from error
        log.info("ready after %.1f s", time.perf_counter() - started_s)
        self._synthesizer = synthesizer
        self.condition = Readiness("ready")
        return synthesizer

    def _wake(self, synthesizer: Synthesizer, wake: Callable[[], None]) -> Synthesizer:
        self._offloaded = None  # after a failure the models are loaded from their files
        wake()
        return synthesizer

    def _fail(self, reason: str) -> None:
        log.error("start-up failed: %s", reason)
        self._failed_s = self._clock()
        self.condition = Readiness("failed", reason)
