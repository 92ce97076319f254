"""OpenAI's speech route, called by OpenAI's own client and directly."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from support.serving import HeldEngine, Open, decoded_s

TEXT = "One sentence. Another sentence, which is longer. And a third."
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SECONDS = 0.01 * len(TEXT)  # ToneEngine's speed


def _client(http: httpx2.AsyncClient, key: str = "none") -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key, base_url="http://server/v1", http_client=http, max_retries=0)


@pytest.mark.anyio
@pytest.mark.parametrize("fmt", FORMATS)
async def test_the_openai_client_gets_speech_of_the_right_length_whole_and_streamed(
    open_server: Open, fmt: Any
) -> None:
    async with open_server() as http:
        client = _client(http)
        whole = await client.audio.speech.create(model="multilingual", voice="default", input=TEXT, response_format=fmt)
        async with client.audio.speech.with_streaming_response.create(
            model="multilingual", voice="default", input=TEXT, response_format=fmt, stream_format="audio"
        ) as response:
            streamed = b"".join([piece async for piece in response.iter_bytes()])

    assert decoded_s(whole.content, fmt) == pytest.approx(SECONDS, abs=0.15)
    assert decoded_s(streamed, fmt) == pytest.approx(SECONDS, abs=0.15)


@pytest.mark.anyio
async def test_events_have_openais_shape_and_the_last_describes_the_speech(open_server: Open) -> None:
    body = {"input": TEXT, "response_format": "pcm", "stream_format": "sse", "progress": True, "captions": "srt"}
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json=body)

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "speech.audio.delta"
    assert kinds[-1] == "speech.audio.done"
    assert set(kinds) == {"speech.audio.delta", "speech.progress", "speech.audio.done"}
    audio = b"".join(base64.b64decode(event["audio"]) for event in events if event["type"] == "speech.audio.delta")
    done = events[-1]
    assert set(done["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}
    assert len(audio) / 48_000 == pytest.approx(done["speech"]["duration_s"], abs=1e-3)
    assert done["speech"]["captions"].startswith("1\n00:00:00,000 --> ")
    assert done["speech"]["chunks"][-1]["end"] == len(TEXT)


@pytest.mark.anyio
async def test_a_voice_may_be_an_object_or_a_file_name(open_server: Open) -> None:
    async with open_server() as http:
        for voice in ("default", "default.wav", {"id": "default"}):
            answer = await http.post("/v1/audio/speech", json={"input": "Hi there.", "voice": voice})
            assert answer.status_code == 200, answer.text


@pytest.mark.anyio
async def test_the_model_name_of_older_servers_speaks_latin_american_spanish(open_server: Open) -> None:
    body = {"model": "chatterbox-es-latam", "input": "Hola.", "voice": "default.wav", "response_format": "mp3",
            "speed": 1.0, "captions": "json"}  # fmt: skip
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json=body)

    assert (answer.json()["model"], answer.json()["language"]) == ("multilingual", "es")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fields", "is_stream"),
    [
        ({}, True),
        ({"stream_format": "audio"}, True),
        ({"stream": False}, False),
        ({"captions": "srt"}, False),
        ({"candidates": 2}, False),
        ({"timestamps": "word"}, False),
    ],
)
async def test_a_server_may_stream_to_clients_that_do_not_ask(
    open_server: Open, fields: dict[str, Any], is_stream: bool
) -> None:
    async with open_server(stream_format="audio") as http:
        answer = await http.post("/v1/audio/speech", json={"input": "Hello.", "response_format": "pcm", **fields})

    assert answer.status_code == 200
    assert ("content-length" not in answer.headers) == is_stream


@pytest.mark.anyio
async def test_the_same_request_comes_from_the_cache(open_server: Open) -> None:
    async with open_server() as http:
        answers = [await http.post("/v1/audio/speech", json={"input": "Twice."}) for _ in range(2)]

    assert [answer.headers["x-chatterbox-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["x-chatterbox-seed"] == answers[1].headers["x-chatterbox-seed"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "param", "message"),
    [
        ({}, 400, "input", "required"),
        ({"input": ""}, 400, "input", "empty"),
        ({"input": "x", "model": "tts-1"}, 400, "model", "multilingual or turbo"),
        ({"input": "x", "voice": "alloy"}, 404, "voice", "there are default"),
        ({"input": "x", "voice": {"name": "default"}}, 400, "voice", "id"),
        ({"input": "x", "instructions": "sing"}, 400, "instructions", "cannot be honoured"),
        ({"input": "x", "response_format": "midi"}, 400, "response_format", "mp3"),
        ({"input": "x", "speed": 9}, 400, "speed", "4"),
        ({"input": "x", "stream_format": "video"}, 400, "stream_format", "audio or sse"),
        ({"input": "x", "stream_format": ["sse"]}, 400, "stream_format", "audio or sse"),
        ({"input": "x", "stream": "yes"}, 400, "stream", "true or false"),
        ({"input": "x", "captions": "ass"}, 400, "captions", "srt"),
        ({"input": "x", "captions": "srt", "stream": True}, 400, "captions", "sse"),
        ({"input": "x", "progress": True}, 400, "progress", "sse"),
        ({"input": "x", "action": "info"}, 400, "action", "unknown"),
        ({"input": "x", "emotion": 1}, 400, "emotion", "unknown"),
        ({"input": "explode", "cache": False}, 500, None, "failed"),
        ({"input": "explode", "stream_format": "audio"}, 500, None, "failed"),
        ({"input": "explode", "stream_format": "sse"}, 500, None, "failed"),
        ({"input": "bug", "stream_format": "audio"}, 500, None, "internal error"),
        ({"input": "bug"}, 500, None, "internal error"),
    ],
)
async def test_a_refusal_has_openais_shape(
    open_server: Open, body: dict[str, Any], status: int, param: str | None, message: str
) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json=body)

    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert message in error["message"]
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    assert "secret" not in answer.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"input": NaN}', "application/json", 400),
        (b"\xff", "application/json; charset=utf-8", 400),
        (b"[" * 100_000, "application/json", 400),
        (rb'{"input": "x", "\ud800": 1}', "application/json", 400),
        (b'{"input": "x"}', "text/plain", 415),
        (b'{"input": "x"}', "", 415),
    ],
)
async def test_a_body_that_is_not_a_json_object_is_refused(
    open_server: Open, content: bytes, content_type: str, status: int
) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", content=content, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_audio_arrives_before_the_rest_is_generated(live_url: str, engine: HeldEngine) -> None:
    """The first chunk of a stream arrives before the second can even start."""
    client = OpenAI(api_key="none", base_url=f"{live_url}/v1", max_retries=0)
    engine.hold_after(1)
    text = "A first sentence that is long enough to be a chunk of its own. " * 8
    with client.audio.speech.with_streaming_response.create(
        model="multilingual", voice="default", input=text, response_format="pcm", stream_format="audio"
    ) as response:
        pieces = response.iter_bytes()
        first = next(pieces)
        assert first
        engine.release()
        remaining = b"".join(pieces)
    assert len(remaining) > len(first)


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["s3", "volume"])
async def test_what_only_the_queue_can_deliver_is_refused_by_name(open_server: Open, value: str) -> None:
    async with open_server() as http:
        body = {"model": "multilingual", "voice": "default", "input": TEXT, "output": value}
        answer = await http.post("/v1/audio/speech", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "output"
