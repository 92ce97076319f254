"""A fine-tuned voice of csm from the command line to the worker, on the tiny checkpoint."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import support.tiny_csm as tiny
from chatterbox_worker.cache import AudioCache
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.csm.training import session
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest, parse
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.train.__main__ import main
from chatterbox_worker.train.merge import main as merge
from chatterbox_worker.voices.bundle import unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.checkpoints import checkpoint
from support.training_clips import write_clips


@pytest.mark.slow
def test_csm_is_trained_continued_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    voices = tmp_path / "voices"
    for name, value in {
        "CHATTERBOX_WEIGHTS_DIR": str(checkpoint("csm")), "CHATTERBOX_DEVICE": "cpu", "CHATTERBOX_THREADS": "1",
        "CHATTERBOX_VOICES_DIR": str(voices), "HF_HUB_OFFLINE": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(session, "LONGEST_SAMPLE_S", 0.4)
    data, run = write_clips(tmp_path / "data", 6), tmp_path / "run"
    arguments = ["--data", str(data), "--model", "csm", "--output-voice-id", "anna", "--run-dir", str(run), "--install",
                 "--learning-rate", "1e-2", "--batch-size", "2", "--accumulate", "1", "--eval-every", "2"]  # fmt: skip
    assert main([*arguments, "--steps", "2"]) == 0
    assert main([*arguments, "--steps", "4"]) == 0
    assert merge([str(run / "anna.safetensors"), str(tmp_path / "merged")]) == 2
    output = capsys.readouterr()

    assert "continuing after step 2 of 4" in output.out
    assert "text loss" not in output.out
    assert "fine-tuned for csm; only multilingual, " in output.err
    assert len(list((run / "samples").glob("*.wav"))) >= 2
    bundle = unpack((run / "anna.safetensors").read_bytes(), field="voice")
    assert bundle.adapter is not None
    assert bundle.details.transcript
    assert bundle.details.language == "en"
    engine = tiny.engine(tmp_path, slots=2, base=bundle.adapter.base)
    settings = Settings(models=("csm", "english"), voices_dir=voices, cache_dir=tmp_path / "cache", check="off")
    synthesizer = Synthesizer(
        {"csm": engine}, VoiceLibrary(voices), AudioCache(settings.cache_dir, max_bytes=0, max_age_s=1)
    )

    def request(**fields: Any) -> SpeechRequest:
        parsed = parse({"text": "Hello there.", "seed": 1, "max_chunk_s": 0.5, **fields}, settings)
        assert isinstance(parsed, SpeechRequest)
        return parsed

    first, again = (synthesizer.speak(request(voice="anna"), CancelScope()) for _ in range(2))
    file = base64.b64encode((run / "anna.safetensors").read_bytes()).decode()
    sent = synthesizer.speak(request(reference_audio=file), CancelScope())
    with pytest.raises(InvalidRequest, match="fine-tuned for csm: ask for model csm, not english") as refused:
        synthesizer.plan(request(voice="anna", model="english"))
    engine.close()

    assert first.info.model == "csm"
    assert first.audio == again.audio == sent.audio
    assert refused.value.field == "model"
