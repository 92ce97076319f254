"""Planned faults: what the next replies on a worker's route are instead of correct ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Route = Literal["job-take", "job-stop", "job-done", "job-stream", "ping"]
ROUTES: tuple[Route, ...] = get_args(Route)


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad reply: a status or a body is answered, a drop closes the connection, a delay alone makes a reply late."""

    status: int | None = None
    drop: bool = False
    delay_s: float = 0.0
    body: bytes | None = None
    """In place of the correct one; the status is 200 unless one is given."""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """In addition to the reply's own, such as Retry-After."""
    is_after: bool = False
    """Whether the request has its effect first, as when only the answer is lost on its way."""
    bytes_over: int | None = None
    """For posts: the fault is due only for a body of more bytes, and stays planned for the others."""


class FaultPlan:
    """Thread-safe: deques are, and each entry is used once."""

    def __init__(self) -> None:
        self._plans: dict[Route, deque[Fault]] = {route: deque() for route in ROUTES}
        self.on_change: Callable[[], object] = lambda: None
        """Called when a fault has been added; the queue then ends its open polls."""

    def add(self, route: Route, fault: Fault, *, times: int = 1) -> None:
        """Plans the fault for the next `times` replies on the route, after those already planned."""
        self._plans[route].extend([fault] * times)
        self.on_change()

    def is_due(self, route: Route) -> bool:
        return bool(self._plans[route])

    def take(self, route: Route, body: bytes = b"") -> Fault | None:
        plan = self._plans[route]
        if plan and plan[0].bytes_over is not None and len(body) <= plan[0].bytes_over:
            return None
        try:
            return plan.popleft()
        except IndexError:
            return None
