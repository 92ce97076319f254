"""A limit in time for what is done on a volume: a network file system that lost its server does not fail, it waits.

A thread that waits in the kernel cannot be interrupted. So each operation runs on a thread of its mount, and its caller
goes on after a limit with an OSError, as from a volume that failed. Until it or another one returns, others on the
same mount fail at once, but for one now and then that tries again. A process ends without waiting for these threads.

Linux only; elsewhere each folder counts as a mount.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

LOOK_UP_S = 5.0
"""For what can be done without: a read then counts as a miss, a write as failed."""
REQUEST_S = 30.0
"""For what a request asks for, such as a voice; a lock takes up to 10 s of it."""
SLOWEST_BYTES_PER_S = 2_000_000
"""Of a volume that works: what moves many bytes has this much more time (`allow_bytes`)."""
_RETRY_S = 10.0
_MOST_STUCK = 32  # threads; then nothing is tried until one of them returns
_T = TypeVar("_T")


class _Operation(Generic[_T]):
    def __init__(self, work: Callable[[], _T], within_s: float) -> None:
        self._work = copy_context().run, work
        self.within_s = within_s
        self.done = threading.Lock()
        self.done.acquire()
        self.is_done = self.is_abandoned = False
        self._result: list[_T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        run, work = self._work
        try:
            self._result.append(run(work))
        except BaseException as error:  # noqa: BLE001 - the caller's
            self._error = error

    def result(self) -> _T:
        if self._error is not None:
            raise self._error
        return self._result[0]


class _Current(threading.local):
    operation: _Operation[object] | None = None


_current = _Current()


class Mount:
    """A mounted file system. Safe to use from any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: queue.SimpleQueue[_Operation[object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._stuck: set[_Operation[object]] = set()
        self._is_stalled = False
        self._stalled_since_s = self._retry_at_s = 0.0

    def run(self, work: Callable[[], _T], within_s: float) -> _T:
        """The result of `work`, whose only long waits are for this mount. In another operation it has that one's limit.

        Raises:
            OSError: it did not return within `within_s` seconds, or an earlier one has not returned yet.
        """
        if _current.operation is not None:
            return work()
        operation: _Operation[object] = _Operation(work, within_s)
        with self._lock:
            self._check_answering()
            has_thread = self._idle > 0
            self._idle -= has_thread
        self._queue.put(operation)
        if not has_thread:
            threading.Thread(target=self._serve, name="volume", daemon=True).start()
        if not _returns(operation) and self._abandon(operation):
            raise _stalled(f"the volume did not answer within {operation.within_s:.0f} s")
        return operation.result()  # type: ignore[return-value]  # what `work` returned

    def _check_answering(self) -> None:
        if not self._is_stalled:
            return
        now_s = time.monotonic()
        if now_s < self._retry_at_s or len(self._stuck) >= _MOST_STUCK:
            raise _stalled(f"the volume has not answered for {now_s - self._stalled_since_s:.0f} s")
        self._retry_at_s = now_s + _RETRY_S

    def _abandon(self, operation: _Operation[object]) -> bool:
        """Whether it has not returned in the last moment."""
        within_s = operation.within_s
        with self._lock:
            if operation.is_done:
                return False
            operation.is_abandoned = True
            now_s = time.monotonic()
            is_first = not self._is_stalled
            if is_first:
                self._stalled_since_s = now_s - within_s
            self._is_stalled = True
            self._stuck.add(operation)
            self._retry_at_s = now_s + _RETRY_S
        if is_first:
            log.warning("%s did not answer within %.0f s; going on without it until it does", self._name, within_s)
        return True

    def _serve(self) -> None:
        while True:
            operation = _current.operation = self._queue.get()
            operation.run()
            _current.operation = None
            with self._lock:
                self._idle += 1
                operation.is_done = True
                self._stuck.discard(operation)
                answers_again, self._is_stalled = self._is_stalled, False
            operation.done.release()
            if answers_again:
                log.warning("%s answers again", self._name)
            del operation  # with what it read


def mount_of(folder: Path) -> Mount:
    """The file system that a folder is on, or will be on; found without touching it."""
    return _mount(_mount_point(folder))


def _returns(operation: _Operation[object]) -> bool:
    """Waits for it within its limit, which it may extend meanwhile."""
    started_s = time.monotonic()
    while (left_s := started_s + operation.within_s - time.monotonic()) > 0:
        if operation.done.acquire(timeout=left_s):
            return True
    return False


def allow_bytes(count: int) -> None:
    """Before so many bytes are read or written: a slow volume with a long recording is not one that does not answer."""
    if _current.operation is not None:
        _current.operation.within_s += count / SLOWEST_BYTES_PER_S


def check_wanted() -> None:
    """Before a step that cannot be undone.

    Raises:
        OSError: the caller was given an error in the meantime, as the volume had not answered.
    """
    if _current.operation is not None and _current.operation.is_abandoned:
        raise _stalled("the volume did not answer in time")


@cache
def _mount(point: str) -> Mount:
    return Mount(point)


os.register_at_fork(after_in_child=_mount.cache_clear)  # the child has none of the threads


@cache
def _mount_point(folder: Path) -> str:
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - `resolve` would read the links in the path
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return str(path)
    points = {line.split(" ")[4].replace("\\040", " ") for line in lines}  # proc(5): the fifth field, spaces escaped
    return next((str(each) for each in (path, *path.parents) if str(each) in points), str(path))


def _stalled(reason: str) -> OSError:
    return OSError(errno.ETIMEDOUT, reason)
