"""The command: what it writes, what it prints, and its errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker import local, wiring
from chatterbox_worker.clone.__main__ import main
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engine import Speaker, VoiceDetails
from chatterbox_worker.errors import NotReady
from chatterbox_worker.local import with_local_folders
from chatterbox_worker.voices.bundle import unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes
from support.checkpoints import checkpoint
from support.paths import ROOT
from support.recorded import talk, wav
from support.speakers import ANN, SENTENCES, PitchEncoder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with recordings in `in`, an encoder that distinguishes people, and no settings."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    (tmp_path / "in" / "empty.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in environment() if name.startswith("CHATTERBOX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(local, "VOLUME", tmp_path / "volume")
    monkeypatch.setattr(wiring, "speaker_encoder", lambda settings: PitchEncoder())
    return tmp_path


def clone(*more: str) -> int:
    return main(
        ["--input-dir", "in", "--output-voice-id", "ann", "--voices-dir", "voices", "--min-seconds", "10", *more]
    )


def test_a_voice_its_picture_and_a_summary_are_written(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--consent", "asked and agreed", "--transcript", "Hello there.", "--language", "en") == 0
    output = capfd.readouterr()
    bundle = unpack((folder / "voices" / "ann.safetensors").read_bytes(), field="voice")

    assert isinstance(bundle.speaker, Speaker)
    assert bundle.about["consent"] == "asked and agreed"
    assert bundle.details == VoiceDetails("Hello there.", "en")
    assert "language of the clip: en; --language CODE changes it" in output.out
    assert [entry.id for entry in VoiceLibrary(folder / "voices").list()] == ["ann"]
    assert (folder / "ann.png").read_bytes()[:4] == b"\x89PNG"
    assert "refused: empty.wav is empty" in output.out
    assert "kept 15.9 s in 4 of 4 segments" in output.out
    assert "consent" not in output.out
    assert not output.err  # without a terminal there is no bar


def test_without_a_setting_the_voice_is_written_where_the_local_queue_and_server_look(folder: Path) -> None:
    arguments = ["--input-dir", "in", "--output-voice-id", "ann", "--min-seconds", "10", "--no-report"]
    assert main(arguments) == 0
    voices_dir = Settings.from_env(with_local_folders({}, folder)).voices_dir
    assert [path.name for path in voices_dir.iterdir()] == ["ann.safetensors"]


def test_a_missing_note_of_consent_is_reported(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    assert "the voice file has no note of consent" in capfd.readouterr().out
    assert not list(folder.glob("*.png"))


def test_a_dry_run_draws_and_writes_nothing_else(folder: Path) -> None:
    assert clone("--dry-run", "--report", "out/look.png") == 0
    assert (folder / "out" / "look.png").exists()
    assert not (folder / "voices").exists()


def test_a_voice_is_not_replaced_by_accident(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    assert clone("--no-report") == 1
    assert "exists already" in capfd.readouterr().err
    assert clone("--no-report", "--replace") == 0


def test_too_little_speech_gives_no_voice_but_a_picture_with_the_reason(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert clone("--min-seconds", "60") == 1
    assert "there are only 15.9 s of good speech; 60 s are needed (--min-seconds)" in capfd.readouterr().err
    assert (folder / "ann.png").exists()
    assert not (folder / "voices").exists()


def test_without_weights_the_error_explains_how_to_get_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
    assert clone("--weights-dir", "nowhere") == 1
    output = capfd.readouterr().err
    assert "nowhere (no such folder)" in output
    assert "put ve.pt of ResembleAI/chatterbox into a folder and name that with --weights-dir" in output
    assert "--trust-one-speaker" in output
    assert clone("--trust-one-speaker", "--no-report") == 0
    assert unpack((folder / "voices" / "ann.safetensors").read_bytes(), field="voice").speaker is None


def test_missing_matplotlib_is_reported_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [
        name
        for name in sys.modules
        if name.startswith("chatterbox_worker.clone.") and name.endswith(("report", "waves"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    assert clone() == 1
    assert "the picture needs matplotlib" in capfd.readouterr().err
    assert clone("--no-report") == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "required"),
        (["--input-dir", "in"], "--output-voice-id"),
        (["--input-dir", "in", "--export", "ann"], "not allowed with"),
        (["--input-dir", "in", "--output-voice-id", "a", "--similarity", "2"], "a number from 0 to 1, not '2'"),
        (["--input-dir", "in", "--output-voice-id", "a", "--min-seconds", "some"], "from 6 to 300, not 'some'"),
        (["--input-dir", "in", "--output-voice-id", "a", "--out", "x"], "--out does not apply to this action"),
        (["--export", "ann", "--consent", "yes"], "--consent does not apply to this action"),
        (["--import", "ann.wav", "--dry-run"], "--dry-run does not apply to this action"),
        (["--input-dir", "in", "--output-voice-id", "a", "--trust-one-speaker", "--like", "x"], "--like needs"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert reason in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--input-dir", "nowhere"], "--input-dir 'nowhere' is not a folder"),
        (["--output-voice-id", "../x"], "--output-voice-id '../x' is not an id"),
        (["--output-voice-id", "default"], 'not "default"'),
        (["--like", "in/empty.wav"], "--like 'in/empty.wav' is empty"),
        (["--like", "nowhere.wav"], "--like 'nowhere.wav' cannot be read"),
        (["--report", "in"], "in: Is a directory"),
        (["--voices-dir", "in/empty.wav"], "in/empty.wav: Not a directory"),
    ],
)
def test_an_error_is_one_sentence(
    folder: Path, arguments: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert clone(*arguments) == 1
    output = capfd.readouterr()
    assert reason in output.err
    assert "Traceback" not in output.err
    assert not output.out  # before the recordings are read


def test_a_misspelt_folder_is_reported_before_missing_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_weights(settings: Settings) -> PitchEncoder:
        raise NotReady("no weights")

    monkeypatch.setattr(wiring, "speaker_encoder", no_weights)
    assert clone("--input-dir", "nowhere") == 1
    assert capfd.readouterr().err == "--input-dir 'nowhere' is not a folder\n"
    assert clone() == 1
    assert "no weights" in capfd.readouterr().err


def test_a_bad_setting_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATTERBOX_VOICE_DIR", "x")
    assert clone() == 1
    assert "did you mean CHATTERBOX_VOICES_DIR?" in capfd.readouterr().err


def test_voices_are_exported_and_imported_as_one_file(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    before = VoiceLibrary(folder / "voices").get("ann")
    assert main(["--export", "ann", "--voices-dir", "voices", "--out", "moved.safetensors"]) == 0
    assert main(["--import", "moved.safetensors", "--voices-dir", "other"]) == 0
    assert main(["--import", "moved.safetensors", "--voices-dir", "other", "--output-voice-id", "anna"]) == 0
    after = VoiceLibrary(folder / "other")

    assert [entry.id for entry in after.list()] == ["anna", "moved"]
    assert after.get("anna").digest == before.digest
    assert (folder / "moved.safetensors").read_bytes() == (folder / "voices" / "ann.safetensors").read_bytes()
    assert main(["--export", "ann", "--voices-dir", "voices", "--out", "moved.safetensors"]) == 1
    assert main(["--import", "moved.safetensors", "--voices-dir", "other"]) == 1
    assert capfd.readouterr().err.count("use --replace to replace it") == 2


def test_a_recording_is_exported_as_a_voice_file_too(folder: Path) -> None:
    VoiceLibrary(folder / "voices").save("tone", wav_bytes(), field="file")
    assert main(["--export", "tone", "--voices-dir", "voices"]) == 0
    assert main(["--import", "tone.safetensors", "--voices-dir", "other", "--language", "es"]) == 0
    imported = VoiceLibrary(folder / "other").get("tone")
    assert (imported.duration_s, imported.details.language) == (6.0, "es")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--export", "unknown"], "voice 'unknown' not found; there are default"),
        (["--export", "default"], "there is nothing to export"),
        (["--import", "nothing.safetensors"], "nothing.safetensors: No such file"),
        (["--import", "in/empty.wav"], "empty.wav is empty"),
    ],
)
def test_an_export_or_import_that_fails_is_reported(
    folder: Path, arguments: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--voices-dir", "voices"]) == 1
    assert reason in capfd.readouterr().err


def _run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in environment().items() if not name.startswith("CHATTERBOX_")}
    paths = os.pathsep.join((str(ROOT / "src"), kept.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=kept | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | env,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_script_with_underscore_flags_and_a_real_encoder(folder: Path) -> None:
    script = str(ROOT / "scripts" / "clone_voice.py")
    flags: list[Any] = ["--input_dir", "in", "--output_voice_id", "new_voice_name", "--min-seconds", "10"]
    done = _run(
        script, *flags, cwd=folder, CHATTERBOX_WEIGHTS_DIR=str(checkpoint("nano")), CHATTERBOX_VOICES_DIR="voices"
    )
    assert done.returncode == 0, done.stderr
    assert "new_voice_name.safetensors" in done.stdout
    bundle = unpack((folder / "voices" / "new_voice_name.safetensors").read_bytes(), field="voice")
    assert str(bundle.about["encoder"]).startswith("ve.safetensors@local-")
