"""A voice built from recordings works through the queue and over HTTP, with the same samples."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile
from websockets.asyncio.client import connect

from chatterbox_worker.batch.__main__ import main as batch
from chatterbox_worker.localqueue import LocalQueue
from support.paths import ROOT
from support.recorded import TINY, TINY_PATHS, clone_ann
from support.serving import server_process

pytestmark = pytest.mark.slow
REQUEST: dict[str, Any] = {"text": "Hello.", "seed": 3, "cache": False}
"""The second process reads the pack that the first has written; with this seed that changed a pitch."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return clone_ann(tmp_path_factory.mktemp("cloned")) | TINY_PATHS


@pytest.fixture(scope="module")
def queue(settings: dict[str, str]) -> Iterator[LocalQueue]:
    command = [sys.executable, str(TINY), "queue"]
    with LocalQueue(command=command, cwd=ROOT, env=settings) as running:
        yield running


@pytest.fixture(scope="module")
def http(
    queue: LocalQueue, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The server starts after the worker, whose pack it reads."""
    log = tmp_path_factory.mktemp("server") / "log"
    with server_process([sys.executable, str(TINY), "http"], settings, log) as client:
        yield client


def test_the_queue_lists_uses_and_exports_it(queue: LocalQueue, settings: dict[str, str]) -> None:
    listed = queue.run({"action": "voices.list"}, sync=True)["output"]["voices"]
    spoken = queue.run(REQUEST | {"voice": "ann"}, sync=True, timeout_s=300)["output"]
    default = queue.run(REQUEST, sync=True, timeout_s=300)["output"]
    out = queue.run({"action": "voices.export", "voice": "ann"}, sync=True)["output"]

    assert [voice["id"] for voice in listed] == ["ann"]
    assert spoken["voice"] == "ann"
    assert soundfile.info(io.BytesIO(base64.b64decode(spoken["audio_base64"]))).duration > 0.3
    assert spoken["audio_base64"] != default["audio_base64"]
    kept = Path(settings["CHATTERBOX_VOICES_DIR"]) / "ann.safetensors"
    assert base64.b64decode(out["reference_audio"]) == kept.read_bytes()


def test_http_lists_it_and_returns_the_same_samples(
    queue: LocalQueue, http: httpx.Client, settings: dict[str, str]
) -> None:
    over_queue = queue.run(REQUEST | {"voice": "ann"}, sync=True, timeout_s=300)["output"]
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


def test_a_batch_returns_the_same_bytes_from_the_queue_and_the_server(
    queue: LocalQueue, http: httpx.Client, tmp_path: Path
) -> None:
    texts = ["Hello.", "Good evening to you.", "And a third one."]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    ways = {
        "queue": ["--url", queue.url, "--endpoint", "local", "--key", queue.api_key],
        "server": ["--server", str(http.base_url)],
    }
    for name, way in ways.items():
        arguments = [str(tmp_path / "rows.jsonl"), "-o", str(tmp_path / name), *way, "--set", "cache=false"]
        assert batch([*arguments, "--seed", "3", "--voice", "ann"]) == 0

    files = sorted((tmp_path / "queue").glob("*.wav"))
    assert len(files) == len(texts)
    for text, file in zip(texts, files, strict=True):
        alone = queue.run(REQUEST | {"text": text, "voice": "ann"}, sync=True, timeout_s=300)["output"]
        assert file.read_bytes() == (tmp_path / "server" / file.name).read_bytes()
        assert file.read_bytes() == base64.b64decode(alone["audio_base64"])


def test_a_sentence_of_a_conversation_is_the_stream_of_that_text_with_the_next_seed(http: httpx.Client) -> None:
    texts = ["Hello to all of you.", "Good evening."]

    async def talk() -> list[bytes]:
        address = str(http.base_url).replace("http", "ws") + "/tts/stream"
        sentences: list[bytes] = []
        async with connect(address) as ws:
            for message in ({"type": "start", "seed": 3, "voice": "ann"}, {"type": "text", "text": " ".join(texts)}):
                await ws.send(json.dumps(message))
            await ws.send('{"type": "end"}')
            async for frame in ws:
                if isinstance(frame, bytes):
                    sentences[-1] += frame
                elif json.loads(frame)["type"] == "sentence":
                    sentences.append(b"")
        return sentences

    def stream(text: str, seed: int) -> bytes:
        body = {"input": text, "voice": "ann", "seed": seed, "response_format": "pcm", "stream": True}
        return http.post("/v1/audio/speech", json=body).raise_for_status().content

    spoken = asyncio.run(talk())

    assert len(spoken) == len(texts)
    for number, text in enumerate(texts):
        alone = stream(text, 3 + number)
        assert len(alone) > 10_000
        assert spoken[number][: len(alone)] == alone
        assert not any(spoken[number][len(alone) :])  # the pause between sentences
