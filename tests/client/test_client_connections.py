"""What the client needs to reach an endpoint, and what it does where servers refuse, fail or send too much."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from chatterbox_worker.client import (
    AsyncRunPodServerlessClient,
    ClientError,
    Job,
    NoAudio,
    Patience,
    RunPodServerlessClient,
    Unauthorized,
    Unavailable,
    wire,
)
from chatterbox_worker.localqueue import LocalQueue
from support.clients import QUICK, client_of
from support.http_server import QuietHandler, serving
from support.threads import in_this_thread


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


class Scripted(QuietHandler):
    """Sends the replies of a test, one after another; None drops the connection."""

    replies: ClassVar[list[tuple[int, bytes] | None]] = []
    seen: ClassVar[list[tuple[str, str | None]]] = []
    inputs: ClassVar[list[Any]] = []
    """Of the jobs that were submitted."""

    def do_POST(self) -> None:
        self.inputs.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"])
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


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], str]]:
    Scripted.replies.clear()
    Scripted.seen.clear()
    Scripted.inputs.clear()
    with serving(Scripted) as port:
        yield Scripted, f"http://127.0.0.1:{port}"


JOB = b'{"id": "j", "status": "IN_QUEUE"}'


def completed(**output: Any) -> tuple[int, bytes]:
    return 200, json.dumps({"id": "j", "status": "COMPLETED", "output": output}).encode()


def test_refusals_and_failures_are_retried_and_a_lost_run_is_not_sent_twice(
    scripted: tuple[type[Scripted], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script, url = scripted
    pauses_s: list[float] = []

    async def ask() -> str:
        patience = Patience(random=lambda: 1.0, backoff_s=0.05)
        async with AsyncRunPodServerlessClient("e", "k", base_url=url, patience=patience) as client:
            return (await client.status("j")).status

    monkeypatch.setattr(time, "sleep", in_this_thread(pauses_s.append, time.sleep))
    with RunPodServerlessClient("e", "k", base_url=url, patience=Patience(random=lambda: 1.0)) as client:
        script.replies += [(429, b""), (503, b""), (200, JOB), (500, b""), None, (200, JOB)]
        assert client.status(client.run("Hello.").id).status == "IN_QUEUE"
        assert [call for call, _ in script.seen] == ["POST /e/run"] * 3 + ["GET /e/status/j"] * 3
        assert pauses_s == [0.5, 1.0] * 2
        script.seen.clear()
        script.replies += [None]
        with pytest.raises(ClientError, match="was not sent again"):
            client.run("Hello.")
        assert [call for call, _ in script.seen] == ["POST /e/run"]
    script.replies += [(503, b""), None, (200, JOB)]
    started_s = time.monotonic()
    assert asyncio.run(ask()) == "IN_QUEUE"
    assert time.monotonic() - started_s >= 0.05 + 0.1


def test_the_endpoint_is_told_how_long_a_caller_waits(scripted: tuple[type[Scripted], str]) -> None:
    script, url = scripted
    script.replies += [completed(models=[])] * 3
    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        for timeout_s in (0.1, 30.0, 600.0):
            client.call({"action": "info"}, timeout_s=timeout_s)
    assert [call for call, _ in script.seen] == [f"POST /e/runsync?wait={ms}" for ms in (1000, 30_000, 90_000)]


def test_files_of_the_volume_and_pages_of_the_lexicon_are_asked_for_in_turn(
    scripted: tuple[type[Scripted], str],
) -> None:
    script, url = scripted
    path, word = "/v/outputs/a.wav", {"spoken": "Nwin", "language": "*"}
    script.replies += 2 * [
        completed(outputs=[{"path": path, "size_bytes": 5, "modified": "2026-01-01T00:00:00+00:00"}], count=1),
        completed(data_base64="c291", next_offset=3),
        completed(data_base64="bmQ=", next_offset=None),
        completed(path=path, deleted=True),
        completed(entries=[word | {"word": "Nguyen"}], next_offset=1),
        completed(entries=[word | {"word": "Nguy\u1ec5n"}], next_offset=None),
        completed(word="Nguyen", deleted=True),
    ]

    async def ask() -> tuple[list[str], bytes, list[str]]:
        async with AsyncRunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
            paths, data = [file.path for file in await client.outputs.list()], await client.outputs.read(path)
            await client.outputs.delete(path)
            words = [entry.word for entry in await client.lexicon.list("es")]
            await client.lexicon.delete("Nguyen")
            return paths, data, words

    with RunPodServerlessClient("e", "k", base_url=url, patience=QUICK) as client:
        paths, data = [file.path for file in client.outputs.list()], client.outputs.read(path)
        client.outputs.delete(path)
        words = [entry.word for entry in client.lexicon.list("es")]
        client.lexicon.delete("Nguyen")
    assert (paths, data, words) == asyncio.run(ask()) == ([path], b"sound", ["Nguyen", "Nguy\u1ec5n"])
    assert script.inputs == 2 * [
        {"action": "outputs.list"},
        {"action": "outputs.get", "path": path, "offset": 0},
        {"action": "outputs.get", "path": path, "offset": 3},
        {"action": "outputs.delete", "path": path},
        {"action": "lexicon.list", "language": "es", "offset": 0},
        {"action": "lexicon.list", "language": "es", "offset": 1},
        {"action": "lexicon.delete", "word": "Nguyen", "language": "*"},
    ]


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
