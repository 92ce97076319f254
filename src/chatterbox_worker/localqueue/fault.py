"""Planned faults: what the next replies on a worker's route are instead of correct ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Route = Literal["job-take", "job-stop", "job-done", "job-stream", "ping"]
ROUTES: tuple[Route, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad reply. A status is answered, a drop closes the connection, a delay alone makes a correct reply late."""

    status: int | None = None
    drop: bool = False
    delay_s: float = 0.0


class FaultPlan:
    """Thread-safe: deques are, and each entry is used once."""

    def __init__(self) -> None:
        self._plans: dict[Route, deque[Fault]] = {route: deque() for route in ROUTES}
        self.on_change: Callable[[], None] = lambda: None
        """Called when a fault has been added; the queue then ends its open polls."""

    def add(self, route: Route, fault: Fault, *, times: int = 1) -> None:
        """Plans the fault for the next `times` replies on the route, after those already planned."""
        self._plans[route].extend([fault] * times)
        self.on_change()

    def is_due(self, route: Route) -> bool:
        return bool(self._plans[route])

    def take(self, route: Route) -> Fault | None:
        try:
            return self._plans[route].popleft()
        except IndexError:
            return None
