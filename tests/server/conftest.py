"""A server in this process, called through ASGI; and one on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.serving import HeldEngine, Open, on_a_socket


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def no_errors_of_asyncio(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Such as a task whose exception was never retrieved, which would be a traceback in the log for each client."""
    yield
    found = [each for when in ("call", "teardown") for each in caplog.get_records(when) if each.name == "asyncio"]
    assert not found, found[0].getMessage()


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def backend(synthesizer: Synthesizer) -> Callable[[Settings], Backend]:
    """Builds a backend whose engine generates tones."""
    return lambda chosen: LocalBackend(chosen, lambda _: synthesizer)


@pytest.fixture
def open_server(settings: Settings, backend: Callable[[Settings], Backend]) -> Open:
    """Starts a server with changed settings, and yields a client for it when it is ready."""

    @asynccontextmanager
    async def start(**changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
        chosen = replace(settings, **changes)
        app = create_app(chosen, backend(chosen))
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://server", timeout=30) as client:
                while (await client.get("/ping")).status_code == 204:  # noqa: ASYNC110 - as a load balancer would
                    await asyncio.sleep(0.01)
                yield client

    return start


@pytest.fixture
def live_url(settings: Settings, backend: Callable[[Settings], Backend]) -> Iterator[str]:
    with on_a_socket(create_app(settings, backend(settings))) as url:
        yield url
