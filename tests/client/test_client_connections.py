"""What the client needs to reach an endpoint, and what it does where servers refuse, fail or send too much."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from chatterbox_worker.client import (
    AsyncRunPodServerlessClient,
    ClientError,
    Job,
    NoAudio,
    RunPodServerlessClient,
    Unauthorized,
    Unavailable,
    wire,
)
from chatterbox_worker.localqueue import LocalQueue
from support.clients import QUICK, client_of


def test_a_wrong_key_is_named_in_the_error(queue: LocalQueue) -> None:
    with client_of(queue, "not the key") as client, pytest.raises(Unauthorized, match="is the API key right"):
        client.health()


def test_an_endpoint_that_is_not_there_is_tried_and_named() -> None:
    with (
        RunPodServerlessClient("x", "k", base_url="http://127.0.0.1:9/v2", patience=QUICK) as client,
        pytest.raises(Unavailable, match="cannot be reached"),
    ):
        client.run("Hello.")


@pytest.mark.parametrize("missing", ["RUNPOD_ENDPOINT_ID", "RUNPOD_API_KEY"])
def test_endpoint_and_key_come_from_the_environment_or_are_required(
    monkeypatch: pytest.MonkeyPatch, queue: LocalQueue, missing: str
) -> None:
    values = {
        "RUNPOD_ENDPOINT_ID": "local", "RUNPOD_API_KEY": queue.api_key, "RUNPOD_ENDPOINT_BASE_URL": queue.url,
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with RunPodServerlessClient() as client:
        assert client.health()["workers"]["ready"] == 1
    with pytest.raises(ValueError, match="base_url must be an http or https URL"):
        RunPodServerlessClient(base_url="host:80")
    monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", "host:80")
    with pytest.raises(ValueError, match="RUNPOD_ENDPOINT_BASE_URL must be an http or https URL"):
        RunPodServerlessClient()
    monkeypatch.delenv(missing)
    with pytest.raises(ValueError, match=missing):
        RunPodServerlessClient()


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch, queue: LocalQueue, proxy: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    for base_url in (queue.url, queue.url.replace("127.0.0.1", "LOCALHOST")):
        with RunPodServerlessClient("local", queue.api_key, base_url=base_url) as client:
            assert client.health()["workers"]["ready"] == 1
    for base_url in ("http://localhost.example.org/v2", "https://api.runpod.ai/v2"):
        if proxy.startswith("socks"):
            with pytest.raises(ValueError, match="proxy that cannot be used: Using SOCKS proxy"):
                RunPodServerlessClient("x", "k", base_url=base_url)
            continue
        with (
            RunPodServerlessClient("x", "k", base_url=base_url, patience=QUICK) as client,
            pytest.raises(Unavailable, match="Connection refused"),
        ):
            client.health()


def test_a_key_is_never_shown(queue: LocalQueue) -> None:
    with client_of(queue, "rpa_SECRET") as client:
        assert "SECRET" not in repr(client._endpoint)


def test_the_package_imports_without_the_model_stack() -> None:
    code = "import sys, chatterbox_worker.client; print([m for m in ('torch', 'runpod', 'numpy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd="src", capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


class Scripted(BaseHTTPRequestHandler):
    """Sends the replies of a test, one after another; None drops the connection."""

    replies: ClassVar[list[tuple[int, bytes] | None]] = []
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self) -> None:
        self.seen.append((f"{self.command} {self.path}", self.headers.get("Authorization")))
        reply = self.replies.pop(0)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply[0])
        self.send_header("Content-Length", str(len(reply[1])))
        self.end_headers()
        self.wfile.write(reply[1])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Scripted.replies.clear()
    Scripted.seen.clear()
    yield Scripted, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


JOB = b'{"id": "j", "status": "IN_QUEUE"}'


def test_refusals_and_failures_are_retried_and_a_lost_run_is_not_sent_twice(
    scripted: tuple[type[Scripted], str],
) -> None:
    script, url = scripted
    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        script.replies += [(429, b""), (503, b""), (200, JOB), (500, b""), None, (200, JOB)]
        assert client.status(client.run("Hello.").id).status == "IN_QUEUE"
        assert [call for call, _ in script.seen] == ["POST /e/run"] * 3 + ["GET /e/status/j"] * 3
        script.seen.clear()
        script.replies += [None]
        with pytest.raises(ClientError, match="was not sent again"):
            client.run("Hello.")
        assert [call for call, _ in script.seen] == ["POST /e/run"]


def test_a_presigned_url_is_downloaded_with_its_query_and_without_the_key(
    scripted: tuple[type[Scripted], str], tmp_path: Path
) -> None:
    script, url = scripted
    script.replies += [(503, b""), (200, b"sound")]
    job = Job(
        {"id": "j", "status": "COMPLETED", "output": {"audio_url": f"{url}/a.mp3?X-Amz-Signature=1", "format": "mp3"}}
    )
    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        assert client.save_audio(job, tmp_path / "a.mp3").read_bytes() == b"sound"
    assert script.seen == [("GET /a.mp3?X-Amz-Signature=1", None)] * 2


def test_a_download_over_the_limit_is_not_read_to_its_end(
    scripted: tuple[type[Scripted], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, url = scripted
    monkeypatch.setattr(wire, "_AUDIO_BYTES", 100_000)
    answer = {"audio_url": f"{url}/a.wav"}

    async def download() -> bytes:
        async with AsyncRunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
            return await client.audio(answer)

    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        script.replies += [(200, bytes(100_000)), (200, bytes(100_001))]
        assert len(client.audio(answer)) == 100_000
        with pytest.raises(NoAudio, match="more than"):
            client.audio(answer)
    script.replies += [(200, bytes(100_000)), (200, bytes(100_001))]
    assert len(asyncio.run(download())) == 100_000
    with pytest.raises(NoAudio, match="more than"):
        asyncio.run(download())
