"""POST /transcode: audio in another format."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest

from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.server.routes import transcode
from chatterbox_worker.server.threads import DEFAULT_EXECUTOR_THREADS
from support.audio_clips import wav_bytes
from support.serving import Open, decoded_s

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("audio_format", FORMATS)
async def test_audio_keeps_its_length_in_every_format(open_server: Open, audio_format: str) -> None:
    async with open_server() as client:
        answer = await client.post("/transcode", files={"file": wav_bytes(2.0)}, data={"format": audio_format})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(FORMATS[audio_format].mimetype.partition(";")[0])
    assert decoded_s(answer.content, audio_format) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "format"),
        ({"format": "midi"}, "format"),
        ({"format": "opus", "sample_rate": "44100"}, "sample_rate"),
        ({"format": "wav", "sample_rate": "fast"}, "sample_rate"),
        ({"format": "wav", "bitrate": "9"}, "bitrate"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    open_server: Open, fields: dict[str, str], field: str
) -> None:
    async with open_server() as client:
        answer = await client.post("/transcode", files={"file": wav_bytes(1.0)}, data=fields)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_a_file_that_is_not_audio_is_refused(open_server: Open) -> None:
    async with open_server() as client:
        answer = await client.post("/transcode", files={"file": b"not a sound"}, data={"format": "mp3"})
        missing = await client.post("/transcode", files={"format": (None, "mp3")})
    assert (answer.status_code, answer.json()["field"]) == (400, "file")
    assert (missing.status_code, missing.json()["field"]) == (400, "file")


async def test_conversions_take_no_thread_that_speech_needs(open_server: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    is_converting, may_end = threading.Event(), threading.Event()

    def convert_slowly(*_: object, **__: object) -> None:
        is_converting.set()
        may_end.wait(60)
        raise InvalidRequest("stopped", field="file")

    monkeypatch.setattr(transcode, "decode_in_pieces", convert_slowly)
    body = {"input": "Hello.", "voice": "default", "stream_format": "audio"}
    async with open_server() as client:
        conversions = [
            asyncio.create_task(client.post("/transcode", files={"file": wav_bytes(1.0)}, data={"format": "mp3"}))
            for _ in range(DEFAULT_EXECUTOR_THREADS + 2)
        ]
        try:
            assert await asyncio.to_thread(is_converting.wait, 10)
            spoken = await asyncio.wait_for(client.post("/v1/audio/speech", json=body), 60)
        finally:
            may_end.set()
        answers = await asyncio.gather(*conversions)
    assert spoken.status_code == 200
    assert {answer.status_code for answer in answers} == {400}


async def test_the_page_is_sent_with_a_policy_that_allows_no_other_origin(open_server: Open) -> None:
    async with open_server() as client:
        page = await client.get("/")
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert page.status_code == 200
    assert again.status_code == 304
    for answer in (page, again):
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_the_pages_files_need_no_key_and_are_kept_for_a_year(open_server: Open) -> None:
    async with open_server(api_keys=("a-key-of-sixteen-letters",)) as client:
        document = (await client.get("/")).text
        named = re.findall(r'(?:href|src)="(assets/[^"]+)"', document)
        answers = [await client.get(f"/{path}") for path in named]
        before_an_update = await client.get("/assets/0123456789abcdef/joined.js")
        voices = await client.get("/assets/../voices")
    assert {path.rpartition("/")[2] for path in named} == {"favicon.svg", "joined.css", "joined.js"}
    for answer in answers:
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert answers[-1].headers["content-encoding"] == "gzip"
    assert (before_an_update.status_code, before_an_update.headers["cache-control"]) == (200, "no-cache")
    assert voices.status_code in (401, 404)


async def test_the_path_of_older_versions_is_kept(open_server: Open) -> None:
    async with open_server() as client:
        answers = [
            await client.post(path, files={"file": wav_bytes(0.2)}, data={"format": "flac"})
            for path in ("/convert", "/transcode")
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
