"""The event loop comes first."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from fastapi.dependencies.utils import get_dependant
from fastapi.routing import APIRoute

from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.threads import computing
from serving import Open


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")
def test_threads_that_compute_give_way_and_so_do_those_they_start() -> None:
    def mine_and_a_childs() -> list[int]:
        seen = [os.nice(0)]
        child = threading.Thread(target=lambda: seen.append(os.nice(0)))
        child.start()
        child.join()
        return seen

    with computing(1, "test") as pool:
        lower = pool.submit(mine_and_a_childs).result()

    assert lower[0] == lower[1] > os.nice(0) or lower[0] == 19  # whoever runs the tests may be at the end already


@pytest.mark.anyio
async def test_helpers_of_the_running_server_give_way(open_server: Open) -> None:
    import asyncio

    async with open_server():
        name = await asyncio.to_thread(lambda: threading.current_thread().name)

    assert name.startswith("help")


def test_no_route_waits_for_a_thread_to_begin(settings: Settings) -> None:
    """FastAPI calls plain functions in threads: under load /health would wait for one."""
    app = create_app(settings)
    plain = [
        route.path
        for route in app.routes
        if isinstance(route, APIRoute)
        for part in (get_dependant(path=route.path, call=route.endpoint), *route.dependant.dependencies)
        if part.call is not None and not part.is_coroutine_callable
    ]

    assert plain == []
