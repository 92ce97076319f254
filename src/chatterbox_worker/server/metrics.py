"""Prometheus metrics; each server has its own registry."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.server.backend import ReadinessState
from chatterbox_worker.server.middleware import HttpMiddleware

MIMETYPE = CONTENT_TYPE_LATEST
# Seconds: from a cache hit to the longest text that a worker accepts.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
"""Those that are counted by name. HTTP lets a client invent others, and each would be a series that stays."""


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "chatterbox_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "chatterbox_http_request_seconds", "From request to the end of its answer.", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._first_audio = Histogram(
            "chatterbox_first_audio_seconds", "From request to the first audio of a stream.",
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._audio = Counter("chatterbox_audio_seconds", "Speech sent, seconds.", ["model"], registry=self._registry)
        self._characters = Counter(
            "chatterbox_characters", "Text spoken, characters.", ["model"], registry=self._registry
        )
        self._cache = Counter("chatterbox_cache", "Whole answers by cache result.", ["result"], registry=self._registry)
        self._warnings = Counter("chatterbox_warnings", "Warnings in answers.", registry=self._registry)

    def watch(self, *, inside: Callable[[], int], state: Callable[[], str]) -> None:
        """Adds the gauges, which are read when the metrics are requested."""
        queue = Gauge("chatterbox_requests_inside", "Requests being spoken or waiting.", registry=self._registry)
        queue.set_function(inside)
        states = Gauge("chatterbox_state", "1 for the state the models are in.", ["state"], registry=self._registry)
        for name in get_args(ReadinessState):
            states.labels(name).set_function(partial(_is_state, state, name))

    def count_answer(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_first_audio(self, seconds: float) -> None:
        self._first_audio.observe(seconds)

    def count_speech(self, info: SpeechInfo, characters: int, *, hit: bool | None = None) -> None:
        self._audio.labels(info.model).inc(info.duration_s)
        self._characters.labels(info.model).inc(characters)
        self._warnings.inc(len(info.warnings))
        if hit is not None:
            self._cache.labels("hit" if hit else "miss").inc()

    def page(self) -> bytes:
        return generate_latest(self._registry)


def _is_state(state: Callable[[], str], name: str) -> float:
    return float(state() == name)


class Observer(HttpMiddleware):
    """Middleware: counts and times every answer by its route's template, never by what a client can invent."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        super().__init__(app)
        self._metrics = metrics

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s, status = time.perf_counter(), 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.count_answer(method, route, status, time.perf_counter() - started_s)
