"""The state that all routes share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from chatterbox_worker.config import Settings
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.limits import Admission
from chatterbox_worker.server.metrics import Metrics


@dataclass(frozen=True, slots=True)
class AppState:
    settings: Settings
    backend: Backend
    admission: Admission
    metrics: Metrics
    started_s: float = field(default_factory=time.monotonic)


async def _state(connection: HTTPConnection) -> AppState:  # a plain function would wait for a thread
    state: AppState = connection.app.state.state
    return state


State = Annotated[AppState, Depends(_state)]
