"""`python -m chatterbox_worker.localqueue`."""

from __future__ import annotations

import io
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

import test_local
from chatterbox_worker import config
from chatterbox_worker.client import JobFailed, NoAudio, RunPodServerlessClient
from chatterbox_worker.client.sound import find, has_audio
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.localqueue.__main__ import job_body, parse_arguments, send, worker_variables
from chatterbox_worker.localqueue.__main__ import main as localqueue
from support.paths import ROOT, WORKERS

SPEECH = WORKERS / "speech.py"
STREAMING = WORKERS / "streaming.py"
_MODULE = [sys.executable, "-m", "chatterbox_worker.localqueue", "--handler", str(SPEECH)]


@pytest.fixture(scope="module")
def queue() -> Iterator[LocalQueue]:
    with LocalQueue(command=[sys.executable, SPEECH.name], cwd=SPEECH.parent) as queue:
        yield queue


def _options(*arguments: str) -> list[str]:
    return [*arguments, "--handler", str(SPEECH)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "turbo"],
        ["--out", "x.wav"],
        ["--say", "a", "--input", "b"],
        ["--say", "a", "--format", "midi"],
        ["--workers", "0"],
        ["--port", "65536"],
        ["--port", "-1"],
    ],
)
def test_arguments_that_make_no_sense_together_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(_options(*arguments))


def test_a_missing_handler_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--handler", "no/handler.py"])
    assert "no/handler.py" in capsys.readouterr().err


def test_the_url_of_an_ipv6_address_has_brackets() -> None:
    assert LocalQueue(host="::1", port=8000).url == "http://[::1]:8000/v2"


def test_a_file_that_cannot_be_written_is_found_before_a_worker_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert localqueue(_options("--say", "Hi.", "--out", str(tmp_path))) == 1
    assert capsys.readouterr().err == f"{tmp_path}: Is a directory\n"


def test_only_the_fields_on_the_command_line_are_sent() -> None:
    assert job_body(parse_arguments(_options("--say", "Hi."))) == {"input": {"text": "Hi."}}
    arguments = _options("--say", "Hi.", "--model", "turbo", "--voice", "v", "--format", "mp3", "--language", "en")
    assert job_body(parse_arguments(arguments)) == {
        "input": {"text": "Hi.", "model": "turbo", "voice": "v", "format": "mp3", "language": "en"},
    }


@pytest.mark.parametrize("content", ['{"input": {"text": "Hi."}}', '{"text": "Hi."}'])
def test_an_input_file_is_a_job_or_a_jobs_input(tmp_path: Path, content: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(content)
    assert job_body(parse_arguments(_options("--input", str(path)))) == {"input": {"text": "Hi."}}


def test_the_worker_loads_only_the_requested_model_unless_one_is_configured() -> None:
    options = parse_arguments(_options("--say", "Hi.", "--model", "turbo"))
    models = config.variable("models")
    assert worker_variables(options, {})[models] == "turbo"
    assert worker_variables(options, {models: "turbo,english"})[models] == "turbo,english"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "must hold a JSON object"),
        ('"text"', "must hold a JSON object"),
        ('{"input": "text"}', "must hold a JSON object"),
        ('{"text": "', "job.json is not JSON: Unterminated string"),
        (None, "job.json: No such file or directory"),
    ],
)
@pytest.mark.parametrize("main", [lambda arguments: localqueue(_options(*arguments)), test_local.main])
def test_an_input_file_without_an_object_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    message: str,
    main: Callable[[list[str]], int],
) -> None:
    path = tmp_path / "job.json"
    if content is not None:
        path.write_text(content)
    assert main(["--input", str(path)]) == 1
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("output", "audio"),
    [
        ({"audio_base64": "aGk="}, b"hi"),
        ({"audio_url": "data:audio/wav;base64,aGk="}, b"hi"),
        ([{"index": 0, "audio_base64": "aA=="}, {"index": 1, "audio_base64": "aQ=="}, {"format": "pcm"}], b"hi"),
    ],
)
def test_the_audio_of_an_answer_is_found(output: object, audio: bytes) -> None:
    assert has_audio(output)
    assert find(output).audio == audio


@pytest.mark.parametrize("output", [{"voices": []}, [{"voices": []}], {"results": []}, [], "text", None])
def test_an_answer_without_audio_is_recognised(output: object) -> None:
    assert not has_audio(output)


