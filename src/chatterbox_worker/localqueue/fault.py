"""Trouble on order: what the next replies on a worker's route shall be instead of right."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Route = Literal["job-take", "job-stop", "job-done", "job-stream", "ping"]
ROUTES: tuple[Route, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad reply. A status is answered, a drop closes the connection, a delay alone is slow and then right."""

    status: int | None = None
    drop: bool = False
    delay_s: float = 0.0


class FaultPlan:
    """Thread-safe: deques are, and each entry is used once."""

    def __init__(self) -> None:
        self._plans: dict[Route, deque[Fault]] = {route: deque() for route in ROUTES}
        self.on_change: Callable[[], None] = lambda: None
        """Called when trouble was added; the queue ends its open polls with it."""

    def add(self, route: Route, fault: Fault, *, times: int = 1) -> None:
        """The next `times` replies on the route; after what is planned already."""
        self._plans[route].extend([fault] * times)
        self.on_change()

    def is_due(self, route: Route) -> bool:
        return bool(self._plans[route])

    def take(self, route: Route) -> Fault | None:
        try:
            return self._plans[route].popleft()
        except IndexError:
            return None
