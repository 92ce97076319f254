"""A worker that does what its job says."""

import asyncio
import os
from typing import Any, NoReturn

import runpod

from chatterbox_worker import config

ANSWERS: dict[str, Any] = {
    "error": {"error": "no such voice", "code": "voice_not_found"},
    "nan": {"loudness": float("nan")},
    "bytes": {"audio": b"RIFF"},
    "refresh": {"refresh_worker": True, "error": "the device is gone"},
}
begun: list[str] = []
"""Slow jobs that were begun here."""
met: set[str] = set()
are_together = asyncio.Event()
stopped: list[str] = []
"""Jobs that were cancelled here."""


async def meet(job: dict[str, Any]) -> None:
    """Ends when as many jobs as it says have come here."""
    met.add(job["id"])
    if len(met) == job["input"]["count"]:
        are_together.set()
    await are_together.wait()


async def slow(job: dict[str, Any]) -> None:
    begun.append(job["id"])
    try:
        await asyncio.sleep(job["input"]["seconds"])
    except asyncio.CancelledError:
        stopped.append(job["id"])
        raise


async def progress(job: dict[str, Any]) -> None:
    runpod.serverless.progress_update(job, "half")
    await asyncio.sleep(0.5)


async def fail(job: dict[str, Any]) -> NoReturn:
    raise ValueError(f"a bug in {job['id']}")


async def crash(job: dict[str, Any]) -> NoReturn:
    os._exit(7)


async def big(job: dict[str, Any]) -> str:
    return "x" * int(job["input"]["size"])


async def environment(job: dict[str, Any]) -> dict[str, str | None]:
    return {name: config.environment().get(name) for name in job["input"]["names"]}


ACTS = {
    "meet": meet,
    "slow": slow,
    "progress": progress,
    "raise": fail,
    "crash": crash,
    "big": big,
    "environment": environment,
}


async def handler(job: dict[str, Any]) -> Any:
    what = job["input"].get("do", "echo")
    if what in ANSWERS:
        return dict(ANSWERS[what])
    answer = await ACTS[what](job) if what in ACTS else None
    return answer or {"echo": job["input"], "begun": begun, "stopped": stopped, "pid": os.getpid()}


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda _: 4})
