"""A stop signal for a job that has not begun is kept for it; for a moment, and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.stops import REMEMBERED_S, Stops
from chatterbox_worker.serverless.worker import NoPlatform, Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.fakes import ToneEngine


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def signals() -> list[str]:
    return ["stopped"]


def noted(clock: Clock) -> Stops:
    stops = Stops(clock)
    assert asyncio.run(stops.remember(signals)()) == ["stopped"]  # type: ignore[arg-type]  # remember returns a coroutine function
    return stops


def test_a_stopped_job_is_known_once() -> None:
    stops = noted(Clock())

    assert not stops.include("another")
    assert stops.include("stopped")
    assert not stops.include("stopped")


def test_a_signal_is_forgotten_after_a_moment() -> None:
    clock = Clock()
    stops = noted(clock)
    clock.now_s = REMEMBERED_S

    assert not stops.include("stopped")


def test_a_job_stopped_before_it_began_does_not_begin(settings: Settings, synthesizer: Synthesizer) -> None:
    class Stopped(NoPlatform):
        was_stopped = staticmethod(noted(Clock()).include)

    worker = Worker(settings, synthesizer, Stopped())

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(worker({"id": "stopped", "input": {"text": "Hello."}}))
    assert "audio_base64" in asyncio.run(worker({"id": "stopped", "input": {"text": "Hello."}}))


def test_a_job_stopped_while_it_runs_can_be_submitted_again_at_once(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    stops = Stops(Clock())

    class Stopping(NoPlatform):
        was_stopped = staticmethod(stops.include)

    worker = Worker(settings, synthesizer, Stopping())
    job = {"id": "stopped", "input": {"text": "Hello."}}
    engine.gate.clear()

    async def stop_and_retry() -> dict[str, Any]:
        task = asyncio.create_task(worker(job))
        await asyncio.to_thread(engine.submitted.wait, 60)
        await stops.remember(signals)()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        engine.gate.set()
        return await worker(job)

    assert "audio_base64" in asyncio.run(stop_and_retry())
