"""POST /voice-conversion: recorded speech said by another voice."""

from __future__ import annotations

import io
from typing import Any

import pytest
import soundfile

from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.request import ConversionRequest, parse
from chatterbox_worker.server.gateway.fields import job_fields
from support.audio_clips import wav_base64, wav_bytes
from support.serving import HeldEngine, Open, decoded_s

pytestmark = pytest.mark.anyio
PATH = "/voice-conversion"


async def test_json_and_a_form_are_the_same_request(open_server: Open, engine: HeldEngine) -> None:
    async with open_server() as client:
        await client.post("/voices", files={"file": ("alice.wav", wav_bytes(6.0, pitch=150))})
        fields = {"voice": "alice", "format": "flac", "seed": 3}
        by_json = await client.post(PATH, json={"audio": wav_base64(2.0), **fields})
        by_form = await client.post(PATH, files={"audio": wav_bytes(2.0)}, data={**fields, "seed": "3"})
    for answer in (by_json, by_form):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "audio/flac"
        assert answer.headers["x-chatterbox-seed"] == "3"
        assert decoded_s(answer.content, "flac") == pytest.approx(2.0, abs=0.001)
    assert by_form.headers["x-chatterbox-cache"] == "hit"
    assert by_form.content == by_json.content
    assert [passage.voice.id for passage in engine.passages] == ["alice"]


async def test_a_form_may_bring_the_recording_of_the_voice(open_server: Open, engine: HeldEngine) -> None:
    files = {"audio": wav_bytes(1.0), "reference_audio": wav_bytes(6.0, pitch=150)}
    async with open_server() as client:
        answer = await client.post(PATH, files=files)
    assert answer.status_code == 200, answer.text
    assert engine.passages[0].voice.id == "reference"


async def test_it_is_sent_while_it_is_made(open_server: Open) -> None:
    async with open_server() as client:
        whole = await client.post(PATH, json={"audio": wav_base64(3.0), "seed": 1, "format": "pcm"})
        streamed = await client.post(PATH, json={"audio": wav_base64(3.0), "seed": 1, "format": "pcm", "stream": True})
        form = {"stream_format": "sse", "format": "pcm", "progress": "true"}
        events = await client.post(PATH, files={"audio": wav_bytes(3.0)}, data=form)
    assert streamed.content == whole.content
    assert '"speech.audio.done"' in events.text
    assert "error" not in events.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "audio"),
        ({"audio": "AAAA"}, "audio"),
        ({"audio": wav_base64(1.0), "audio_url": "http://example.org/a.wav"}, "audio_url"),
        ({"audio": wav_base64(1.0), "voice": "nobody"}, "voice"),
        ({"audio": wav_base64(1.0), "model": "csm"}, "model"),
        ({"audio": wav_base64(1.0), "text": "Hello"}, "text"),
        ({"audio": wav_base64(1.0), "captions": "srt"}, "captions"),
        ({"audio": wav_base64(1.0), "output": "s3"}, "output"),
        ({"audio": wav_base64(1.0), "action": "info"}, "action"),
        ({"audio": wav_base64(1.0), "model": "turbo", "reference_audio": wav_base64(2.0)}, "reference_audio"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(open_server: Open, body: dict[str, Any], field: str) -> None:
    async with open_server() as client:
        answer = await client.post(PATH, json=body)
    assert (answer.status_code // 100, answer.json()["field"]) == (4, field), answer.text


@pytest.mark.parametrize(
    ("data", "field"),
    [({"seed": "soon"}, "seed"), ({"cache": "perhaps"}, "cache"), ({"colour": "red"}, "colour"),
     ({"audio_url": "http://example.org/a.wav"}, "audio_url")],
)  # fmt: skip
async def test_a_bad_field_of_a_form_is_refused_by_name(open_server: Open, data: dict[str, str], field: str) -> None:
    async with open_server() as client:
        answer = await client.post(PATH, files={"audio": wav_bytes(1.0)}, data=data)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_gateway_forwards_every_field(settings: Any, synthesizer: Any) -> None:
    recording, reference = wav_bytes(1.0), wav_base64(6.0)
    body = {
        "action": "convert", "audio": wav_base64(1.0), "reference_audio": reference, "model": "turbo", "format": "mp3",
        "sample_rate": 48_000, "bitrate_kbps": 96, "seed": 7, "cache": False,
    }  # fmt: skip
    asked = parse(body, settings)
    assert isinstance(asked, ConversionRequest)
    assert job_fields(asked) == body
    upload = parse({"action": "convert", "audio": wav_base64(1.0)}, settings)
    assert isinstance(upload, ConversionRequest)
    forwarded = job_fields(upload)
    answer = synthesizer.speak(parse(forwarded, settings), CancelScope())
    assert soundfile.info(io.BytesIO(answer.audio)).frames == soundfile.info(io.BytesIO(recording)).frames
