"""A worker that streams in the shape of the real one: five wav pieces and a summary.

The text "fail at N" ends it early, "slow" delays each piece.
"""

import asyncio
import base64
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

import runpod


def piece(index: int) -> str:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes([index, 0]) * 800)
    return base64.b64encode(buffer.getvalue()).decode()


async def handler(job: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    for index in range(5):
        if job["input"]["text"] == f"fail at {index}":
            yield {"error": "the model made no sound for this text"}
        if job["input"]["text"] == "slow":
            await asyncio.sleep(20)
        yield {"index": index, "start_s": index * 0.1, "duration_s": 0.1, "audio_base64": piece(index)}
    yield {
        "format": "wav",
        "mimetype": "audio/wav",
        "sample_rate": 8000,
        "duration_s": 0.5,
        "seed": 1,
        "model": "preview",
    }


if __name__ == "__main__":
    runpod.serverless.start({
        "handler": handler, "return_aggregate_stream": True, "concurrency_modifier": lambda _: 3,
    })  # fmt: skip
