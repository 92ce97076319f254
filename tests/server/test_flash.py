"""Chatterbox-Flash over HTTP: the tiny engine behind the real routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.serving import Open
from support.tiny_engine import tiny_engine

pytestmark = pytest.mark.slow

BODY: dict[str, Any] = {"input": "Hello there.", "response_format": "pcm", "seed": 7, "steps": 2, "cache": False}


@pytest.fixture
def flash_engine(tmp_path: Path) -> Iterator[ChatterboxEngine]:
    engine = tiny_engine("flash", tmp_path, max_tokens=40)
    yield engine
    engine.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        models=("flash",), cache_dir=tmp_path / "cache", voices_dir=tmp_path / "voices", concurrency=4, check="off"
    )


@pytest.fixture
def backend(settings: Settings, flash_engine: ChatterboxEngine) -> Callable[[Settings], Backend]:
    library = VoiceLibrary(settings.voices_dir)
    cache = AudioCache(settings.cache_dir, max_bytes=10**7, max_age_s=3600)
    return lambda chosen: LocalBackend(chosen, lambda _: Synthesizer({"flash": flash_engine}, library, cache))


@pytest.mark.anyio
async def test_flash_speaks_streams_and_is_listed(open_server: Open) -> None:
    async with open_server() as http:
        (model,) = (await http.get("/v1/models")).json()["data"]
        whole = await http.post("/v1/audio/speech", json=BODY)
        streamed = await http.post("/v1/audio/speech", json=BODY | {"stream_format": "audio"})
        refused = await http.post("/v1/audio/speech", json=BODY | {"top_p": 0.5})

    assert model["id"] == "flash"
    assert model["sampling"]["block_size"] == {"default": 16, "min": 1, "max": 16}
    assert (whole.status_code, streamed.status_code) == (200, 200)
    assert len(whole.content) > 24_000  # half a second
    assert len(streamed.content) > 24_000
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "top_p")
