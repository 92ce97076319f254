"""The requests of `bench.soak queue`: hundreds of jobs a round for the local queue itself, whose results expire.

Three jobs in ten live for ten seconds, the shortest time that the queue takes, and must be gone after it.
"""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

_JOBS = 150
_AT_ONCE = 24
_TTL_MS = 10_000
_CANCELLED = 40
_WEBHOOK_S = 10.0
_SYNCHRONOUS, _WEBHOOK, _WRONG, _STREAMED, _EXPIRING, _OPENAI = (0, 1, 2), 3, 4, 5, (5, 6, 7), 9
_KEY = {"Authorization": "Bearer local"}


@contextmanager
def _webhook() -> Iterator[tuple[str, list[bytes]]]:
    """An address for webhooks, and what was posted there."""
    posts: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/done", posts
    finally:
        server.shutdown()
        server.server_close()


def jobs_round(url: str, number: int) -> int:
    """Returns how many jobs there were. Raises RuntimeError for one that ended otherwise than it should."""
    return asyncio.run(_round(url, number))


async def _round(url: str, number: int) -> int:
    at_once = asyncio.Semaphore(_AT_ONCE)
    with _webhook() as (hook, posts):
        async with httpx.AsyncClient(base_url=f"{url}/", headers=_KEY, timeout=120) as client:

            async def run(part: int) -> str | None:
                async with at_once:
                    return await _job(client, f"Round {number}, job {part}, {number * 7919 + part}.", part % 10, hook)

            expiring = [job for job in await asyncio.gather(*map(run, range(_JOBS))) if job is not None]
            await _cancel(client, number)
        ends_s = time.monotonic() + _WEBHOOK_S
        while len(posts) < _JOBS // 10 and time.monotonic() < ends_s:  # noqa: ASYNC110 - from another thread
            await asyncio.sleep(0.05)
        if len(posts) != _JOBS // 10:
            raise RuntimeError(f"{len(posts)} webhooks of {_JOBS // 10} came")
    await _check_expired(url, expiring[:3])
    return _JOBS + _CANCELLED


async def _job(client: httpx.AsyncClient, text: str, kind: int, hook: str) -> str | None:
    """One job of ten kinds; its id if it expires before the round's end."""
    job: dict[str, Any] = {"input": {"text": "" if kind == _WRONG else text, "format": "mp3"}}
    if kind == _OPENAI:
        body = {"model": "preview", "input": text, "response_format": "mp3"}
        answer = (await client.post("openai/v1/audio/speech", json=body)).json()
        if "error" in answer:
            raise RuntimeError(f"{text} was answered {answer}")
        return None
    if kind in _SYNCHRONOUS:
        answer = (await client.post("runsync", json=job)).json()
    else:
        job |= {"policy": {"ttl": _TTL_MS}} if kind in _EXPIRING else {"webhook": hook} if kind == _WEBHOOK else {}
        job_id = (await client.post("run", json=job)).json()["id"]
        if kind == _STREAMED:
            while (await client.get(f"stream/{job_id}")).json()["status"] in ("IN_QUEUE", "IN_PROGRESS"):
                pass
        answer = (await client.get(f"status-sync/{job_id}")).json()
    if answer.get("status") != ("FAILED" if kind == _WRONG else "COMPLETED"):
        raise RuntimeError(f"{text} (of kind {kind}) ended as {str(answer)[:300]}")
    return str(answer["id"]) if kind in _EXPIRING else None


async def _cancel(client: httpx.AsyncClient, number: int) -> None:
    """Cancels jobs that run and wait: a few by name, and the others with the whole queue."""
    long = {"input": {"text": f"Round {number} goes on and on. " * 60, "cache": False}}
    ids = [(await client.post("run", json=long)).json()["id"] for _ in range(_CANCELLED)]
    for job_id in ids[:10]:
        await client.post(f"cancel/{job_id}")
    await client.post("purge-queue")
    for job_id in ids:
        await client.post(f"cancel/{job_id}")
    states = {(await client.get(f"status/{job_id}")).json()["status"] for job_id in ids}
    if not states <= {"CANCELLED", "COMPLETED"}:
        raise RuntimeError(f"cancelled jobs are {states}")


async def _check_expired(url: str, ids: list[str]) -> None:
    await asyncio.sleep(_TTL_MS / 1000 + 0.5)
    async with httpx.AsyncClient(headers=_KEY) as client:
        for job_id in ids:
            if (status := (await client.get(f"{url}/status/{job_id}")).status_code) != 404:
                raise RuntimeError(f"{job_id} is answered {status} after its time")
