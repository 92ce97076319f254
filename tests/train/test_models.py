"""Whole models from the command line: a new language from twenty clips, served and spoken; and a T3 trained whole."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import httpx2
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.engines.chatterbox.training import speak
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.train.__main__ import main
from chatterbox_worker.train.loop import TrainingLoop
from chatterbox_worker.train.options import parse
from chatterbox_worker.train.rows import TranscriptRow
from chatterbox_worker.train.session import open_session
from chatterbox_worker.voices.bundle import unpack
from chatterbox_worker.wiring import build
from support.checkpoints import checkpoint, linked
from support.training_clips import recordings, wav, write_table
from tools.synthetic_tokenizer import SENTENCES

pytestmark = pytest.mark.slow

WORDS = ("سلام", "پدر", "چای", "گرم", "ژاله", "کتاب")
T3 = LAYOUTS["multilingual"].t3
QUICK = ("--batch-size", "4", "--accumulate", "1", "--learning-rate", "1e-3")


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tiny weights, a CPU, and samples of one second; Chinese and Russian without their helpers."""
    settings = {
        "CHATTERBOX_WEIGHTS_DIR": str(tmp_path / "bases"), "CHATTERBOX_DEVICE": "cpu", "CHATTERBOX_THREADS": "1",
        "CHATTERBOX_VOICES_DIR": str(tmp_path / "voices"), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    linked("multilingual", tmp_path / "bases")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(speak, "MAX_SPEECH_TOKENS", 25)
    for helper in ("spacy_pkuseg", "silero_stress"):
        monkeypatch.setitem(sys.modules, helper, None)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _clips(folder: Path, count: int = 20) -> Path:
    """Recordings of a second with Persian transcripts, and a row in English."""
    folder.mkdir()
    rows = []
    for number, audio in enumerate(recordings()[:count]):
        (folder / f"{number}.wav").write_bytes(wav(Audio(audio.samples[: audio.sample_rate], audio.sample_rate)))
        text = " ".join(WORDS[(number + each) % len(WORDS)] for each in range(2))
        rows.append({"audio": f"{number}.wav", "text": f"{text}.", "language": "fa"})
    rows[0] |= {"text": "A lamp 🙂 burned.", "language": "en"}
    write_table(folder / "metadata.csv", rows)
    return folder


def _train(data: Path, run: Path, *more: str) -> int:
    given = ["--data", str(data), "--model", "multilingual", "--output-voice-id", "farsi", "--run-dir", str(run)]
    return main([*given, *QUICK, *more])


def _train_from(t3: Path, tmp_path: Path, *more: str) -> int:
    """Train with this T3 in the place of the published one."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path / "own"))
        folder = tmp_path / "own" / "multilingual"
        folder.mkdir(parents=True)
        for path in checkpoint("multilingual").iterdir():
            (folder / path.name).symlink_to(t3 if path.name == T3 else path)
        return _train(tmp_path / "data", tmp_path / "again", *more)


def _entry(output: str) -> str:
    found = re.search(r'CHATTERBOX_CUSTOM_MODELS="(.*)"', output)
    assert found is not None, output
    return found[1]


def _assert_old_languages_stay(settings: Settings) -> None:
    """The ids of their texts, and every weight that they use, to the bit."""
    base = find(LAYOUTS["multilingual"], weights_dir=settings.weights_dir, offline=True)
    old, new = load_tokenizer(base), load_tokenizer(checkpoint_of("farsi", settings))
    for language, sentence in SENTENCES.items():
        assert old.encode(sentence, language) == new.encode(sentence, language), language
    before, after = load_file(base.path(T3)), load_file(checkpoint_of("farsi", settings).path(T3))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name][: len(tensor)]), name


@pytest.mark.anyio
async def test_a_new_language_is_trained_from_twenty_clips_served_and_spoken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = _clips(tmp_path / "data"), tmp_path / "run"
    assert _train(data, run, "--language", "fa", "--extend-tokenizer", "--steps", "6", "--eval-share", "0") == 0
    output = capsys.readouterr().out
    assert "7 new tokens, with the transcripts that have them: [fa] (19), پ (" in output
    assert "20 clips kept" in output
    assert unpack((run / "farsi.safetensors").read_bytes(), field="voice").adapter is None
    entry = _entry(output)
    assert entry.startswith(f"farsi={run.resolve() / 'model'}:multilingual:fa+ar+")
    assert _train_from(run / "model" / T3, tmp_path, "--language", "en", "--eval-share", "0", "--steps", "1") == 1
    assert "7 text tokens more than the tokenizer of multilingual: a model with a language" in capsys.readouterr().err

    settings = Settings.from_env({
        "CHATTERBOX_MODELS": "multilingual", "CHATTERBOX_CUSTOM_MODELS": entry, "CHATTERBOX_DEVICE": "cpu",
        "CHATTERBOX_WEIGHTS_DIR": str(tmp_path / "bases"), "CHATTERBOX_CACHE_DIR": str(tmp_path / "cache"),
        "CHATTERBOX_VOICES_DIR": str(tmp_path / "voices"), "CHATTERBOX_THREADS": "1", "CHATTERBOX_PROFILE": "exact",
        "CHATTERBOX_PREPARED_WEIGHTS": "off", "CHATTERBOX_CHECK": "off",
    })  # fmt: skip
    _assert_old_languages_stay(settings)
    rows = load_file(run / "model" / T3)["text_emb.weight"][-7:]
    assert (rows.diff(dim=0) != 0).any(dim=1).all()  # all graphemes began alike

    app = create_app(settings, LocalBackend(settings, build))
    spoken = {}
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server", timeout=60) as http:
            for model, language, text in (
                ("farsi", "fa", "چای."), ("farsi", "en", "Hi."), ("multilingual", "en", "Hi."),
            ):  # fmt: skip
                fields = {"input": text, "model": model, "language": language, "seed": 1, "max_chunk_s": 1.0}
                answer = await http.post("/v1/audio/speech", json=fields | {"response_format": "wav"})
                assert answer.status_code == 200, answer.text
                spoken[model, language] = answer.content
    assert spoken["farsi", "fa"] != spoken["farsi", "en"]
    assert spoken["farsi", "en"] == spoken["multilingual", "en"]


def test_a_t3_trained_whole_continues_after_a_stop_and_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = _clips(tmp_path / "data", 6), tmp_path / "run"
    more = ("--language", "fa", "--extend-tokenizer", "--full", "--eval-share", "0", "--save-every", "1")
    assert _train(data, tmp_path / "unbroken", *more, "--steps", "4") == 0
    step = TrainingLoop._step

    def stop_at_three(loop: TrainingLoop, shown: object) -> None:
        if loop._trainer.done == 3:
            raise KeyboardInterrupt
        step(loop, shown)  # type: ignore[arg-type]

    with monkeypatch.context() as stopping:
        stopping.setattr(TrainingLoop, "_step", stop_at_three)
        with pytest.raises(KeyboardInterrupt):
            _train(data, run, *more, "--steps", "4")
    assert not (run / "model").exists()
    assert _train(data, run, *more, "--steps", "4") == 0
    assert "continuing after step 3 of 4" in capsys.readouterr().out
    one, other = (load_file(folder / "model" / T3) for folder in (tmp_path / "unbroken", run))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert one["speech_head.weight"].ne(load_file(checkpoint("multilingual") / T3)["speech_head.weight"]).any()

    assert _train(data, run, *(each for each in more if each != "--full"), "--steps", "4") == 2
    assert "full was True and is None" in capsys.readouterr().err
    with safe_open(run / "model" / T3, "pt") as file:
        assert json.loads(file.metadata()["chatterbox_worker"])["trained"]["step"] == 4


def test_rows_with_an_adapter_are_spoken_at_each_evaluation_and_merged(tmp_path: Path) -> None:
    data, run = _clips(tmp_path / "data", 6), tmp_path / "run"
    more = ("--language", "fa", "--extend-tokenizer", "--rank", "2", "--steps", "1", "--eval-every", "1")
    assert _train(data, run, *more) == 0
    assert [path.name for path in sorted((run / "samples").glob("*.wav"))] == [
        "step-000000-1.wav", "step-000001-1.wav",
    ]  # fmt: skip
    assert not any("lora" in name for name in load_file(run / "model" / T3))


def test_a_new_language_without_a_transcript_is_refused(tmp_path: Path) -> None:
    command = ["--data", "d", "--model", "multilingual", "--output-voice-id", "farsi", "--run-dir", str(tmp_path)]
    options = parse([*command, "--language", "fa", "--extend-tokenizer"])
    rows = [TranscriptRow(language, "line 2", "Hello.", lambda: b"", language) for language in ("en", "DE")]
    with pytest.raises(InvalidRequest, match="--language fa: no transcript is in it; the table's language is de or en"):
        open_session(rows, options, Settings(), print)
