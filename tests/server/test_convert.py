"""POST /convert: audio in another format."""

from __future__ import annotations

import pytest

from chatterbox_worker.catalogue import FORMATS
from support.audio_clips import wav_bytes
from support.serving import Open, decoded_s

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("audio_format", FORMATS)
async def test_audio_keeps_its_length_in_every_format(open_server: Open, audio_format: str) -> None:
    async with open_server() as client:
        answer = await client.post("/convert", files={"file": wav_bytes(2.0)}, data={"format": audio_format})
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
        answer = await client.post("/convert", files={"file": wav_bytes(1.0)}, data=fields)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_a_file_that_is_not_audio_is_refused(open_server: Open) -> None:
    async with open_server() as client:
        answer = await client.post("/convert", files={"file": b"not a sound"}, data={"format": "mp3"})
        missing = await client.post("/convert", files={"format": (None, "mp3")})
    assert (answer.status_code, answer.json()["field"]) == (400, "file")
    assert (missing.status_code, missing.json()["field"]) == (400, "file")


async def test_the_page_is_sent_with_a_policy_that_allows_no_other_origin(open_server: Open) -> None:
    async with open_server() as client:
        page = await client.get("/")
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
    assert page.status_code == 200
    assert again.status_code == 304
    for answer in (page, again):
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
