"""CSM behind the local queue: the worker as RunPod runs it, and the same sound as from Python."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker import VoiceCloner
from chatterbox_worker.localqueue import LocalQueue
from support.audio_clips import wav_base64, wav_bytes
from support.checkpoints import checkpoint
from support.paths import ROOT
from support.platform_queue import cancel, eventually
from support.serving import server_process

pytestmark = pytest.mark.slow

WORDS = "This is what is said there."
JOB: dict[str, Any] = {"text": "Hello there.", "max_chunk_s": 0.8, "seed": 7, "check": "off"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("volume")
    return {
        "CHATTERBOX_MODELS": "csm", "CHATTERBOX_WEIGHTS_DIR": str(checkpoint("csm")), "CHATTERBOX_DEVICE": "cpu",
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def queue(settings: dict[str, str]) -> Iterator[LocalQueue]:
    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=settings) as queue:
        yield queue


def test_a_job_gives_the_sound_that_python_gives(queue: LocalQueue, tmp_path: Path) -> None:
    answer = queue.run({**JOB, "reference_audio": wav_base64(1.5), "reference_transcript": WORDS})
    recording = tmp_path / "reference.wav"
    recording.write_bytes(wav_bytes(1.5))
    with VoiceCloner(model_path=checkpoint("csm"), device="cpu") as cloner:
        speech = cloner.clone_voice_from_file(
            reference_audio=recording,
            reference_transcript=WORDS,
            target_text=JOB["text"],
            seed=7,
            max_chunk_s=0.8,
            check="off",
        )

    assert answer["status"] == "COMPLETED"
    assert base64.b64decode(answer["output"]["audio_base64"]) == speech.audio
    assert answer["output"]["warnings"] == ["the model did not stop within 0.8 s; the speech may be cut off"]


def test_http_gives_the_sound_that_the_queue_gives(queue: LocalQueue, settings: dict[str, str], tmp_path: Path) -> None:
    reference = {"reference_audio": wav_base64(1.5), "reference_transcript": WORDS}
    past = [{"text": "What is it?", "audio": wav_base64(1.0, 180.0), "speaker": 0}]
    asked: list[dict[str, Any]] = [{"seed": 7}, {"seed": 8, **reference}, {"seed": 9, "speaker": 1, "context": past}]
    with server_process([sys.executable, "-m", "chatterbox_worker.server"], settings, tmp_path / "log") as http:
        for fields in asked:
            body = {**JOB, **fields, "format": "wav", "cache": False}
            over_queue = queue.run(body, timeout_s=300)["output"]
            over_http = http.post("/v1/audio/speech", json=body).raise_for_status()
            assert over_http.content == base64.b64decode(over_queue["audio_base64"])


def test_a_voice_saved_with_its_transcript_speaks_and_uses_context(queue: LocalQueue) -> None:
    saved = queue.run(
        {"action": "voices.save", "voice": "alice", "reference_audio": wav_base64(1.5), "reference_transcript": WORDS}
    )
    first = queue.run({**JOB, "voice": "alice"})["output"]
    past = [{"text": JOB["text"], "audio": first["audio_base64"], "speaker": 0}]
    second = queue.run({**JOB, "speaker": 1, "context": past})["output"]
    without = queue.run({**JOB, "speaker": 1})["output"]

    assert saved["status"] == "COMPLETED"
    assert first["voice"] == "alice"
    assert second["audio_base64"] != without["audio_base64"]
    assert queue.run({**JOB, "speaker": 1, "context": past})["output"]["cache_hit"] is True


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reference_audio": wav_base64(1.5)}, "reference_transcript"),
        ({"language": "es"}, "language"),
        ({"context": [{"text": "Hum.", "audio": "AAAA"}]}, "context[0].audio"),
    ],
)
def test_a_bad_job_is_answered_with_its_field(queue: LocalQueue, fields: dict[str, Any], field: str) -> None:
    answer = queue.run({**JOB, **fields})

    assert (answer["status"], answer["output"]["field"]) == ("FAILED", field)


def test_a_cancelled_job_frees_its_place(queue: LocalQueue) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {queue.api_key}"}
    long = {"input": {"text": "A very long one.", "max_chunk_s": 80, "seed": 1}}
    jobs = [
        httpx.post(f"{queue.endpoint_url}/run", json=long, headers=headers, timeout=60).json()["id"] for _ in range(2)
    ]

    def status(job: str) -> str:
        return str(httpx.get(f"{queue.endpoint_url}/status/{job}", headers=headers, timeout=60).json()["status"])

    assert eventually(lambda: {status(job) for job in jobs} == {"IN_PROGRESS"})
    for job in jobs:
        cancel(queue, job)

    assert queue.run({**JOB, "cache": False}, timeout_s=300)["status"] == "COMPLETED"
