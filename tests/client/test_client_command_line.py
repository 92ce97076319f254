"""`python -m chatterbox_worker.client`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from tqdm import tqdm

from chatterbox_worker.client import Job
from chatterbox_worker.client.__main__ import main, parse_arguments, show
from chatterbox_worker.localqueue import LocalQueue
from support.audio_clips import wav_bytes
from support.paths import ROOT


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, queue: LocalQueue) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT_ID", "local")
    monkeypatch.setenv("RUNPOD_API_KEY", queue.api_key)
    monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", queue.url)


@pytest.fixture
def elsewhere(reachable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_text_is_spoken_and_saved_in_the_format_of_the_name(queue: LocalQueue, tmp_path: Path) -> None:
    path = tmp_path / "out.mp3"
    command = [sys.executable, "-m", "chatterbox_worker.client", "Hello there.", "-o", str(path), "--seed", "5"]
    keys = ["--endpoint", "local", "--key", queue.api_key, "--url", queue.url]
    run = subprocess.run([*command, *keys], cwd=ROOT / "src", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "s of audio, preview, seed 5" in run.stdout
    assert soundfile.info(io.BytesIO(path.read_bytes())).format == "MP3"
    assert "chunk" in run.stderr  # the bar


def test_the_text_may_come_from_standard_input(
    reachable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello from a pipe."))
    assert main(["-", "-o", str(tmp_path / "a.bin"), "--format", "flac"]) == 0
    assert (tmp_path / "a.bin").read_bytes()[:4] == b"fLaC"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Hello.", "--voice", "no body"], "voice"),
        (["Hello.", "--model", "turbo"], "this worker serves preview"),
        (["Hello.", "--reference", "voice.wav"], "speaks with its own voice only"),
        (["Hello.", "--reference", "missing.wav"], "missing.wav"),
        (["Hello.", "--key", "wrong"], "is the API key right"),
        (["Hello.", "--url", "host:80"], "--url must be an http or https URL, not 'host:80'"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_bad_exit_code(
    elsewhere: None, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("voice.wav").write_bytes(wav_bytes(6.0))
    assert main([*arguments, "-o", "a.wav"]) == 1
    last_line = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last_line
    assert not Path("a.wav").exists()


def test_no_job_is_submitted_for_a_file_that_cannot_be_written(
    reachable: None, queue: LocalQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(queue.jobs)
    assert main(["Hello.", "-o", str(tmp_path), "--format", "wav"]) == 1
    assert capsys.readouterr().err == f"{tmp_path}: Is a directory\n"
    assert len(queue.jobs) == before


def test_a_job_that_takes_too_long_is_cancelled(
    reachable: None, queue: LocalQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["Hello there. " * 3000, "-o", str(tmp_path / "a.wav"), "--timeout", "0"]) == 1
    assert list(queue.jobs.values())[-1].state == "CANCELLED"


def test_a_name_without_a_known_ending_needs_a_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["Hello.", "-o", "speech"])
    assert "--format" in capsys.readouterr().err


def test_the_bar_follows_the_workers_progress() -> None:
    def job(status: str, output: object = None) -> Job:
        return Job({"id": "j", "status": status, "output": output})

    with tqdm(unit="chunk", file=io.StringIO()) as bar:
        show(bar, job("IN_QUEUE"))
        assert (bar.n, bar.total, bar.desc) == (0, None, "in queue")
        show(bar, job("IN_PROGRESS", {"chunks_done": 2, "chunks": 7, "audio_s": 3.5}))
        assert (bar.n, bar.total) == (2, 7)
        show(bar, job("COMPLETED", {"audio_base64": ""}))
        assert (bar.n, bar.total) == (7, 7)
