"""A worker that streams: numbers, an error half-way, a chunk that is too large, or server-sent events."""

from collections.abc import AsyncIterator
from typing import Any

import runpod


async def handler(job: dict[str, Any]) -> AsyncIterator[Any]:
    what = job["input"]
    if "openai_route" in what:
        yield 'data: {"n": 1}\n\n'
        yield "data: [DONE]\n\n"
        return
    for number in range(what["count"]):
        if number == what.get("fail_at"):
            yield {"error": "half-way"}
        yield "x" * what["size"] if "size" in what else number


if __name__ == "__main__":
    runpod.serverless.start({
        "handler": handler, "return_aggregate_stream": True, "concurrency_modifier": lambda _: 3,
    })  # fmt: skip
