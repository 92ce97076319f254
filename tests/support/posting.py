"""A worker that posts results to a local queue, in the place of the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from chatterbox_worker.localqueue import Fault, LocalQueue
from chatterbox_worker.serverless.protocol.outbox import Outbox
from chatterbox_worker.serverless.protocol.post import Poster
from chatterbox_worker.serverless.protocol.send import Urls

LARGE = "x" * 400_000
SMALL = {"text": "small"}


class Caller:
    """Plays the worker `w`: takes a job and posts its result."""

    def __init__(self, queue: LocalQueue, kept: Outbox) -> None:
        self.queue = queue
        self.ends = False
        urls = Urls(
            f"{queue.endpoint_url}/job-done/$RUNPOD_POD_ID/$ID?gpu=x",
            f"{queue.endpoint_url}/job-stream/$RUNPOD_POD_ID/$ID?gpu=x",
            "w",
        )
        self.poster = Poster(urls, kept, lambda: self.ends)

    def run(
        self, act: Callable[[aiohttp.ClientSession, dict[str, Any]], Awaitable[None]], **job: Any
    ) -> dict[str, Any]:
        """The job as its caller sees it, after `act` had the session and the job."""
        job_id = self.queue.submit({"text": "Hello."}, **job)

        async def take_and_act() -> None:
            headers = {"Authorization": self.queue.worker_key or ""}
            async with aiohttp.ClientSession(headers=headers) as session:
                async with session.get(f"{self.queue.endpoint_url}/job-take/w?gpu=x") as reply:
                    taken = await reply.json()
                assert taken["id"] == job_id
                await asyncio.wait_for(act(session, taken), 60)

        asyncio.run(take_and_act())
        return self.queue.jobs[job_id].answer()

    def post(self, result: dict[str, Any], *faults: Fault, is_stream: bool = False, **job: Any) -> dict[str, Any]:
        for fault in faults:
            self.queue.faults.add("job-done", fault)

        async def act(session: aiohttp.ClientSession, taken: dict[str, Any]) -> None:
            await self.poster.send_result(session, result, taken, is_stream)

        answer = self.run(act, **job)
        for route in ("job-done", "job-stream"):  # the next test plans its own
            while self.queue.faults.take(route, LARGE.encode()):
                pass
        return answer
