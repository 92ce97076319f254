"""The event loop has priority."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading

import pytest
from fastapi.routing import APIRoute

from chatterbox_worker.server import app
from chatterbox_worker.server.threads import low_priority_pool
from support.serving import Open


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")
def test_threads_that_compute_have_a_lower_priority_and_so_do_those_they_start() -> None:
    def own_and_childs() -> list[int]:
        seen = [os.nice(0)]
        child = threading.Thread(target=lambda: seen.append(os.nice(0)))
        child.start()
        child.join()
        return seen

    with low_priority_pool(1, "test") as pool:
        lower = pool.submit(own_and_childs).result()

    assert lower[0] == lower[1] > os.nice(0) or lower[0] == 19  # the tests themselves may run at the lowest priority


@pytest.mark.anyio
async def test_the_running_servers_default_executor_has_a_lower_priority(open_server: Open) -> None:
    async with open_server():
        name = await asyncio.to_thread(lambda: threading.current_thread().name)

    assert name.startswith("help")


def test_no_route_waits_for_a_thread_to_start() -> None:
    """FastAPI calls plain functions in threads: under load /health would wait for one."""
    routes = [route for router in app._ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    plain = [
        route.path
        for route in routes
        for part in (route.dependant, *route.dependant.dependencies)
        if not inspect.iscoroutinefunction(part.call)
    ]

    assert len(routes) > 15
    assert plain == []
