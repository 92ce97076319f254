"""Whose turn it is: who waits, and in which order they are taken. Policy only; nothing here knows what is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_OLDEST_EVERY = 4
"""Every so many, whoever came first of all is taken: short texts that keep coming cannot hold up a long one for ever."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Item]):
    item: Item
    turn: int
    arrival: int


class WaitingQueue(Generic[Item]):
    """First chunks before second chunks, whoever asked; among equals, first come first served. For one thread, or under a lock."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting[Item]] = []  # in order of arrival
        self._arrivals = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Item]:
        """In order of arrival."""
        return (waiting.item for waiting in self._waiting)

    def join(self, item: Item, turn: int) -> None:
        self._waiting.append(_Waiting(item, turn, self._arrivals))
        self._arrivals += 1

    def rejoin(self, item: Item, turn: int) -> None:
        """Back to the front: it had been taken already, and could not be served."""
        self._waiting.insert(0, _Waiting(item, turn, -1))

    def take(self, is_ready: Callable[[Item], bool]) -> Item | None:
        """The next of those who are ready leaves the line; None if nobody is."""
        ready = [waiting for waiting in self._waiting if is_ready(waiting.item)]
        if not ready:
            return None
        self._taken += 1
        oldest = self._taken % _OLDEST_EVERY == 0
        chosen = ready[0] if oldest else min(ready, key=lambda waiting: (waiting.turn, waiting.arrival))
        self._waiting.remove(chosen)
        return chosen.item

    def send_away(self, is_unwanted: Callable[[Item], bool]) -> None:
        self._waiting = [waiting for waiting in self._waiting if not is_unwanted(waiting.item)]


class BatchLimit:
    """How many may be served at once: fewer after trouble, slowly more again while there is none."""

    CALM = 32
    """So many served without trouble, and one more is tried."""

    def __init__(self, most: int) -> None:
        self._most = self.now = most
        self._calm = 0

    def shrink(self, fitting: int) -> None:
        """More than so many did not fit."""
        self.now, self._calm = max(1, min(self.now, fitting)), 0

    def served(self) -> None:
        self._calm += 1
        if self._calm >= self.CALM and self.now < self._most:
            self.now, self._calm = self.now + 1, 0
