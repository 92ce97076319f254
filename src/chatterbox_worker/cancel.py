"""`CancelScope`: the work done for one caller, which can be cancelled as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from chatterbox_worker.errors import Cancelled

Progress = Callable[[int, int, float], None]
"""Called after each chunk with the chunks done, the number of chunks and the seconds of audio so far."""


class _Cancellable(Protocol):
    def cancel(self) -> object: ...


_Held = TypeVar("_Held", bound=_Cancellable)


class CancelScope:
    """The work done for one caller, which can be cancelled as a whole, from any thread."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress
        self._cancelled = threading.Event()
        self._takes: list[_Cancellable] = []
        self._lock = threading.Lock()

    def cancel(self) -> None:
        self._cancelled.set()
        with self._lock:
            takes, self._takes = self._takes, []
        for take in takes:
            take.cancel()

    def hold(self, take: _Held) -> _Held:
        with self._lock:
            self._takes.append(take)
        if self._cancelled.is_set():
            take.cancel()
        return take

    def release(self, take: _Cancellable) -> None:
        """Keep a take no longer that has been read to its end."""
        with self._lock:
            self._takes = [held for held in self._takes if held is not take]

    def part(self, progress: Progress | None = None) -> CancelScope:
        """A scope that is cancelled together with this one, but can be cancelled alone."""
        part = CancelScope(progress)
        with self._lock:
            self._takes.append(part)
        if self._cancelled.is_set():
            part.cancel()
        return part

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """
        Raises:
            Cancelled: `cancel` was called.
        """
        if self.is_cancelled:
            raise Cancelled("the request was cancelled")
