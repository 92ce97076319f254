"""Chatterbox-Flash behind the local queue and over HTTP, with synthetic weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from chatterbox_worker.localqueue import LocalQueue
from support.audio_clips import wav_base64
from support.checkpoints import checkpoint
from support.paths import ROOT

pytestmark = pytest.mark.slow

JOB: dict[str, Any] = {"text": "Hello there.", "max_chunk_s": 1.0, "steps": 2, "seed": 7, "check": "off"}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalQueue]:
    folder = tmp_path_factory.mktemp("volume")
    env = {
        "CHATTERBOX_MODELS": "flash", "CHATTERBOX_WEIGHTS_DIR": str(checkpoint("flash")), "CHATTERBOX_DEVICE": "cpu",
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"), "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "CHATTERBOX_PREPARED_WEIGHTS": "off", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    with LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env) as queue:
        yield queue


def test_a_job_speaks_alike_alone_and_among_others(queue: LocalQueue) -> None:
    alone = queue.run(JOB)
    texts = [{"id": str(seed), **JOB, "seed": seed, "cache": False} for seed in (1, 7)]
    together = queue.run({"texts": texts})["output"]

    assert alone["status"] == "COMPLETED"
    assert alone["output"]["model"] == "flash"
    assert any("did not stop" in warning for warning in alone["output"]["warnings"])
    assert together["results"][1]["audio_base64"] == alone["output"]["audio_base64"]


def test_a_voice_of_a_recording_speaks(queue: LocalQueue) -> None:
    answer = queue.run({**JOB, "reference_audio": wav_base64(1.5)})
    assert (answer["status"], answer["output"]["voice"]) == ("COMPLETED", "reference")


def test_parameters_of_other_models_are_refused_by_name(queue: LocalQueue) -> None:
    answer = queue.run({**JOB, "exaggeration": 0.7})
    assert (answer["status"], answer["output"]["field"]) == ("FAILED", "exaggeration")
    assert "flash cannot use exaggeration; it takes temperature, cfg_weight, steps" in str(answer)


def test_characters_without_a_token_are_a_warning_and_a_text_of_them_an_error(queue: LocalQueue) -> None:
    answer = queue.run({**JOB, "text": "The café in Łódź sells ж and щ."})
    assert [each.partition(": ")[0] for each in answer["output"]["warnings"] if "left out" in each] == [
        "ж and щ are left out"
    ]
    refused = queue.run({**JOB, "text": "Доброе утро."})
    assert (refused["status"], refused["output"]["field"]) == ("FAILED", "text")
    assert "flash has no token for any letter of 'Доброе утро.'" in refused["output"]["message"]
