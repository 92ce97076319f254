"""The command: what it writes, what it says, and how it says no."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker import wiring
from chatterbox_worker.clone.__main__ import main
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engine import Speaker
from chatterbox_worker.local import with_local_folders
from chatterbox_worker.voices.bundle import unpack
from chatterbox_worker.voices.library import VoiceLibrary
from support.audio_clips import wav_bytes
from support.checkpoints import checkpoint
from support.paths import ROOT
from support.recorded import talk, wav
from support.speakers import ANN, SENTENCES, PitchEncoder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with recordings in `in`, an encoder that tells people apart, and no settings."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ann.wav").write_bytes(wav(talk(ANN, SENTENCES[:4])))
    (tmp_path / "in" / "empty.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in environment() if name.startswith("CHATTERBOX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(wiring, "speaker_encoder", lambda settings: PitchEncoder())
    return tmp_path


def clone(*more: str) -> int:
    return main(
        ["--input-dir", "in", "--output-voice-id", "ann", "--voices-dir", "voices", "--min-seconds", "10", *more]
    )


def test_a_voice_its_picture_and_what_was_done(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--consent", "asked and agreed") == 0
    told = capfd.readouterr()
    bundle = unpack((home / "voices" / "ann.safetensors").read_bytes(), field="voice")

    assert isinstance(bundle.speaker, Speaker)
    assert bundle.about["consent"] == "asked and agreed"
    assert [entry.id for entry in VoiceLibrary(home / "voices").list()] == ["ann"]
    assert (home / "ann.png").read_bytes()[:4] == b"\x89PNG"
    assert "refused: empty.wav is empty" in told.out
    assert "kept 15.9 s in 4 of 4 segments" in told.out
    assert "consent" not in told.out
    assert "| 0/2 [" in told.err  # the bar
    assert "Traceback" not in told.err


def test_without_a_setting_it_goes_where_the_local_queue_and_server_look(home: Path) -> None:
    arguments = ["--input-dir", "in", "--output-voice-id", "ann", "--min-seconds", "10", "--no-report"]
    assert main(arguments) == 0
    there = Settings.from_env(with_local_folders({}, home)).voices_dir
    assert [path.name for path in there.iterdir()] == ["ann.safetensors"]


def test_without_a_word_of_consent_it_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    assert "its file says nothing of consent" in capfd.readouterr().out
    assert not list(home.glob("*.png"))


def test_a_dry_run_draws_and_writes_nothing_else(home: Path) -> None:
    assert clone("--dry-run", "--report", "out/look.png") == 0
    assert (home / "out" / "look.png").exists()
    assert not (home / "voices").exists()


def test_a_voice_is_not_replaced_by_accident(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    assert clone("--no-report") == 1
    assert "exists already" in capfd.readouterr().err
    assert clone("--no-report", "--replace") == 0


def test_too_little_is_no_voice_but_a_picture_that_says_why(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--min-seconds", "60") == 1
    assert "15.9 s of good speech are left; 60 s are wanted (--min-seconds)" in capfd.readouterr().err
    assert (home / "ann.png").exists()
    assert not (home / "voices").exists()


def test_without_weights_it_says_how_to_get_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(home)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "cache"))
    assert clone("--weights-dir", "nowhere") == 1
    told = capfd.readouterr().err
    assert "nowhere (no such folder)" in told
    assert "put ve.pt of ResembleAI/chatterbox into a folder and name that with --weights-dir" in told
    assert "--trust-one-speaker" in told
    assert clone("--trust-one-speaker", "--no-report") == 0
    assert unpack((home / "voices" / "ann.safetensors").read_bytes(), field="voice").speaker is None


def test_without_matplotlib_it_says_so_before_it_works(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
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
    ("arguments", "why"),
    [
        ([], "required"),
        (["--input-dir", "in"], "--output-voice-id"),
        (["--input-dir", "in", "--export", "ann"], "not allowed with"),
        (["--input-dir", "in", "--output-voice-id", "a", "--similarity", "2"], "'2' is not a number from 0 to 1"),
        (["--input-dir", "in", "--output-voice-id", "a", "--min-seconds", "some"], "'some' is not a number from 6"),
        (["--input-dir", "in", "--output-voice-id", "a", "--out", "x"], "--out does not go with"),
        (["--export", "ann", "--consent", "yes"], "--consent does not go with"),
        (["--import", "ann.wav", "--dry-run"], "--dry-run does not go with"),
        (["--input-dir", "in", "--output-voice-id", "a", "--trust-one-speaker", "--like", "x"], "--like needs"),
    ],
)
def test_bad_arguments_are_named(arguments: list[str], why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert why in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--input-dir", "nowhere"], "input_dir 'nowhere' is not a folder"),
        (["--output-voice-id", "../x"], "output_voice_id '../x' is not an id"),
        (["--output-voice-id", "default"], 'not "default"'),
        (["--like", "in/empty.wav"], "like is empty"),
        (["--like", "nowhere.wav"], "like cannot be read"),
        (["--report", "in"], "in: Is a directory"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    home: Path, arguments: list[str], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert clone(*arguments) == 1
    told = capfd.readouterr().err
    assert why in told
    assert "Traceback" not in told


def test_a_bad_setting_is_named(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CHATTERBOX_VOICE_DIR", "x")
    assert clone() == 1
    assert "did you mean CHATTERBOX_VOICES_DIR?" in capfd.readouterr().err


def test_voices_go_out_and_come_in_as_one_file(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clone("--no-report") == 0
    before = VoiceLibrary(home / "voices").get("ann")
    assert main(["--export", "ann", "--voices-dir", "voices", "--out", "moved.safetensors"]) == 0
    assert main(["--import", "moved.safetensors", "--voices-dir", "other"]) == 0
    assert main(["--import", "moved.safetensors", "--voices-dir", "other", "--output-voice-id", "anna"]) == 0
    after = VoiceLibrary(home / "other")

    assert [entry.id for entry in after.list()] == ["anna", "moved"]
    assert after.get("anna").digest == before.digest
    assert (home / "moved.safetensors").read_bytes() == (home / "voices" / "ann.safetensors").read_bytes()
    assert main(["--export", "ann", "--voices-dir", "voices", "--out", "moved.safetensors"]) == 1
    assert main(["--import", "moved.safetensors", "--voices-dir", "other"]) == 1
    assert capfd.readouterr().err.count("--replace takes its place") == 2


def test_a_recording_is_exported_as_a_voice_file_too(home: Path) -> None:
    VoiceLibrary(home / "voices").save("tone", wav_bytes(), field="file")
    assert main(["--export", "tone", "--voices-dir", "voices"]) == 0
    assert main(["--import", "tone.safetensors", "--voices-dir", "other"]) == 0
    assert VoiceLibrary(home / "other").get("tone").duration_s == 6.0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--export", "nobody"], "voice 'nobody' not found; there are default"),
        (["--export", "default"], "there is nothing to export"),
        (["--import", "nothing.safetensors"], "nothing.safetensors: No such file"),
        (["--import", "in/empty.wav"], "empty.wav is empty"),
    ],
)
def test_what_cannot_be_moved_is_named(
    home: Path, arguments: list[str], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--voices-dir", "voices"]) == 1
    assert why in capfd.readouterr().err


def _run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in environment().items() if not name.startswith("CHATTERBOX_")}
    paths = os.pathsep.join((str(ROOT / "src"), kept.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, env=kept | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | env,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_script_with_the_flags_of_old_and_a_real_encoder(home: Path) -> None:
    script = str(ROOT / "scripts" / "clone_voice.py")
    flags: list[Any] = ["--input_dir", "in", "--output_voice_id", "new_voice_name", "--min-seconds", "10"]
    done = _run(
        script, *flags, cwd=home, CHATTERBOX_WEIGHTS_DIR=str(checkpoint("nano")), CHATTERBOX_VOICES_DIR="voices"
    )
    assert done.returncode == 0, done.stderr
    assert "new_voice_name.safetensors" in done.stdout
    bundle = unpack((home / "voices" / "new_voice_name.safetensors").read_bytes(), field="voice")
    assert str(bundle.about["encoder"]).startswith("ve.safetensors@local-")
