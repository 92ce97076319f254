"""Speech to text: what it needs, and what it gives back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from chatterbox_worker import asr
from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, concatenate, silence
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, NotReady
from support.recordings import real


def test_the_module_loads_nothing_when_it_is_imported() -> None:
    code = (
        "import chatterbox_worker.asr, sys; sys.exit(any(n in sys.modules for n in ('faster_whisper', 'ctranslate2')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidRequest, match=r"check words needs .*the extra named asr") as refused:
        asr.require("check words", field="check")
    assert refused.value.field == "check"
    with pytest.raises(NotReady, match="pip install faster-whisper"):
        SpeechRecognizer().load()


def test_the_settings_choose_the_model() -> None:
    recognizer = SpeechRecognizer.of(Settings.from_env({
        "CHATTERBOX_ASR_MODEL": "/models/small", "CHATTERBOX_ASR_DEVICE": "cuda:1", "CHATTERBOX_THREADS": "2",
    }))  # fmt: skip
    assert (recognizer.name, recognizer._device, recognizer._threads) == ("/models/small", "cuda:1", 2)


@pytest.mark.slow
def test_a_model_that_is_not_there_is_an_error_with_the_setting(tmp_path: Path) -> None:
    for model in ("huge", str(tmp_path)):
        with pytest.raises(NotReady, match="CHATTERBOX_ASR_MODEL"):
            SpeechRecognizer(model, "cpu").load()


@pytest.mark.slow
def test_words_come_with_their_times() -> None:
    path = min(real("speech").glob("*/*.flac"))
    samples, rate = soundfile.read(path, dtype="float32")
    speech = Audio(samples, rate)
    recognizer = SpeechRecognizer(str(real("whisper-base")), "cpu")
    found = recognizer.transcribe(concatenate([silence(1.0, rate), speech]), "en")
    assert found.language == "en"
    assert " ".join(word.text for word in found.words) == found.text
    times = [time for word in found.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0.5 < times[0] < times[-1] < 1.2 + speech.duration_s
    again = recognizer.transcribe(speech, "en-GB", word_times=False)
    assert again.words == ()
    assert len(again.text.split()) == pytest.approx(len(found.words), abs=2)
    with pytest.raises(InvalidRequest, match="cannot transcribe xx"):
        recognizer.transcribe(speech, "xx")
