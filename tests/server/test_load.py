"""Many requests at once, and generated requests of every kind."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings

from chatterbox_worker import asr
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.server.app import create_app
from support import http_calls
from support.paths import ROOT
from support.serving import free_port, on_a_socket, wait_for

REQUESTS, AT_ONCE = 500, 32
SLOWEST_HEALTH_S = 0.050
CALM_S = 0.010  # p99 of a server that does nothing, on two cores that run only this test: 5 to 8 ms


# A server that does nothing but answer, to measure what the machine itself takes at the time.
_NOTHING = """
import asyncio, sys
async def answer(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""
# Requests /health of both servers 50 times a second until it gets input; prints the seconds that each answer took.
_WATCH = """
import http.client, select, sys, time
both = [http.client.HTTPConnection("127.0.0.1", port, timeout=120) for port in sys.argv[1:]]
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for connection in both:
        started = time.perf_counter()
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        print(time.perf_counter() - started)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server process of its own with the preview engine."""
    env = environment() | {
        "CHATTERBOX_MODELS": "preview", "CHATTERBOX_CACHE_MAX_BYTES": "0", "CHATTERBOX_VOICES_DIR": str(tmp_path),
        "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    port = free_port()
    command = [sys.executable, "-m", "chatterbox_worker.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(6000):
            try:
                if http_calls.get(f"{url}/ping").status_code == 200:
                    break
            except httpx2.ConnectError:
                pass
            time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        assert process.wait(120) in (0, -15)


@pytest.mark.slow
@pytest.mark.alone
def test_of_500_requests_32_at_a_time_none_is_lost_and_health_stays_fast(server: tuple[str, int]) -> None:
    url, pid = server
    formats = ("mp3", "wav", "opus", "pcm", "flac")
    failed: list[Any] = []
    memory: list[int] = []

    async def one(http: httpx2.AsyncClient, number: int, slots: asyncio.Semaphore) -> None:
        options = ({}, {"stream_format": "audio"}, {"stream_format": "sse"})[number % 3]
        body = {"input": f"This is request number {number}.", "response_format": formats[number % 5], **options}
        async with slots:
            answer = await http.post(f"{url}/v1/audio/speech", json=body)
        if answer.status_code != 200 or len(answer.content) < 1000:
            failed.append((number, answer.status_code, answer.text[:200]))
        if number % 50 == 0:
            memory.append(_resident_bytes(pid))

    async def main() -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        limits = httpx2.Limits(max_connections=AT_ONCE + 2)
        async with httpx2.AsyncClient(timeout=120, limits=limits) as http:
            await asyncio.gather(*(one(http, number, slots) for number in range(REQUESTS)))

    # in processes of their own: this one is busy being 32 clients
    ports = [url.rpartition(":")[2], str(free_port())]
    nothing = subprocess.Popen([sys.executable, "-c", _NOTHING, ports[1]], stderr=subprocess.DEVNULL)
    wait_for(lambda: _is_listening(int(ports[1])))
    watcher = subprocess.Popen(
        [sys.executable, "-c", _WATCH, *ports], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    asyncio.run(main())
    latencies_s = [float(line) for line in watcher.communicate("stop\n")[0].split()]
    nothing.terminate()
    nothing.wait()
    inside = http_calls.get(f"{url}/health").json()["requests"]["inside"]
    health, machine = (_p99_s(latencies_s[first::2]) for first in (0, 1))
    print(  # noqa: T201 - shown with -s
        f"p99 of {len(latencies_s) // 2} answers: /health {health * 1e3:.1f} ms (at most "
        f"{max(latencies_s[::2]) * 1e3:.1f}), a server that does nothing {machine * 1e3:.1f} ms; "
        f"memory {[m >> 20 for m in memory]} MiB; load {os.getloadavg()[0]:.1f}"
    )

    assert not failed
    assert inside == 0
    # in proportion, if the machine itself is slow because of other work on it
    assert health < SLOWEST_HEALTH_S * max(1.0, machine / CALM_S)
    late = memory[len(memory) // 2 :]
    assert max(late) - min(late) < 40 << 20


@pytest.mark.slow
@pytest.mark.alone
def test_ten_clients_that_read_nothing_cost_little_and_others_are_served(server: tuple[str, int]) -> None:
    url, pid = server
    speech = f"{url}/v1/audio/speech"
    clients = _stall(url, 10)  # with these, each thread gets the memory that its work needs once
    before = _resident_bytes(pid)
    clients += _stall(url, 10)
    other = http_calls.post(speech, json={"input": "Another caller."})
    more = _resident_bytes(pid) - before
    for client in clients:
        client.close()
    print(f"{more >> 20} MiB for ten clients more")  # noqa: T201 - shown with -s

    assert other.status_code == 200
    assert more < 100_000_000  # measured: 66 to 80 MB


def _stall(url: str, count: int) -> list[socket.socket]:
    """Clients that ask for an hour of speech and read nothing; returns when the server waits for all of them."""
    text = "A sentence that is spoken again and again. " * 1100
    clients = []
    for number in range(count):
        how = ({"stream": True}, {"stream_format": "sse"})[number % 2]
        clients.append(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))))
        body = json.dumps({"input": text, "response_format": "pcm", **how}).encode()
        head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        clients[-1].sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    wait_for(lambda: http_calls.get(f"{url}/health").json()["requests"]["inside"] > 0)
    wait_for(lambda: http_calls.get(f"{url}/health").json()["requests"]["inside"] == 0, 60)
    return clients


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _p99_s(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


@pytest.mark.slow
def test_no_request_that_the_description_allows_or_forbids_is_answered_with_a_5xx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import schemathesis

    monkeypatch.setattr(asr, "is_installed", lambda: False)  # else `check: "words"` would load a model from the hub
    chosen = Settings(
        models=("preview",),
        voices_dir=tmp_path / "voices",
        cache_dir=tmp_path / "cache",
        lexicon=tmp_path / "lexicon.json",
        queue_limit=1000,
    )
    app = create_app(chosen)
    with on_a_socket(app) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        for result in schema.get_all_operations():
            _hit(result.ok())  # type: ignore[union-attr]


def _hit(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: Any) -> None:
        answer = case.call(timeout=30)
        assert answer.status_code < 500, (answer.status_code, answer.text[:500])

    check()
