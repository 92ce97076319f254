"""Helpers of the HTTP server's tests."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import httpx
import httpx2
from fastapi import FastAPI

from chatterbox_worker.audio.decode import decode
from chatterbox_worker.config import environment
from chatterbox_worker.engine import Utterance
from chatterbox_worker.server import connection
from support.fakes import ToneEngine, ToneTake
from support.paths import ROOT

Open = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


class HeldEngine(ToneEngine):
    """Generates at once, but after `hold_after(n)` the takes after the next n wait for `release()`."""

    def __init__(self) -> None:
        super().__init__()
        self._open_gate = threading.Event()
        self._open_gate.set()
        self._hold_from: int | None = None

    def hold_after(self, takes: int) -> None:
        self._hold_from = len(self.takes) + takes
        self.gate.clear()

    def release(self) -> None:
        self._hold_from = None
        self.gate.set()

    def submit(self, utterance: Utterance) -> ToneTake:
        is_held = self._hold_from is not None and len(self.takes) >= self._hold_from
        take = ToneTake(utterance, self.gate if is_held else self._open_gate)
        self.takes.append(take)
        return take


def decoded_s(data: bytes, audio_format: str) -> float:
    """Seconds of audio in a file, measured by decoding it."""
    return len(data) / 48_000 if audio_format == "pcm" else decode(data, field="test", max_s=600).duration_s


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def on_a_socket(app: FastAPI, shutdown_s: float = 2) -> Iterator[str]:
    """The base URL of `app`, served by uvicorn in a thread."""
    port = free_port()
    server = connection.Server(app, host="127.0.0.1", port=port, shutdown_s=shutdown_s)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)


def wait_for(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Fails unless the condition becomes true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.01)


@contextmanager
def server_process(command: Sequence[str], settings: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    """A client of a server in a process of its own, once its models are loaded."""
    port = free_port()
    env = environment() | settings | {"PORT": str(port), "CHATTERBOX_HOST": "127.0.0.1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            _wait_until_ready(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(120)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
