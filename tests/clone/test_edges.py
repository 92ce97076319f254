"""A voice built from recordings works through the queue and over HTTP, with the same samples."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from chatterbox_worker.config import environment
from chatterbox_worker.localqueue import LocalQueue
from support.paths import ROOT
from support.recorded import TINY, TINY_PATHS, clone_ann
from support.serving import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
REQUEST: dict[str, Any] = {"text": "Hello.", "seed": 3, "cache": False}
"""The second process reads the pack that the first has written; with this seed that changed a pitch."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clone_ann(tmp_path_factory.mktemp("cloned")) | TINY_PATHS


@pytest.fixture(scope="module")
def queue(settings: dict[str, str]) -> Iterator[LocalQueue]:
    command = [sys.executable, str(TINY), "queue"]
    with LocalQueue(command=command, cwd=ROOT, env=settings, start_timeout_s=150) as running:
        yield running


@contextmanager
def _http(settings: dict[str, str], log: Path) -> Iterator[httpx.Client]:
    port = free_port()
    env = environment() | settings | {"PORT": str(port), "CHATTERBOX_HOST": "127.0.0.1"}
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, str(TINY), "http"], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            _wait(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(60)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 150
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)


def test_the_queue_lists_uses_and_exports_it(queue: LocalQueue, settings: dict[str, str]) -> None:
    listed = queue.run({"action": "voices.list"}, sync=True)["output"]["voices"]
    spoken = queue.run(REQUEST | {"voice": "ann"}, sync=True, timeout_s=120)["output"]
    default = queue.run(REQUEST, sync=True, timeout_s=120)["output"]
    out = queue.run({"action": "voices.export", "voice": "ann"}, sync=True)["output"]

    assert [voice["id"] for voice in listed] == ["ann"]
    assert spoken["voice"] == "ann"
    assert soundfile.info(io.BytesIO(base64.b64decode(spoken["audio_base64"]))).duration > 0.3
    assert spoken["audio_base64"] != default["audio_base64"]
    kept = Path(settings["CHATTERBOX_VOICES_DIR"]) / "ann.safetensors"
    assert base64.b64decode(out["reference_audio"]) == kept.read_bytes()


def test_http_lists_it_and_returns_the_same_samples(
    queue: LocalQueue, settings: dict[str, str], tmp_path: Path
) -> None:
    over_queue = queue.run(REQUEST | {"voice": "ann"}, sync=True, timeout_s=120)["output"]
    with _http(settings, tmp_path / "log") as http:
        listed = http.get("/voices").json()
        about = http.get("/voices/ann").json()
        spoken = http.post(
            "/v1/audio/speech",
            json={"input": "Hello.", "voice": "ann", "seed": 3, "response_format": "wav", "cache": False},
        )
        cloned = http.post("/clone-voice", data={"text": "Hello.", "voice_name": "ann", "language": "en"})
        file = http.get("/voices/ann/file")

    assert listed == ["default", "ann"]
    assert 10 <= about["duration_s"] <= 15
    assert spoken.status_code == 200, spoken.text
    assert spoken.content == base64.b64decode(over_queue["audio_base64"])
    assert cloned.headers["content-type"] == "audio/wav"
    assert file.content == (Path(settings["CHATTERBOX_VOICES_DIR"]) / "ann.safetensors").read_bytes()
