"""`python -m chatterbox_worker.batch`, through the local queue and through this machine's own engine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
import soundfile

from chatterbox_worker.audio.audiobook import CHAPTER_PAUSE_S
from chatterbox_worker.batch.__main__ import main
from chatterbox_worker.batch.manifest import NAME
from chatterbox_worker.batch.options import parse_arguments
from chatterbox_worker.localqueue import LocalQueue
from support import epubs
from support.audio_clips import wav_bytes
from support.paths import ROOT

pytestmark = pytest.mark.slow  # every test starts programs


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, queue: LocalQueue, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNPOD_ENDPOINT_ID", "local")
    monkeypatch.setenv("RUNPOD_API_KEY", queue.api_key)
    monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", queue.url)
    monkeypatch.chdir(tmp_path)


def write(*rows: Any, name: str = "rows.jsonl") -> str:
    Path(name).write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return name


def manifest_lines(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / NAME).read_text(encoding="utf-8").splitlines()]


def test_a_file_of_rows_becomes_audio_files_and_a_manifest(
    queue: LocalQueue, reachable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"line {n}", "text": f"This is line {n}.", "seed": n} for n in range(8)]
    arguments = [
        write(*rows, {"id": "own", "text": "Its own format.", "format": "flac"}),
        "-o",
        "out",
        "--format",
        "mp3",
    ]
    before = len(queue.jobs)

    assert main(arguments) == 0
    assert "9 texts: 9 spoken" in capsys.readouterr().out

    assert [line["id"] for line in manifest_lines()] == [*(f"line {n}" for n in range(8)), "own"]
    for number, line in enumerate(manifest_lines()):
        data = (Path("out") / line["file"]).read_bytes()
        info = soundfile.info(io.BytesIO(data))
        assert line["file"] == (f"line_{number}.mp3" if number < 8 else "own.flac")
        assert info.format == ("MP3" if number < 8 else "FLAC")
        assert info.duration == pytest.approx(line["duration_s"], abs=0.1)
        assert (line["sha256"], line["size_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert line["model"] == "preview"
    assert [line["seed"] for line in manifest_lines()[:8]] == list(range(8))

    assert main(arguments) == 0
    assert "9 texts: 0 spoken, 0.0 s of audio; 9 already done" in capsys.readouterr().out
    assert len(queue.jobs) == before + 9


def test_only_a_changed_row_and_a_row_with_a_lost_file_are_synthesized_again(
    queue: LocalQueue, reachable: None
) -> None:
    rows = [{"id": str(n), "text": f"Row number {n}."} for n in range(4)]
    assert main([write(*rows), "-o", "out"]) == 0
    first, before = manifest_lines(), len(queue.jobs)
    rows[1]["text"] = "Row number one has changed."
    (Path("out") / "2.wav").unlink()

    assert main([write(*rows), "-o", "out"]) == 0

    assert len(queue.jobs) == before + 2
    assert [line["id"] for line in manifest_lines()] == ["0", "1", "2", "3"]
    assert [old["sha256"] == new["sha256"] for old, new in zip(first, manifest_lines(), strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert sorted(path.name for path in Path("out").iterdir()) == ["0.wav", "1.wav", "2.wav", "3.wav", NAME]


def test_bad_rows_are_reported_by_line_and_field_and_the_others_are_done(
    reachable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    name = write(
        {"id": "good", "text": "Good."}, "no json", {"id": "fast", "text": "a", "speed": 9},
        {"id": "empty", "text": " "}, {"id": "unknown", "text": "a", "voice": "unknown"},
        {"id": "../good", "text": "a"}, {"id": "last", "text": "Last."},
    )  # fmt: skip

    assert main([name, "-o", "out"]) == 1

    output = capsys.readouterr()
    assert "7 texts: 2 spoken" in output.out
    assert "2 failed; 3 refused" in output.out
    for sentence in (
        "rows.jsonl:2: the line is not JSON", "rows.jsonl:3: speed must be a number", "rows.jsonl:4: text is empty",
        "rows.jsonl:5: ", "rows.jsonl:6: id '../good' has the same file name as rows.jsonl:1: good",
    ):  # fmt: skip
        assert sentence in output.err
    assert "Traceback" not in output.err
    failed = {line["id"]: line["error"] for line in manifest_lines() if line["state"] == "failed"}
    assert {name: error["field"] for name, error in failed.items()} == {"empty": "text", "unknown": "voice"}
    assert {line["where"] for line in manifest_lines() if line["state"] == "refused"} == {
        f"rows.jsonl:{n}" for n in (2, 3, 6)
    }
    assert sorted(path.name for path in Path("out").iterdir()) == ["good.wav", "last.wav", NAME]


def test_a_folder_of_texts_and_a_table_are_read(reachable: None) -> None:
    Path("texts").mkdir()
    (Path("texts") / "one.txt").write_text("From a folder.", encoding="utf-8")
    Path("rows.csv").write_text("id,text,format\ntwo,From a table.,flac\n", encoding="utf-8")

    assert main(["texts", "-o", "out"]) == 0
    assert main(["rows.csv", "-o", "out"]) == 0

    assert [line["file"] for line in manifest_lines()] == ["one.wav", "two.flac"]  # one folder may have several inputs


def test_the_recording_of_a_row_is_sent(queue: LocalQueue, reachable: None) -> None:
    Path("voice.wav").write_bytes(wav_bytes())

    assert main([write({"id": "a", "text": "Hello.", "reference": "voice.wav"}), "-o", "out"]) == 1

    sent = list(queue.jobs.values())[-1].body["input"]
    assert base64.b64decode(sent["reference_audio"]) == Path("voice.wav").read_bytes()
    assert manifest_lines()[0]["error"]["field"] == "reference_audio"  # the preview has only its own voice


def test_this_machines_own_engine_works_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATTERBOX_MODELS", "preview")
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(n), "text": f"Number {n}."} for n in range(6)]
    name = write(*rows, {"id": "bad", "text": "a", "model": "turbo"})

    assert main([name, "-o", "out", "--local", "--set", "sample_rate=16000", "--in-flight", "3"]) == 1

    assert "7 texts: 6 spoken" in capsys.readouterr().out
    assert [line["state"] for line in manifest_lines()] == ["done"] * 6 + ["refused"]
    assert manifest_lines()[-1]["error"]["field"] == "model"
    assert soundfile.info(str(tmp_path / "out" / "3.wav")).samplerate == 16_000
    assert main([name, "-o", "out", "--local", "--set", "sample_rate=16000"]) == 1
    assert "6 already done" in capsys.readouterr().out


def test_a_book_becomes_a_file_for_each_chapter_and_an_audiobook(
    queue: LocalQueue, reachable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("alice.epub").write_bytes(epubs.zipped(epubs.files()))
    arguments = ["alice.epub", "-o", "out", "--m4b", "--price-per-second", "0.5"]
    before = len(queue.jobs)

    assert main(["alice.epub", "--list"]) == 0
    assert "01 Part one: Down the Rabbit-Hole" in capsys.readouterr().out
    assert main([*arguments, "--skip", "2"]) == 0  # as a run that was ended after two chapters
    assert len(queue.jobs) == before + 2
    assert main(arguments) == 0

    said = capsys.readouterr().out
    assert len(queue.jobs) == before + 3
    assert "3 texts: 1 spoken" in said
    assert "2 already done" in said
    assert "s of workers' time; at 0.5 a second " in said
    name = "Alice_s_Adventures_in_Wonderland.m4b"
    assert f"{Path('out') / name}: 3 chapters" in said
    lines = manifest_lines()
    assert [(line.get("chapter"), line["file"]) for line in lines] == [
        (1, "01_Part_one_Down_the_Rabbit-Hole.wav"),
        (2, "02_The_Pool_of_Tears.wav"),
        (3, "03_A_Caucus-Race.wav"),
        (None, name),
    ]
    assert all(line["worker_s"] > 0 for line in lines[:3])
    with av.open(str(Path("out") / name)) as file:
        assert (file.metadata["title"], file.metadata["artist"]) == (
            "Alice's Adventures in Wonderland",
            "Lewis Carroll",
        )
        assert [mark["metadata"]["title"] for mark in file.chapters()] == [line["title"] for line in lines[:3]]
        assert file.streams.video[0].disposition == av.stream.Disposition.attached_pic
        assert sum(frame.samples for frame in file.decode(audio=0)) / 24_000 == pytest.approx(
            sum(line["duration_s"] for line in lines[:3]) + 2 * CHAPTER_PAUSE_S, abs=0.1
        )
    written = (Path("out") / name).stat().st_mtime_ns

    assert main(arguments) == 0
    assert (Path("out") / name).stat().st_mtime_ns == written  # nothing has changed
    (Path("out") / "03_A_Caucus-Race.wav").unlink()
    assert main([*arguments, "--title", "Alice", "--author", "L. C."]) == 0
    assert [line["file"] for line in manifest_lines()][-1] == "Alice.m4b"


def test_no_audiobook_is_made_of_a_part_of_its_chapters(reachable: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("book.md").write_text("# One\n\nFirst.\n\n# Two\n\n[pause:99s] Second.\n", encoding="utf-8")

    assert main(["book.md", "-o", "out", "--m4b"]) == 1

    assert "no audiobook: it is written when every text has its file" in capsys.readouterr().out
    assert not list(Path("out").glob("*.m4b"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key", "wrong"], "is the API key right"),
        (["--endpoint", "elsewhere"], "no such endpoint"),
    ],
)
def test_an_endpoint_that_rejects_the_client_is_reported_once(
    reachable: None, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    rows = [{"text": f"Row {n}."} for n in range(40)]

    assert main([write(*rows), "-o", "out", *arguments]) == 1

    errors = capsys.readouterr().err
    assert message in errors.splitlines()[-1]
    assert errors.count(message) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rows.jsonl"], "-o/--out"),
        (["rows.jsonl", "-o", "out", "--local", "--key", "k"], "--local uses this machine"),
        (["rows.jsonl", "-o", "out", "--in-flight", "0"], "must be 1 or more"),
        (["rows.jsonl", "-o", "out", "--set", "speed"], "--set takes FIELD=VALUE, not 'speed'"),
        (["rows.jsonl", "-o", "out", "--set", "speed=fast"], "speed must be a number, not 'fast'"),
        (["rows.jsonl", "-o", "out", "--set", "speed=9"], "speed must be a number from 0.25 to 4, not 9"),
        (["rows.jsonl", "-o", "out", "--set", "colour=red"], "unknown field 'colour'"),
        (["rows.jsonl", "-o", "out", "--set", "text=Hi"], "text must be set in each row"),
        (["rows.jsonl", "-o", "out", "--set", "output=s3"], "output cannot be set here"),
        (["a.epub", "-o", "out", "--server", "host:80"], "--server must be an http or https URL"),
        (["a.epub", "-o", "out", "--server", "http://a", "--local"], "--server is an HTTP server"),
        (["a.epub", "-o", "out", "--title", "A"], "they need --m4b"),
        (["a.epub", "-o", "out", "--part-chars", "10"], "--part-chars must be 500 or more"),
        (["a.epub", "-o", "out", "--timeout", "nan"], "--timeout: it must be a number of at least 0, not 'nan'"),
        (["a.epub", "-o", "out", "--local", "--price-per-second", "1"], "--price-per-second is for an endpoint"),
        (["rows.jsonl", "-o", "out", "--reference", "a.wav", "--voice", "b"], "not both"),
    ],
)
def test_an_invalid_command_is_rejected(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments, None)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "no endpoint: give --local, --server, --endpoint or set RUNPOD_ENDPOINT_ID"),
        (["--url", "http://127.0.0.1:9/v2"], "no endpoint: give --local, --server, --endpoint or"),
        (["--endpoint", "a"], "no API key: give --key or set RUNPOD_API_KEY"),
        (["--endpoint", "a", "--key", "b", "--url", "host:80"], "--url must be an http or https URL, not 'host:80'"),
    ],
)
def test_what_an_endpoint_lacks_is_named_by_its_flag(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("RUNPOD_ENDPOINT_ID", "RUNPOD_API_KEY", "RUNPOD_ENDPOINT_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main([write({"id": "a", "text": "Hello."}), "-o", "out", *given]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("source", ["missing.jsonl", "rows.json", "empty", "broken.epub", "empty.md"])
def test_an_invalid_input_is_reported_in_one_line(
    reachable: None, capsys: pytest.CaptureFixture[str], source: str
) -> None:  # fmt: skip
    Path("empty").mkdir()
    for name in ("rows.json", "broken.epub"):
        Path(name).write_text("Hello.", encoding="utf-8")
    Path("empty.md").write_text("\n", encoding="utf-8")

    assert main([source, "-o", "out"]) == 1

    error = capsys.readouterr().err
    assert source in error
    assert "Errno" not in error
    assert not Path("out").exists()


def test_the_command_shows_a_progress_bar(queue: LocalQueue, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": "a", "text": "Hello."}\n', encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "chatterbox_worker.batch",
        str(tmp_path / "rows.jsonl"),
        "-o",
        str(tmp_path / "out"),
    ]
    keys = ["--endpoint", "local", "--key", queue.api_key, "--url", queue.url]
    run = subprocess.run([*command, *keys], cwd=ROOT / "src", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "1/1" in run.stderr
    assert "1 texts: 1 spoken" in run.stdout
