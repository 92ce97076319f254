"""Whole runs from the command line on a tiny checkpoint: what they write, what they refuse, and what a kill loses."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from chatterbox_worker import local
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.config import environment
from chatterbox_worker.engines.chatterbox.training import speak
from chatterbox_worker.engines.chatterbox.training.resume import save_state
from chatterbox_worker.engines.chatterbox.training.session import TrainingSession
from chatterbox_worker.files import lock_folder
from chatterbox_worker.train import extras, loop
from chatterbox_worker.train.__main__ import main
from chatterbox_worker.train.merge import main as merge
from chatterbox_worker.voices.bundle import Bundle, unpack
from chatterbox_worker.voices.contents import voice_of
from support.audio_clips import tone
from support.checkpoints import checkpoint
from support.paths import ROOT
from support.recordings import real
from support.tiny_engine import say, sound_of, tiny_engine
from support.training_clips import as_json_lines, as_parquet, recordings, wav, write_clips, write_table

QUICK = ("--learning-rate", "3e-3", "--batch-size", "2", "--accumulate", "2")


@pytest.fixture(autouse=True)
def _worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tiny weights, a CPU, and samples of one second."""
    settings = {
        "CHATTERBOX_WEIGHTS_DIR": str(checkpoint("english")),
        "CHATTERBOX_DEVICE": "cpu",
        "CHATTERBOX_THREADS": "1",
        "CHATTERBOX_VOICES_DIR": str(tmp_path / "voices"),
        "HF_HUB_OFFLINE": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(speak, "MAX_SPEECH_TOKENS", 25)


def _arguments(data: Path, run: Path, *more: str) -> list[str]:
    given = ["--data", str(data), "--model", "english", "--output-voice-id", "anna", "--run-dir", str(run)]
    return [*given, *QUICK, *more]


def _events(folder: Path) -> list[tuple[int, str]]:
    (path,) = folder.glob("events.out.tfevents.*")
    return [(event.step, value.tag) for event in EventFileLoader(str(path)).Load() for value in event.summary.value]


@pytest.mark.slow
def test_a_run_writes_a_changed_voice_its_samples_and_its_curves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHATTERBOX_VOICES_DIR")
    monkeypatch.setattr(local, "VOLUME", tmp_path / "no volume")
    monkeypatch.chdir(tmp_path)
    voices = tmp_path / ".local" / "voices"  # where `make queue` and `make serve` look
    data, run = write_clips(tmp_path / "data", 8), tmp_path / "run"
    more = ("--steps", "4", "--eval-every", "2", "--install", "--consent", "asked and agreed")
    assert main(_arguments(data, run, *more)) == 0

    output = capsys.readouterr().out
    assert "8 clips kept" in output
    assert "step 4: held-out loss, speech" in output
    bundle = unpack((run / "anna.safetensors").read_bytes(), field="voice")
    assert bundle.adapter is not None
    assert (bundle.adapter.model, bundle.adapter.rank, len(bundle.adapter.factors)) == ("english", 8, 8)
    assert bundle.about["consent"] == "asked and agreed"
    assert len(bundle.about["sources"]) == 7
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert _events(run / "events").count((4, "train/speech_loss")) == 1
    assert [path.name for path in sorted((run / "samples").glob("*.wav"))] == [
        f"step-{step:06}-1.wav" for step in (0, 2, 4)
    ]
    first, last = (soundfile.read(run / "samples" / f"step-{step:06}-1.wav")[0] for step in (0, 4))
    assert len(first) == len(last) == 25 * 960
    assert not np.array_equal(first, last)

    installed = voice_of("anna", (voices / "anna.safetensors").read_bytes(), field="voice")
    assert (voices / "anna.safetensors").read_bytes() == (run / "anna.safetensors").read_bytes()
    engine = tiny_engine("english", tmp_path, adapters=1)
    plain = voice_of("anna", wav(bundle.clip), field="voice")
    with_adapter, without = (sound_of(engine.submit(say("english", voice=voice))) for voice in (installed, plain))
    assert not np.array_equal(with_adapter, without)
    engine.close()

    assert merge([str(run / "anna.safetensors"), str(tmp_path / "merged" / "english")]) == 0
    assert {path.name for path in (tmp_path / "merged" / "english").iterdir()} == {
        path.name for path in checkpoint("english").iterdir()
    }


@pytest.mark.slow
def test_a_reader_without_any_text_is_transcribed_trained_and_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATTERBOX_ASR_MODEL", str(real("whisper-base")))
    monkeypatch.setenv("CHATTERBOX_ASR_DEVICE", "cpu")
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for path in sorted(real("speech/1688").iterdir(), key=lambda path: path.stat().st_size)[:4]:
        (data / path.name).symlink_to(path)
    more = ("--steps", "20", "--eval-every", "20", "--max-clip-s", "20")
    assert main(_arguments(data, run, *more)) == 0

    output = capsys.readouterr().out
    assert f"{run / 'transcribed' / 'metadata.csv'}: 4 clips" in output
    assert "4 clips kept" in output
    assert re.search(r"step 20: samples, similarity to the speaker \d\.\d\d, word errors \d+ %", output)
    table = (run / "transcribed" / "metadata.csv").read_text()
    assert "that account of himself" in table
    assert unpack((run / "anna.safetensors").read_bytes(), field="voice").adapter is not None
    assert (run / "samples" / "step-000020-1.wav").stat().st_size > 40_000

    (run / "transcribed" / "metadata.csv").write_text(table.replace("account of himself", "account of him"))
    assert main(_arguments(data, run, *more)) == 2
    printed = capsys.readouterr()
    assert "metadata.csv of an earlier run is used" in printed.out
    assert "was started with other settings: data was" in printed.err


@pytest.mark.slow
def test_a_finished_run_may_be_repeated_or_extended_and_another_recipe_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = write_clips(tmp_path / "data", 5), tmp_path / "run"
    assert main(_arguments(data, run, "--steps", "2", "--no-samples", "--install")) == 0
    first = load_file(run / "anna.safetensors")
    assert main(_arguments(data, run, "--steps", "2", "--no-samples", "--install")) == 0
    assert "continuing after step 2" in capsys.readouterr().out
    again = load_file(run / "anna.safetensors")
    assert all(np.array_equal(first[name], again[name]) for name in first)

    assert main(_arguments(data, run, "--steps", "1", "--rank", "2", "--no-samples")) == 2
    error = capsys.readouterr().err
    assert "rank was 8 and is 2, steps was 2 and is 1; choose another --run-dir" in error

    assert main(_arguments(data, run, "--steps", "4", "--patience", "0", "--no-samples")) == 0
    assert "continuing after step 2 of 4" in capsys.readouterr().out
    assert _events(run / "events").count((4, "train/speech_loss")) == 1
    assert main(_arguments(data, run, "--steps", "4", "--patience", "9", "--no-samples")) == 2
    assert "patience was 0 and is 9" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_stopped_while_it_speaks_samples_has_saved_its_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> list[Audio]:
        raise KeyboardInterrupt

    def speak(_: TrainingSession, voice: Bundle, texts: Sequence[tuple[str, str]], model: object) -> list[Audio]:
        assert {language for _, language in texts} == {"en"}
        assert model is None  # the base speaks, with the adapter
        return [tone(2.0) for _ in texts]

    saves: list[int] = []

    def save(path: Path, state: dict[str, Any]) -> None:
        saves.append(state["trainer"]["done"])
        save_state(path, state)

    data, run = write_clips(tmp_path / "data", 5), tmp_path / "run"
    monkeypatch.setattr(loop, "save_state", save)
    monkeypatch.setattr(TrainingSession, "samples", stop)
    with pytest.raises(KeyboardInterrupt):
        main(_arguments(data, run, "--steps", "1", "--eval-every", "1"))
    assert not (run / "samples").exists()

    monkeypatch.setattr(TrainingSession, "samples", speak)
    assert main(_arguments(data, run, "--steps", "2", "--eval-every", "1")) == 0
    assert saves == [0, 1, 2]  # once at each evaluation: with --full a state has gigabytes
    output = capsys.readouterr().out
    assert "continuing after step 0 of 2" in output
    assert re.search(r"training: step 2 of 2, loss \d+\.\d{3}, text loss \d+\.\d{3}, \d\.\d s\n", output)
    assert re.search(r"step 2: samples, similarity to the speaker 0\.\d\d\n", output)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(line["event"], line["step"]) for line in lines] == [
        ("evaluation", 0), ("samples", 0),
        *((event, step) for step in (1, 2) for event in ("step", "evaluation", "samples")),
    ]  # fmt: skip
    assert lines[2].keys() > {"steps", "speech_loss", "text_loss", "elapsed_s", "left_s"}
    assert [path.name for path in sorted((run / "samples").glob("*.wav"))] == [
        f"step-{step:06}-1.wav" for step in (0, 1, 2)
    ]


