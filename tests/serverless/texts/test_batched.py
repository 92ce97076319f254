"""Many texts of one job share the real engine's batch, and each sounds as it would alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chatterbox_worker.cache import AudioCache
from chatterbox_worker.config import Settings
from chatterbox_worker.serverless.worker import Worker
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from support.tiny_engine import tiny_engine
from support.worker_jobs import ask

SLOTS = 4


def test_texts_fill_the_batch_and_sound_as_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tiny_engine("turbo", tmp_path, slots=SLOTS)
    library, cache = VoiceLibrary(tmp_path / "voices"), AudioCache(tmp_path / "cache", max_bytes=0, max_age_s=1)
    worker = Worker(replace(settings, models=("turbo",)), Synthesizer({"turbo": engine}, library, cache))
    at_once: list[int] = []
    step = engine._scheduler._slots.step

    def counted() -> None:
        at_once.append(engine._scheduler.active)
        step()

    monkeypatch.setattr(engine._scheduler._slots, "step", counted)
    texts = [{"id": str(n), "text": f"Text number {n} is spoken.", "seed": n} for n in range(6)]

    try:
        many = ask(worker, {"texts": texts, "format": "pcm", "cache": False})
        steps = len(at_once)
        alone = [ask(worker, {"text": t["text"], "seed": t["seed"], "format": "pcm", "cache": False}) for t in texts]
    finally:
        worker.close()

    assert many["failed"] == 0
    assert [result["audio_base64"] for result in many["results"]] == [answer["audio_base64"] for answer in alone]
    assert max(at_once[:steps]) == SLOTS
    assert steps < (len(at_once) - steps) / 2  # six one after another take as many steps as six alone
