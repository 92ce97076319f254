"""Speech to text: what it needs, and what it gives back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from chatterbox_worker import asr
from chatterbox_worker.asr import RATE, SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, Samples, concatenate, silence
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


class _Detector:
    """In Whisper's place: records the windows; the first is German, the others are English."""

    def __init__(self, *, is_multilingual: bool) -> None:
        self.model = SimpleNamespace(is_multilingual=is_multilingual)
        self.windows: list[tuple[float, int]] = []

    def detect_language(self, samples: Samples) -> tuple[str, float, list[tuple[str, float]]]:
        self.windows.append((float(samples[0]), len(samples)))
        found = [("en", 0.8), ("de", 0.2)] if samples[0] else [("de", 0.7), ("en", 0.3)]
        return (*found[0], found)


@pytest.mark.parametrize(("seconds", "starts"), [(4, [0]), (40, [0, 10]), (300, [0, 135, 270])])
def test_a_language_is_found_in_windows_that_are_spread_evenly(seconds: int, starts: list[int]) -> None:
    recognizer = SpeechRecognizer()
    recognizer._model = detector = _Detector(is_multilingual=True)
    second = np.repeat(np.arange(seconds), RATE).astype(np.float32)
    found = recognizer.detect_language(Audio(second, RATE))
    assert detector.windows == [(start, min(30, seconds) * RATE) for start in starts]
    german = (0.7 + 0.2 * (len(starts) - 1)) / len(starts)
    assert found == {"de": pytest.approx(german), "en": pytest.approx(1 - german)}
    assert next(iter(found)) == ("de" if len(starts) == 1 else "en")


def test_a_model_of_one_language_finds_none() -> None:
    recognizer = SpeechRecognizer()
    recognizer._model = _Detector(is_multilingual=False)
    assert recognizer.detect_language(silence(1.0, RATE)) == {}


@pytest.mark.slow
def test_words_come_with_their_times() -> None:
    path = min(real("speech").glob("*/*.flac"))
    samples, rate = soundfile.read(path, dtype="float32")
    speech = Audio(samples, rate)
    recognizer = SpeechRecognizer(str(real("whisper-base")), "cpu")
    found = recognizer.transcribe(concatenate([silence(1.0, rate), speech]), "en")
    assert found.language == "en"
    assert recognizer.detect_language(speech)["en"] > 0.9
    assert " ".join(word.text for word in found.words) == found.text
    times = [time for word in found.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert 0.5 < times[0] < times[-1] < 1.2 + speech.duration_s
    again = recognizer.transcribe(speech, "en-GB", word_times=False)
    assert again.words == ()
    assert len(again.text.split()) == pytest.approx(len(found.words), abs=2)
    with pytest.raises(InvalidRequest, match="cannot transcribe xx"):
        recognizer.transcribe(speech, "xx")