BAD = {
    "empty-file": (b"", "x", "0 bytes"),
    "empty-words": (wav(tone(2.0)), "", "transcript is empty"),
    "telephone": (wav(tone(2.1, rate=8_000)), "x", "8000 Hz; at least 16000"),
    "hours": (wav(Audio(np.tile(tone(10.0, rate=16_000).samples, 180), 16_000)), "x", "longer than 30 s"),
    "picture": (b"\x89PNG not sound", "x", "PNG picture"),
    "novel": (wav(tone(2.2)), "A very long sentence indeed. " * 200, "1[0-9]+ tokens|tokens; the model has 2050"),
    "hurried": (wav(tone(0.6)), "Far more words than anybody could ever say in that time.", "is too long for 0.6 s"),
    "marks": (wav(tone(2.3)), "?!...", "nothing"),
}


def _with_bad_data(folder: Path) -> Path:
    folder.mkdir()
    rows = [{"id": f"good-{at}", "audio": f"good-{at}.wav", "text": f"Number {at} is fine."} for at in range(5)]
    for row, audio in zip(rows, recordings(), strict=False):
        (folder / row["audio"]).write_bytes(wav(audio))
    for name, (data, text, _) in BAD.items():
        (folder / f"{name}.wav").write_bytes(data)
        rows.insert(2, {"id": name, "audio": f"{name}.wav", "text": text})
    rows += [{"id": "gone", "audio": "gone.wav", "text": "x"}, {"id": "good-1", "audio": "good-2.wav", "text": "x"}]
    write_table(folder / "metadata.csv", rows)
    return folder


