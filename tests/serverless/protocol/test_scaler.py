"""The loop that runs what was taken: at once, no more than the concurrency, and all of it before the worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from runpod.serverless.modules import rp_scale

from chatterbox_worker.serverless.protocol import scaler as module
from chatterbox_worker.serverless.protocol.scaler import Scaler

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]


class Progress(list[str]):
    """As the SDK's, which is one for the process."""

    def add(self, job: dict[str, Any]) -> None:
        self.append(job["id"])

    def remove(self, job: dict[str, Any]) -> None:  # type: ignore[override]
        super().remove(job["id"])

    def get_job_count(self) -> int:
        return len(self)


class Loop:
    """A scaler whose jobs run until they are allowed to end."""

    def __init__(self, concurrency: int) -> None:
        self.scaler = Scaler({"handler": None})
        self.scaler.current_concurrency = concurrency
        self.scaler.jobs_queue = asyncio.Queue(concurrency)
        self.scaler.jobs_handler = self._run
        self.scaler.job_progress = Progress()
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.task = asyncio.create_task(self.scaler.run_jobs(None))

    async def _run(self, _session: Any, _config: Any, job: dict[str, Any]) -> None:
        self.begun.append(job["id"])
        await self.ends.setdefault(job["id"], asyncio.Event()).wait()
        if job["id"] == "bad":
            raise RuntimeError("a job that fails")

    async def take(self, *names: str) -> None:
        for name in names:
            await self.scaler.jobs_queue.put({"id": name})
            self.scaler.job_progress.add({"id": name})
        await self.settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - the loop that is tested sets no event
            await asyncio.sleep(0.001)

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def loop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loop]:
    monkeypatch.setattr(module, "_LOOK_S", 3600.0)  # a loop that waits for its next look fails by the time limit
    loop = Loop(concurrency=2)
    await loop.settle()
    yield loop
    loop.task.cancel()


async def test_a_job_begins_when_it_is_taken_and_when_there_is_room(loop: Loop) -> None:
    await loop.take("a")
    assert loop.begun == ["a"]
    await loop.take("b")
    assert loop.begun == ["a", "b"]
    await loop.take("c", "d")
    assert loop.begun == ["a", "b"]
    await loop.end("b")
    assert loop.begun == ["a", "b", "c"]
    assert sorted(loop.scaler.jobs_tasks) == ["a", "c"]  # where the SDK finds those that it is to stop
    await loop.end("a")
    assert loop.begun == ["a", "b", "c", "d"]


async def test_a_job_that_fails_or_is_stopped_leaves_the_loop_running(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rp_scale.log, "error", lambda *_: None)
    await loop.take("bad", "stopped")
    await loop.end("bad")
    assert await loop.scaler.stop_job("stopped")
    await loop.settle()
    await loop.take("a", "b")
    assert loop.begun == ["bad", "stopped", "a", "b"]


async def test_everything_that_was_taken_is_run_before_the_worker_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    loop = Loop(concurrency=1)
    await loop.take("a", "b")
    loop.scaler.kill_worker()
    for name in "ab":
        await loop.until(lambda name=name: loop.begun[-1] == name)  # type: ignore[misc]
        assert not loop.task.done()
        loop.ends[name].set()
    await asyncio.wait_for(loop.task, 60)


async def test_a_worker_without_jobs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    loop = Loop(concurrency=1)
    await loop.settle()
    loop.scaler.kill_worker()
    await asyncio.wait_for(loop.task, 60)


async def test_the_queue_may_be_replaced_by_one_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    loop = Loop(concurrency=1)
    await loop.settle()
    loop.scaler.concurrency_modifier = lambda _: 3
    await loop.scaler.set_scale()
    await loop.until(lambda: loop.scaler.jobs_queue.maxsize == 3)
    await loop.take("a", "b", "c")
    await loop.until(lambda: loop.begun == ["a", "b", "c"])
    loop.task.cancel()


async def test_the_next_job_is_taken_as_soon_as_one_has_ended(loop: Loop) -> None:
    await loop.scaler.set_scale()  # there is room for two
    await loop.take("a")
    await loop.scaler.set_scale()
    await loop.take("b")
    room = asyncio.create_task(loop.scaler.set_scale())
    await loop.settle()
    assert not room.done()
    await loop.end("a")
    await asyncio.wait_for(room, 60)
    assert loop.scaler.current_occupancy() == 1


async def test_a_full_worker_that_is_to_end_takes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.001)
    loop = Loop(concurrency=1)
    await loop.take("a")
    asked: list[int] = []

    def end_at_the_third(concurrency: int) -> int:  # as a shutdown does
        asked.append(concurrency)
        if len(asked) == 3:
            loop.scaler.kill_worker()
        return concurrency

    loop.scaler.concurrency_modifier = end_at_the_third
    await asyncio.wait_for(loop.scaler.set_scale(), 60)
    assert asked == [1, 1, 1]
    loop.task.cancel()
