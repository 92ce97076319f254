"""A fine-tuned voice through the edges: a file in the voices folder works at once, and deleting it leaves no trace."""

from __future__ import annotations

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.train import import_adapter, merge
from chatterbox_worker.voices.bundle import pack, unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes
from support.checkpoints import linked
from support.community import bases
from support.fine_tuned import tiny_adapter, voice_file
from support.paths import ROOT
from support.peft_adapters import write_adapter
from support.tiny_engine import tiny_engine


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A server with a tiny nano engine."""

    def build(_: Settings) -> Synthesizer:
        engine = tiny_engine("nano", settings.voices_dir / ".conditioning", adapters=1, max_tokens=8)
        return Synthesizer(
            {"nano": engine},
            VoiceLibrary(settings.voices_dir),
            AudioCache(settings.cache_dir, max_bytes=0, max_age_s=1),
        )

    app = create_app(settings, LocalBackend(settings, build))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server", timeout=60) as http:
            yield http


@pytest.mark.anyio
async def test_over_http_it_is_uploaded_or_copied_used_and_deleted(settings: Settings) -> None:
    chosen = replace(settings, models=("nano",))
    data = voice_file(tiny_adapter("nano"))
    async with open_server(chosen) as http:

        async def speak(voice: str) -> bytes:
            fields = {"input": "Hello.", "voice": voice, "model": "nano", "response_format": "wav", "seed": 1}
            answer = await http.post("/v1/audio/speech", json=fields)
            assert answer.status_code == 200, answer.text
            return answer.content

        await http.post("/voices", files={"file": ("plain.safetensors", voice_file(None))})
        plain, own = await speak("plain"), await speak("default")
        saved = await http.post("/voices", files={"file": ("alice.safetensors", data)})
        (chosen.voices_dir / "copied.safetensors").write_bytes(data)
        about = (await http.get("/voices/alice")).json()
        listed = (await http.get("/voices")).json()
        tuned, again = await speak("alice"), await speak("copied")
        stored = list((chosen.voices_dir / ".conditioning").iterdir())
        for name in ("alice", "copied"):  # the same recording
            assert (await http.delete(f"/voices/{name}")).status_code == 200
        left = list((chosen.voices_dir / ".conditioning").iterdir())
        gone = await http.post("/v1/audio/speech", json={"input": "Hello.", "voice": "alice", "model": "nano"})
        assert await speak("plain") == plain
        assert await speak("default") == own

    assert saved.status_code == 201, saved.text
    assert about["model"] == "nano"
    assert listed == ["default", "alice", "copied", "plain"]
    assert tuned == again != plain
    assert gone.status_code == 404
    assert len(stored) == 2  # of "plain" and of "alice"
    assert len(left) == 1


@pytest.mark.slow
def test_a_running_worker_uses_it_without_a_restart(tmp_path: Path) -> None:
    voices, weights = tmp_path / "voices", linked("nano", tmp_path / "weights")
    env = {
        "CHATTERBOX_MODELS": "nano", "CHATTERBOX_WEIGHTS_DIR": str(weights), "CHATTERBOX_VOICES_DIR": str(voices),
        "CHATTERBOX_CACHE_DIR": str(tmp_path / "cache"), "CHATTERBOX_DEVICE": "cpu", "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1", "CHATTERBOX_CACHE_MAX_BYTES": "0",
    }  # fmt: skip

    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as queue:

        def run(**fields: Any) -> dict[str, Any]:
            answer: dict[str, Any] = queue.run(fields, sync=True, timeout_s=300)
            return answer

        def speak(voice: str) -> bytes:
            answer = run(text="Hi.", voice=voice, seed=1, sample_rate=8000, max_chunk_s=0.8, check="off")
            assert answer["status"] == "COMPLETED", answer
            return base64.b64decode(answer["output"]["audio_base64"])

        plain = base64.b64encode(voice_file(None)).decode()
        assert run(action="voices.save", voice="plain", reference_audio=plain)["status"] == "COMPLETED"
        before = speak("plain")
        (voices / "alice.safetensors").write_bytes(voice_file(tiny_adapter("nano")))
        (voices / "other.safetensors").write_bytes(voice_file(tiny_adapter("nano", base="f" * 64)))
        assert [voice["id"] for voice in run(action="voices.list")["output"]["voices"]] == ["alice", "other", "plain"]
        assert speak("alice") != before
        refused = run(text="Hi.", voice="other")
        assert run(action="voices.delete", voice="alice")["status"] == "COMPLETED"
        gone = run(text="Hi.", voice="alice")
        assert speak("plain") == before

    assert refused["status"] == gone["status"] == "FAILED"
    assert "fine-tuned on other weights of nano (ffffffffffff)" in refused["error"]
    assert gone["output"]["code"] == "voice_not_found"


@pytest.mark.slow
def test_an_adapter_of_peft_sounds_on_the_queue_like_its_merged_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = bases(tmp_path / "weights")
    write_adapter(tmp_path / "lucia")
    (tmp_path / "clip.wav").write_bytes(wav_bytes())
    file = tmp_path / "lucia.safetensors"
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(weights))
    assert (
        import_adapter.main([*map(str, (tmp_path / "lucia", tmp_path / "clip.wav", file)), "--model", "english"]) == 0
    )
    assert merge.main([str(file), str(tmp_path / "merged")]) == 0
    plain = pack(replace(unpack(file.read_bytes(), field="voice"), adapter=None))
    env = {
        "CHATTERBOX_MODELS": "english", "CHATTERBOX_CUSTOM_MODELS": f"merged={tmp_path}/merged:english",
        "CHATTERBOX_WEIGHTS_DIR": str(weights), "CHATTERBOX_DEVICE": "cpu", "CHATTERBOX_PROFILE": "exact",
        "CHATTERBOX_PREPARED_WEIGHTS": "off", "CHATTERBOX_CACHE_DIR": str(tmp_path / "cache"),
        "CHATTERBOX_VOICES_DIR": str(tmp_path / "voices"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
        "CHATTERBOX_THREADS": "1",
    }  # fmt: skip
    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as queue:

        def run(**fields: Any) -> dict[str, Any]:
            answer = queue.run(fields, sync=True, timeout_s=300)
            assert answer["status"] == "COMPLETED", answer
            output: dict[str, Any] = answer["output"]
            return output

        for name, data in (("lucia", file.read_bytes()), ("plain", plain)):
            run(action="voices.save", voice=name, reference_audio=base64.b64encode(data).decode())

        def speak(model: str, voice: str) -> Samples:
            fields = {"text": "Hi.", "seed": 1, "max_chunk_s": 0.5, "check": "off", "model": model, "voice": voice}
            data = base64.b64decode(run(**fields)["audio_base64"])
            return decode(data, field="audio", max_s=10).samples

        base, adapted, merged = speak("english", "plain"), speak("english", "lucia"), speak("merged", "plain")
    assert np.abs(adapted - merged).max() < 1e-3
    shortest = min(len(base), len(adapted))
    assert np.abs(adapted[:shortest] - base[:shortest]).max() > 0.05