def test_bad_clips_are_refused_by_name_and_the_others_are_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = _with_bad_data(tmp_path / "data"), tmp_path / "run"
    assert main(_arguments(data, run, "--steps", "1", "--no-samples")) == 0
    output = capsys.readouterr().out
    assert output.startswith("5 clips kept, ")
    assert f"seconds; {len(BAD) + 2} refused" in output
    with (run / "clips.csv").open(newline="") as file:
        results = {(row["id"], row["kept"]): row["why"] for row in csv.DictReader(file)}
    assert {name for name, kept in results if kept == "yes"} == {f"good-{at}" for at in range(5)}
    for name, (_, _, why) in BAD.items():
        assert re.search(why, results[name, "no"]), (name, results[name, "no"])
    assert "no file gone.wav" in results["gone", "no"]
    assert "is already used by an earlier clip" in results["good-1", "no"]


@pytest.mark.parametrize(
    ("flags", "code", "why"),
    [
        (("--data", "nowhere"), 2, "nowhere cannot be read"),
        (("--data", "EMPTY"), 2, "none of the 1 clips can be used for training"),
        (("--data", "EMPTY", "--language", "fr"), 2, "--language fr: english speaks en"),
        (("--data", "EMPTY", "--dataset-split", "dev"), 2, "need --dataset"),
        (("--data", "EMPTY", "--precision", "fp16"), 2, "--precision fp16 is for GPUs"),
        (
            ("--data", "EMPTY", "--eval-share", "0", "--eval-every", "5"),
            2,
            "--eval-every needs held-out clips, but --eval-share is 0",
        ),
        (("--data", "EMPTY", "--replace"), 2, "--replace is for the library's voice and needs --install"),
    ],
)
def test_invalid_flags_or_data_end_with_a_message_and_a_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], code: int, why: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "metadata.csv").write_text("audio,text\ngone.wav,Hello.\n")
    given = [str(tmp_path / "empty") if flag == "EMPTY" else flag for flag in flags]
    arguments = [*given, "--model", "english", "--output-voice-id", "anna", "--run-dir", str(tmp_path / "run")]
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert why in error
    assert "Traceback" not in error
    assert (tmp_path / "run").exists() is ("none of the" in why or "fp16" in why)