def test_broken_base64_is_an_error(queue: LocalQueue, tmp_path: Path) -> None:
    options = parse_arguments(_options("--say", "broken", "--out", str(tmp_path / "a.wav")))
    with pytest.raises(NoAudio, match="base64"):
        send(queue, options, job_body(options))
    assert not list(tmp_path.iterdir())


def test_audio_on_the_workers_volume_is_fetched(queue: LocalQueue, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.wav"
    volume = tmp_path / "outputs.wav"
    volume.write_bytes(b"RIFFHi.")
    options = parse_arguments(_options("--say", f"volume {volume}", "--out", str(path)))
    assert send(queue, options, job_body(options)) == 0
    assert path.read_bytes() == b"RIFFHi."


@pytest.mark.slow
def test_the_audio_of_a_streaming_worker_is_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.wav"
    options = parse_arguments(_options("--say", "Hi.", "--out", str(path)))
    with LocalQueue(command=[sys.executable, STREAMING.name], cwd=STREAMING.parent) as queue:
        assert send(queue, options, job_body(options)) == 0
    assert soundfile.info(io.BytesIO(path.read_bytes())).duration == pytest.approx(0.5)
    assert capsys.readouterr().out.startswith("0.50 s of audio, cache miss, preview")


def test_the_audio_is_saved_and_summed_up_in_one_line(
    queue: LocalQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "a.mp3"
    options = parse_arguments(_options("--say", "Hi.", "--format", "mp3", "--out", str(path)))
    assert send(queue, options, job_body(options)) == 0
    assert path.read_bytes() == b"RIFFHi."
    printed = capsys.readouterr()
    assert printed.out == f"1.50 s of audio, real-time factor 0.250, cache miss, turbo on cpu, {path}\n"
    assert printed.err == ""


def test_the_preview_is_never_presented_as_chatterbox(
    queue: LocalQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = parse_arguments(_options("--say", "Hi.", "--model", "preview"))
    assert send(queue, options, job_body(options)) == 0
    assert (tmp_path / "out" / "speech.wav").is_file()
    assert "NOT CHATTERBOX" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [None, "auto"])
def test_the_file_is_named_by_the_format_of_the_answer(
    queue: LocalQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.json").write_text(json.dumps({"text": "Hi.", "format": asked}))
    options = parse_arguments(_options("--input", "job.json"))
    assert send(queue, options, job_body(options)) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["speech.wav"]


def test_a_failed_job_is_an_error_with_its_own_sentence(queue: LocalQueue) -> None:
    options = parse_arguments(_options("--say", "fail"))
    with pytest.raises(JobFailed, match="text must not be empty"):
        send(queue, options, job_body(options))


def test_an_answer_without_audio_is_printed(queue: LocalQueue, capsys: pytest.CaptureFixture[str]) -> None:
    options = parse_arguments(_options("--say", "unused"))
    assert send(queue, options, {"input": {"action": "info"}}) == 0
    assert json.loads(capsys.readouterr().out)["models"] == ["preview"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "code", "err"), [("Hi.", 0, ""), ("fail", 1, "text must not be empty\n")]
)  # fmt: skip
def test_the_command_speaks_once_and_ends(tmp_path: Path, text: str, code: int, err: str) -> None:
    proxies = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}  # not for this machine
    environment = config.environment() | {"PYTHONPATH": "src", config.variable("models"): "preview"} | proxies
    command = [*_MODULE, "--say", text, "--out", str(tmp_path / "a.wav")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert (run.returncode, run.stderr) == (code, err)
    assert (tmp_path / "a.wav").is_file() is (code == 0)


@pytest.mark.slow
def test_the_command_serves_until_it_is_terminated_and_what_it_prints_can_be_run(tmp_path: Path) -> None:
    environment = config.environment() | {"PYTHONPATH": str(ROOT / "src"), config.variable("models"): "preview"}
    command = [*_MODULE, "--port", "0", "--key", "a secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            printed = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
            with RunPodServerlessClient("local", "a secret", base_url=printed.splitlines()[0].split()[-1]) as client:
                assert client.runsync("Hi.").speech.audio == b"RIFFHi."
            curl, python = printed.split("\n\n")[1:3]
            for commands in (curl, python) if shutil.which("curl") else (python,):
                run = ["bash", "-ec", commands]
                answer = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
                assert ("COMPLETED" if commands is curl else "1.50 s of audio") in answer.stdout
            assert (tmp_path / "hello.mp3").read_bytes() == b"RIFFHello there."
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
