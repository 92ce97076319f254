"""Jobs of a worker in this process, as the SDK and then a caller would see them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from chatterbox_worker.serverless.worker import Unready, Worker

_MOST_S = 300  # of a job: the real engine on a busy machine


def ask(worker: Worker | Unready, job_input: Any) -> dict[str, Any]:
    answer = asyncio.run(asyncio.wait_for(worker({"id": "job-1", "input": job_input}), _MOST_S))
    json.dumps(answer, allow_nan=False)
    return answer


def stream(worker: Worker | Unready, job_input: Any) -> list[dict[str, Any]]:
    """As a caller of /stream sees it: what each piece was when it was posted."""

    async def collect() -> list[dict[str, Any]]:
        return [json.loads(json.dumps(p)) async for p in worker.stream({"id": "job-1", "input": job_input})]

    return asyncio.run(asyncio.wait_for(collect(), _MOST_S))


def numbered(count: int, words: int = 4) -> list[dict[str, Any]]:
    """Texts of a job, with their ids."""
    return [{"id": f"n{n}", "text": f"Text {n} says " + "so " * words + "."} for n in range(count)]
