"""A worker whose job says what it shall do."""

import asyncio
import os
from pathlib import Path
from typing import Any

import runpod


async def handler(job: dict[str, Any]) -> Any:
    what = job["input"]
    match what.get("do", "echo"):
        case "error":
            return {"error": "no such voice", "code": "voice_not_found"}
        case "raise":
            raise ValueError("a bug")
        case "nan":
            return {"loudness": float("nan")}
        case "bytes":
            return {"audio": b"RIFF"}
        case "big":
            return "x" * what["size"]
        case "progress":
            runpod.serverless.progress_update(job, "half")
            await asyncio.sleep(0.5)
        case "slow":
            try:
                await asyncio.sleep(what["seconds"])
            except asyncio.CancelledError:
                Path(what["marker"]).write_text("cancelled")
                raise
        case "refresh":
            return {"refresh_worker": True, "error": "the device is gone"}
        case "crash":
            os._exit(7)
        case "environment":
            return {name: os.environ.get(name) for name in what["names"]}  # noqa: TID251  what the queue started it with
    return {"echo": what, "webhook": job.get("webhook")}


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda _: 4})