def test_another_voice_of_the_library_is_replaced_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "anna.wav").write_bytes(wav(tone(2.0)))
    (tmp_path / "metadata.csv").write_text("audio,text\ngone.wav,Hello.\n")
    arguments = _arguments(tmp_path, tmp_path / "run", "--install")
    assert main(arguments) == 2
    assert f"another voice 'anna' is in {tmp_path / 'voices'}; use --replace" in capsys.readouterr().err
    assert main([*arguments, "--replace"]) == 2
    assert "none of the 1 clips can be used" in capsys.readouterr().err
    assert (tmp_path / "voices" / "anna.wav").read_bytes() == wav(tone(2.0))


def test_a_missing_extra_is_reported_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(extras, "NEEDED", ("peft", "no_such_package"))
    assert main(_arguments(tmp_path, tmp_path / "run")) == 1
    expected = "training needs no_such_package (the extra named train): pip install no_such_package"
    assert expected in capsys.readouterr().err


def test_one_run_is_one_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(_arguments(tmp_path, tmp_path / "run")) == 2
    assert "this is one of 2 (WORLD_SIZE): start the command without torchrun" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_one_run_at_a_time_writes_to_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with lock_folder(run):
        assert main(_arguments(write_clips(tmp_path / "data", 1), run)) == 1
    assert f"another run writes to {run}; wait for it, or choose another --run-dir" in capsys.readouterr().err
    assert not list(run.iterdir())


def test_a_voice_without_an_adapter_is_not_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "voice.safetensors").write_bytes(b"RIFF")
    assert merge([str(tmp_path / "voice.safetensors"), str(tmp_path / "out")]) == 2
    assert "not a voice file" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "source", "more"),
    [("turbo", "--dataset", ()), ("nano", "--data", ()), ("multilingual", "--data", ("--language", "en"))],
)
def test_every_model_trains_on_every_kind_of_table(
    model: str, source: str, more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips of 2 s: for turbo and nano, which need more than 5 s of reference, several are joined."""
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(checkpoint(model)))
    data = write_clips(tmp_path / "data", 6)
    given = str(as_parquet(data, tmp_path / "set")) if source == "--dataset" else str(as_json_lines(data))
    run = ["--model", model, "--output-voice-id", "anna", "--run-dir", str(tmp_path / "run"), *QUICK, *more]
    assert main([source, given, *run, "--steps", "2", "--eval-every", "1", "--sample-text", "Well then."]) == 0
    bundle = unpack((tmp_path / "run" / "anna.safetensors").read_bytes(), field="voice")
    assert bundle.adapter is not None
    assert bundle.adapter.model == model
    assert bundle.clip.duration_s > 5
    assert len(list((tmp_path / "run" / "samples").glob("*.wav"))) == 3


def _run_with_kills(arguments: list[str], state: Path, kills: int) -> int:
    """Start the command until it ends by itself; the first `kills` times it is killed shortly after a save."""
    killed = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "chatterbox_worker.train", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None:
            if killed < kills and state.exists() and state.stat().st_mtime_ns != before:
                time.sleep(0.03 * (killed + 1))  # into the steps after the save
                process.send_signal(signal.SIGKILL)
                process.wait()
            time.sleep(0.002)
        if process.returncode != -signal.SIGKILL:
            return process.returncode
        killed += 1


@pytest.mark.slow
def test_a_run_killed_in_the_middle_ends_in_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    """Twenty clips; SIGKILL during steps that were not saved yet."""
    data, run = write_clips(tmp_path / "data"), tmp_path / "killed"
    more = ("--steps", "12", "--save-every", "3", "--eval-every", "6", "--no-samples")
    assert main(_arguments(data, tmp_path / "unbroken", *more)) == 0
    assert _run_with_kills(_arguments(data, run, *more), run / "state.pt", kills=1) == 0

    one, other = (load_file(folder / "anna.safetensors") for folder in (tmp_path / "unbroken", run))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert np.array_equal(tensor, other[name]), name
    assert sorted(_events(run / "events")) == sorted(_events(tmp_path / "unbroken" / "events"))
    assert any(np.abs(tensor).max() > 0 for name, tensor in one.items() if name.endswith("lora_B"))
