"""In which order waiting items are taken, and how many run at once. Policy only: independent of what the items are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_OLDEST_EVERY = 4
"""One in so many items taken is the oldest: a steady flow of short texts cannot block a long one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Item]):
    item: Item
    turn: int
    arrival: int


class WaitingQueue(Generic[Item]):
    """First chunks before second chunks, across all requests; equal turns in order of arrival.

    For one thread, or under a lock.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting[Item]] = []  # in order of arrival
        self._arrivals = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Item]:
        """In order of arrival."""
        return (waiting.item for waiting in self._waiting)

    def add(self, item: Item, turn: int) -> None:
        self._waiting.append(_Waiting(item, turn, self._arrivals))
        self._arrivals += 1

    def put_back(self, item: Item, turn: int) -> None:
        """To the front, for an item that was taken and could not be served."""
        self._waiting.insert(0, _Waiting(item, turn, -1))

    def take(self, is_ready: Callable[[Item], bool]) -> Item | None:
        """Remove and return the next item that is ready; None if none is."""
        ready = [waiting for waiting in self._waiting if is_ready(waiting.item)]
        if not ready:
            return None
        self._taken += 1
        oldest = self._taken % _OLDEST_EVERY == 0
        chosen = ready[0] if oldest else min(ready, key=lambda waiting: (waiting.turn, waiting.arrival))
        self._waiting.remove(chosen)
        return chosen.item

    def discard(self, is_unwanted: Callable[[Item], bool]) -> None:
        self._waiting = [waiting for waiting in self._waiting if not is_unwanted(waiting.item)]


class BatchLimit:
    """How many may run at once: fewer after running out of memory, then slowly more again."""

    GROW_AFTER = 32
    """After this many successes in a row, one more is tried."""

    def __init__(self, most: int) -> None:
        self._most = self.current = most
        self._successes = 0

    def shrink(self, fitting: int) -> None:
        """More than `fitting` did not fit."""
        self.current, self._successes = max(1, min(self.current, fitting)), 0

    def record_success(self) -> None:
        self._successes += 1
        if self._successes >= self.GROW_AFTER and self.current < self._most:
            self.current, self._successes = self.current + 1, 0
