"""The rows through an HTTP server: what is sent, what is recorded, and how its errors are taken."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from chatterbox_worker.batch.__main__ import main
from chatterbox_worker.batch.backends import RowFailed, Stopped
from chatterbox_worker.batch.http_server import ServerSynthesizer
from chatterbox_worker.batch.manifest import NAME
from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from support.serving import on_a_socket
from support.webvtt import read_webvtt


def test_a_book_is_spoken_by_a_server(
    settings: Settings, synthesizer: Synthesizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.md").write_text("# One\n\nFirst.\n\n# Two\n\nSecond.\n", encoding="utf-8")
    out, settings = tmp_path / "out", replace(settings, api_keys=("secret",))
    app = create_app(settings, LocalBackend(settings, lambda _: synthesizer))
    with on_a_socket(app) as url:
        arguments = [str(tmp_path / "book.md"), "-o", str(out), "--server", f"{url}/v1", "--key", "secret", "--m4b"]
        assert main([*arguments, "--seed", "6"]) == 0
        seed_6 = (out / "book.m4b").read_bytes()
        arguments += ["--captions", "vtt", "--set", "timestamps=word", "--seed", "7"]
        assert main(arguments) == 0
        written = (out / "book.m4b").stat()
        assert main(arguments) == 0

    assert [line.partition(" spoken")[0] for line in capsys.readouterr().out.splitlines() if " texts: " in line] == [
        "2 texts: 2", "2 texts: 2", "2 texts: 0"
    ]  # fmt: skip
    assert (out / "book.m4b").read_bytes() != seed_6, "the audiobook is made of the files that there are now"
    assert (out / "book.m4b").stat().st_mtime_ns == written.st_mtime_ns, "nothing had changed"
    lines = [json.loads(line) for line in (out / NAME).read_text().splitlines()]
    assert [(line["file"], line.get("seed")) for line in lines] == [
        ("01_One.wav", 7), ("02_Two.wav", 7), ("book.m4b", None)
    ]  # fmt: skip
    assert all(line["duration_s"] > 0 for line in lines)
    cues = read_webvtt((out / lines[1]["captions"]).read_text())
    assert [cue.lines for cue in cues] == [("Two",), ("Second.",)]


def test_an_audiobook_of_files_without_headers_is_refused_before_anything_is_spoken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.md").write_text("# One\n\nFirst.\n", encoding="utf-8")
    arguments = [str(tmp_path / "book.md"), "-o", str(tmp_path / "out"), "--server", "http://127.0.0.1:9"]

    assert main([*arguments, "--m4b", "--format", "pcm"]) == 1

    assert "pcm has no header; choose wav or flac" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("answer", "code", "field", "can_retry"),
    [
        (httpx.Response(400, json={"error": {"message": "m", "code": "invalid_request", "param": "voice"}}),
         "invalid_request", "voice", False),
        (httpx.Response(429, json={"error": {"message": "m", "code": "busy", "param": None}}), "busy", None, True),
        (httpx.Response(500, json={"error": {"message": "m", "code": "synthesis_failed"}}),
         "synthesis_failed", None, True),
        (httpx.Response(502, text="<html>"), "bad_answer", None, True),
        (httpx.Response(503, json=["starting"]), "bad_answer", None, True),
        (httpx.Response(200, content=b"x"), "bad_answer", None, False),
        (httpx.Response(200, headers={"X-Chatterbox-Duration": "long"}), "bad_answer", None, False),
        (httpx.ConnectError("refused"), "unavailable", None, True),
        (httpx.ReadTimeout("late"), "timed_out", None, False),
        (httpx.Response(401, json={"error": {"message": "m", "code": "unauthorised"}}), None, None, False),
    ],
)  # fmt: skip
def test_an_error_says_whether_another_attempt_may_help(
    answer: httpx.Response | Exception, code: str | None, field: str | None, *, can_retry: bool
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.content) == {"text": "a", "format": "wav"}
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://server") as http:
            await ServerSynthesizer(http).synthesize({"text": "a", "format": "auto"}, None, lambda _: None)

    with pytest.raises(Stopped if code is None else RowFailed) as failure:
        asyncio.run(ask())
    if isinstance(failure.value, RowFailed):
        assert (failure.value.code, failure.value.field, failure.value.can_retry) == (code, field, can_retry)
