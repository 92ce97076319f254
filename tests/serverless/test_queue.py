"""The real worker behind the SDK's loop on the local queue, with the preview engine: what a caller of RunPod gets."""

from __future__ import annotations

import base64
import io
import json
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import soundfile

from chatterbox_worker.localqueue import LocalQueue
from support.bad_inputs import BAD_INPUTS
from support.paths import ROOT

pytestmark = pytest.mark.slow

GOOD: list[dict[str, Any]] = [
    {"text": "Hello there."},
    {"text": "Hello there.", "format": "mp3", "seed": 4},
    {"prompt": "The public shape.", "format": "ogg"},
    {"text": "Hola, ¿qué tal? Todo bien por aquí.", "language": "es", "format": "opus"},
    {"text": "A longer story is told here. It goes on. " * 20, "speed": 1.5, "format": "flac"},
    {"text": "No cache for me.", "cache": False, "format": "pcm"},
    {"openai_route": "/v1/audio/speech", "openai_input": {"input": "Hello.", "voice": "default", "model": "preview"}},
    {"action": "info"},
    {"action": "voices.list"},
]
# those whose field does not depend on which models the worker serves
BAD = [
    (name, value, field)
    for name, value, field in BAD_INPUTS
    if value and not any(word in name for word in ("model", "turbo", "conversion"))  # the preview does not convert
]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalQueue]:
    folder = tmp_path_factory.mktemp("worker")
    env = {
        "CHATTERBOX_MODELS": "preview",
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"),
        "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "RUNPOD_LOG_LEVEL": "WARN",
    }
    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as running:
        yield running


def test_200_jobs_of_mixed_kinds_are_each_answered_exactly_once(queue: LocalQueue) -> None:
    draw = random.Random(200)
    kinds = [(value, True) for value in GOOD] + [(value, False) for _, value, _ in BAD]
    jobs = [draw.choice(kinds) for _ in range(200)]

    ids = [queue.submit(value) for value, _ in jobs]
    answers = [queue.wait(job, timeout_s=300) for job in ids]

    for (value, good), answer in zip(jobs, answers, strict=True):
        assert answer["status"] == ("COMPLETED" if good else "FAILED"), (value, answer)
        assert "Traceback" not in json.dumps(answer)
    assert [queue.jobs[job].done_posts for job in ids] == [1] * 200


@pytest.mark.parametrize(("value", "field"), [row[1:] for row in BAD[::6]], ids=[row[0] for row in BAD[::6]])
def test_a_failed_job_carries_the_reason_and_the_field(queue: LocalQueue, value: Any, field: str) -> None:
    answer = queue.run(value)

    assert answer["status"] == "FAILED"
    assert answer["output"]["field"] == field
    assert isinstance(answer["error"], str)


def test_what_comes_back_is_audio(queue: LocalQueue) -> None:
    output = queue.run({"text": "One sentence.", "sample_rate": 16_000}, sync=True)["output"]

    info = soundfile.info(io.BytesIO(base64.b64decode(output["audio_base64"])))
    assert (info.samplerate, info.channels) == (16_000, 1)
    assert info.duration == pytest.approx(output["duration_s"], abs=1e-3)
    assert output["model"] == "preview"


def test_the_second_time_is_a_hit_and_quick_inside(queue: LocalQueue) -> None:
    text = "This sentence is spoken once and then remembered."
    first, *later = [queue.run({"text": text}, sync=True)["output"] for _ in range(4)]

    assert not first["cache_hit"]
    assert all(output["cache_hit"] for output in later)
    assert min(output["generation_time_ms"] for output in later) < 5
