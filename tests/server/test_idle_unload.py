"""The states of the models: starting, ready, unloaded, loaded again, failed."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import NoReturn

import httpx2
import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import DeviceFailed, NotReady
from chatterbox_worker.memory import rss_bytes
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.idle_unload import IdleUnloader
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.serving import HeldEngine

SPEECH = {"input": "Hello.", "cache": False}


class ClosingEngine(HeldEngine):
    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def engine() -> ClosingEngine:
    return ClosingEngine()


@asynccontextmanager
async def _server(settings: Settings, build: Callable[[Settings], Synthesizer]) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings, LocalBackend(settings, build))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server", timeout=30) as client,
    ):
        yield client


async def _becomes(http: httpx2.AsyncClient, status: str) -> httpx2.Response:
    for _ in range(500):
        answer = await http.get("/health")
        if answer.json()["status"] == status:
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError(f"it is {answer.text}, not {status}")


@pytest.mark.anyio
async def test_while_it_starts_health_answers_and_requests_wait(settings: Settings, synthesizer: Synthesizer) -> None:
    loaded = threading.Event()

    def build(_: Settings) -> Synthesizer:
        assert loaded.wait(60)
        return synthesizer

    async with _server(settings, build) as http:
        assert (await http.get("/health")).json()["status"] == "starting"
        assert (await http.get("/ping")).status_code == 204
        waiting = asyncio.create_task(http.post("/v1/audio/speech", json=SPEECH))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        loaded.set()
        assert (await waiting).status_code == 200
        assert (await http.get("/ping")).status_code == 200


@pytest.mark.anyio
async def test_it_unloads_without_requests_and_the_next_requests_load_it_once(
    settings: Settings, synthesizer: Synthesizer, engine: ClosingEngine
) -> None:
    built = []

    def build(_: Settings) -> Synthesizer:
        built.append(1)
        return synthesizer

    async with _server(replace(settings, idle_unload_s=1), build) as http:
        await _becomes(http, "ok")
        await _becomes(http, "asleep")
        assert engine.closed == 2  # the two models of the fixture share it
        assert (await http.get("/ping")).status_code == 200
        assert (await http.get("/voices")).json() == ["default"]
        answers = await asyncio.gather(*(http.post("/v1/audio/speech", json=SPEECH) for _ in range(4)))
        await _becomes(http, "ok")

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(built) == 2
    assert engine.closed == 4  # at the end too


def test_it_does_not_unload_while_it_is_used(synthesizer: Synthesizer, engine: ClosingEngine) -> None:
    now = [0.0]
    unloader = IdleUnloader(lambda: synthesizer, idle_s=10, clock=lambda: now[0])
    with unloader.acquire():
        now[0] = 100.0
        assert not unloader.unload_if_idle()
    assert not unloader.unload_if_idle()
    now[0] = 110.0
    assert unloader.unload_if_idle()
    assert engine.closed


class OffloadingEngine(ClosingEngine):
    def __init__(self) -> None:
        super().__init__()
        self.woken: list[OffloadingEngine] = []

    def offload(self) -> Callable[[], OffloadingEngine]:
        def load() -> OffloadingEngine:
            self.woken.append(OffloadingEngine())
            return self.woken[-1]

        return load


def test_offloaded_models_are_not_built_again(synthesizer: Synthesizer) -> None:
    now, built, first = [0.0], [], OffloadingEngine()

    def build() -> Synthesizer:
        built.append(1)
        return synthesizer

    synthesizer.engines = {"turbo": first}
    unloader = IdleUnloader(build, idle_s=10, offloads=True, clock=lambda: now[0])
    with unloader.acquire():
        pass
    now[0] = 100.0
    assert unloader.unload_if_idle()
    assert (unloader.condition.state, first.closed, synthesizer.engines) == ("asleep", 1, {})
    with unloader.acquire() as awake:
        assert awake.engines == {"turbo": first.woken[0]}
    assert (unloader.condition.state, built) == ("ready", [1])
    now[0] = 200.0
    assert unloader.unload_if_idle()
    unloader.close()
    assert first.woken[0].closed == 1


def test_models_that_cannot_be_kept_or_built_again_are_closed(synthesizer: Synthesizer) -> None:
    now, first, second = [0.0], OffloadingEngine(), OffloadingEngine()
    unloader = IdleUnloader(lambda: synthesizer, idle_s=10, offloads=True, clock=lambda: now[0])

    def fail() -> NoReturn:
        raise MemoryError

    def fail_later() -> Callable[[], OffloadingEngine]:
        return fail

    def unload() -> None:
        synthesizer.engines = {"turbo": first, "english": second}
        with unloader.acquire():
            pass
        now[0] += 100.0
        assert unloader.unload_if_idle()

    second.offload = fail  # type: ignore[method-assign]
    unload()
    assert (unloader.condition.state, first.closed, second.closed) == ("asleep", 1, 1)
    second.offload = fail_later  # type: ignore[method-assign]
    unload()
    with pytest.raises(NotReady), unloader.acquire():
        pass
    assert [each.closed for each in first.woken] == [1]


def test_models_that_cannot_be_offloaded_are_freed(synthesizer: Synthesizer, engine: ClosingEngine) -> None:
    now, built = [0.0], []

    def build() -> Synthesizer:
        built.append(1)
        return synthesizer

    unloader = IdleUnloader(build, idle_s=10, offloads=True, clock=lambda: now[0])
    for _ in range(2):
        with unloader.acquire():
            pass
        now[0] += 100.0
        assert unloader.unload_if_idle()
    assert len(built) == 2
    assert engine.closed


@pytest.mark.anyio
async def test_a_failed_start_is_reported_to_every_request(settings: Settings, synthesizer: Synthesizer) -> None:
    async def request(http: httpx2.AsyncClient) -> tuple[int, str]:
        answer = await http.post("/v1/audio/speech", json=SPEECH)
        return answer.status_code, answer.text

    def build(_: Settings) -> Synthesizer:
        raise NotReady("there are no weights for multilingual")

    async with _server(settings, build) as http:
        health = await _becomes(http, "failed")
        ping = await http.get("/ping")
        status, text = await request(http)

    assert health.status_code == ping.status_code == status == 503
    assert "no weights for multilingual" in health.json()["reason"]
    assert "no weights for multilingual" in text


def test_any_error_of_a_loader_is_reported_without_details_and_tried_again_later() -> None:
    now = [0.0]
    attempts = []

    def build() -> Synthesizer:
        attempts.append(1)
        raise OSError("/secret/path")

    unloader = IdleUnloader(build, idle_s=0, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(NotReady) as refused, unloader.acquire():
            pass
        assert "secret" not in refused.value.message
    assert len(attempts) == 1
    now[0] = 60.0
    with pytest.raises(NotReady), unloader.acquire():
        pass
    assert len(attempts) == 2


def test_a_device_that_failed_needs_a_restart(synthesizer: Synthesizer) -> None:
    ended: list[bool] = []
    unloader = IdleUnloader(lambda: synthesizer, idle_s=0, on_device_failed=lambda: ended.append(True))
    with pytest.raises(DeviceFailed), unloader.acquire():
        raise DeviceFailed("CUDA error: an illegal memory access was encountered")
    with pytest.raises(NotReady) as refused, unloader.acquire():
        pass

    assert unloader.condition.state == "failed"
    assert ended == [True]
    assert "must be restarted" in refused.value.message


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library than glibc")
def test_what_was_freed_goes_back_to_the_system(synthesizer: Synthesizer) -> None:
    """The C library keeps it as long as something behind it is in use: here the last of 2 000 blocks of 32 kB."""
    blocks = [bytes([1]) * 32_768 for _ in range(2_000)]
    now = [0.0]
    unloader = IdleUnloader(lambda: synthesizer, idle_s=10, clock=lambda: now[0])
    with unloader.acquire():
        pass
    loaded = rss_bytes()
    del blocks[:-1]
    assert rss_bytes() > loaded - 10 * 2**20
    now[0] = 10.0
    assert unloader.unload_if_idle()
    assert rss_bytes() < loaded - 50 * 2**20
