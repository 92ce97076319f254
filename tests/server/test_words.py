"""Words while they are spoken: with their audio, on the stream's own clock, and refused where they have no place."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from websockets.asyncio.client import connect

from chatterbox_worker.answer import SpokenWord, UnsentWords
from chatterbox_worker.server import streamed
from support import http_calls
from support.serving import HeldEngine, Open, decoded_s

SENTENCE = "Here is a sentence that is about as long as a chunk of the text may be here."
TEXT = " ".join([SENTENCE] * 4)
ASKED = {"timestamps": "word", "chunk_size": 100, "seed": 3}


def _events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line]


def test_a_word_is_sent_once_and_in_order_when_its_audio_is() -> None:
    words = [SpokenWord("w", index, index + 1, index / 10, index / 10 + 0.1) for index in range(5)]
    unsent = UnsentWords()

    assert unsent.take(words[:3], 0.15) == words[:2]
    assert unsent.take(words[:3], 0.2) == []
    assert unsent.take(words, most_bytes=200) == words[2:4]
    assert [*unsent.take(words), *unsent.take(words)] == words[4:]


@pytest.mark.anyio
@pytest.mark.parametrize("fields", [{}, {"speed": 1.25}, {"gain_db": -3.0}, {"sample_rate": 16_000}])
async def test_events_have_the_words_right_after_their_audio(open_server: Open, fields: dict[str, Any]) -> None:
    body: dict[str, Any] = {"input": TEXT, "response_format": "pcm", "stream_format": "sse", **ASKED, **fields}
    async with open_server() as http:
        events = _events((await http.post("/v1/audio/speech", json=body)).text)
        plain = _events((await http.post("/v1/audio/speech", json=body | {"timestamps": "chunk"})).text)

    sent_s, chunks, words = 0.0, 0, []
    for event in events[:-1]:
        if event["type"] == "speech.audio.delta":
            sent_s += len(base64.b64decode(event["audio"])) / 2 / body.get("sample_rate", 24_000)
            continue
        assert event["type"] == "speech.words"
        chunks += 1
        words += event["words"]
        # spoken already, to the end of a chunk, and no chunk late; a resampler and a pause are held back
        assert words[-1]["start_s"] < sent_s + 0.1
        assert words[-1]["end_s"] == pytest.approx(sent_s, abs=0.6)
    assert chunks == len(events[-1]["speech"]["chunks"]) == 4
    assert words == events[-1]["speech"]["words"]
    assert len(words) == len(TEXT.split())
    assert "speech.words" not in {event["type"] for event in plain}


@pytest.mark.anyio
@pytest.mark.parametrize("manner", [{"stream_format": "audio"}, {"stream": True}])
async def test_a_stream_of_bare_audio_refuses_words(open_server: Open, manner: dict[str, Any]) -> None:
    async with open_server() as http:
        answer = await http.post("/v1/audio/speech", json={"input": TEXT} | ASKED | manner)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "timestamps"
    assert "/dev/captioned_speech" in answer.json()["error"]["message"]


def test_words_arrive_before_the_rest_is_generated(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(1)
    body = {"input": TEXT, "response_format": "pcm", **ASKED, "timestamps": None}
    with http_calls.stream("POST", f"{live_url}/dev/captioned_speech", json=body) as response:
        lines = response.iter_lines()
        while not (first := json.loads(next(lines)))["timestamps"]:
            pass
        assert not any(take.cancelled.is_set() for take in engine.takes)
        engine.release()
        rest = [json.loads(line) for line in lines]

    assert [word["word"] for word in first["timestamps"]] == SENTENCE.split()
    assert sum(len(line["timestamps"]) for line in rest) == 3 * len(SENTENCE.split())


@pytest.mark.anyio
@pytest.mark.parametrize("fmt", ["mp3", "wav", "pcm", "opus", "aac", "flac"])
async def test_captioned_speech_is_kokoros_whole_and_in_lines(open_server: Open, fmt: str) -> None:
    body = {"input": TEXT, "response_format": fmt, "chunk_size": 100, "seed": 3, "voice": "default"}
    async with open_server() as http:
        whole = (await http.post("/dev/captioned_speech", json=body | {"stream": False})).json()
        streamed = await http.post("/dev/captioned_speech", json=body)
        bare = (await http.post("/dev/captioned_speech", json=body | {"return_timestamps": False})).text

    lines = [json.loads(line) for line in streamed.text.splitlines()]
    assert streamed.headers["content-type"] == "application/json"
    assert all(list(line) == ["audio", "audio_format", "timestamps"] for line in [whole, *lines])
    assert {line["audio_format"] for line in lines} == {whole["audio_format"]}
    times = [word for line in lines for word in line["timestamps"]]
    assert [word["word"] for word in times] == [word["word"] for word in whole["timestamps"]] == TEXT.split()
    assert all(word["start_time"] <= word["end_time"] for word in times)
    audio = b"".join(base64.b64decode(line["audio"]) for line in lines)
    assert decoded_s(audio, fmt) == pytest.approx(decoded_s(base64.b64decode(whole["audio"]), fmt), abs=0.15)
    assert times[-1]["end_time"] == pytest.approx(decoded_s(audio, fmt), abs=0.2)
    assert not any(json.loads(line)["timestamps"] for line in bare.splitlines())


@pytest.mark.anyio
async def test_captioned_speech_honours_kokoros_fields(open_server: Open, engine: HeldEngine) -> None:
    body = {"input": "Hola a todos.", "stream": False, "response_format": "pcm", "seed": 1}
    async with open_server() as http:
        loud = (await http.post("/dev/captioned_speech", json=body | {"lang_code": "e"})).json()
        soft = (
            await http.post("/dev/captioned_speech", json=body | {"lang_code": "es", "volume_multiplier": 0.5})
        ).json()

    assert {take.utterance.language for take in engine.takes} == {"es"}
    peaks = [max(map(abs, memoryview(base64.b64decode(each["audio"])).cast("h"))) for each in (loud, soft)]
    assert peaks[1] == pytest.approx(peaks[0] / 2, rel=0.01)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "input", "input is required"),
        ({"input": "Hi.", "model": "kokoro"}, "model", "kokoro"),
        ({"input": "Hi.", "response_format": "mp4"}, "response_format", "mp4"),
        ({"input": "Hi.", "lang_code": "q"}, "lang_code", "unknown"),
        ({"input": "Hi.", "lang_code": "a", "language": "en"}, "lang_code", "not both"),
        ({"input": "Hi.", "volume_multiplier": 0}, "volume_multiplier", "0.01 to 10"),
        ({"input": "Hi.", "volume_multiplier": "loud"}, "volume_multiplier", "number"),
        ({"input": "Hi.", "volume_multiplier": 2, "loudness_lufs": -16}, "volume_multiplier", "loudness_lufs"),
        ({"input": "Hi.", "return_download_link": True}, "return_download_link", "leave"),
        ({"input": "Hi.", "return_timestamps": "yes"}, "return_timestamps", "true or false"),
        ({"input": "Hi.", "timestamps": "word"}, "timestamps", "unknown field"),
        ({"input": "Hi.", "stream_format": "sse"}, "stream_format", "unknown field"),
    ],
)
async def test_captioned_speech_refuses_by_the_callers_name(
    open_server: Open, body: dict[str, Any], field: str, message: str
) -> None:
    async with open_server() as http:
        answer = await http.post("/dev/captioned_speech", json=body)

    assert answer.status_code == 400, answer.text
    assert answer.json()["field"] == field
    assert message in answer.json()["error"]


def test_lines_that_fail_end_with_the_reason_and_are_broken_off(live_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "_ERROR_READ_S", 0.0)
    body = {"input": TEXT + " Explode.", "chunk_size": 100}
    text = http_calls.broken_off_post(f"{live_url}/dev/captioned_speech", body)

    *lines, last = map(json.loads, text.splitlines())
    assert all(line["audio"] or line["timestamps"] for line in lines)
    assert last == {"error": "the engine failed on this chunk", "code": "synthesis_failed"}


@pytest.mark.anyio
async def test_the_websocket_has_words_on_the_clock_of_the_whole_stream(live_url: str) -> None:
    async with connect(live_url.replace("http", "ws") + "/tts/stream") as ws:
        start = {"type": "start", "timestamps": "word", "pause_s": {"sentence": 0.5}}
        for sent in (start, {"type": "text", "text": f"{SENTENCE} {SENTENCE} {SENTENCE}"}, {"type": "end"}):
            await ws.send(json.dumps(sent))
        received: list[dict[str, Any] | bytes] = []
        while not received or not isinstance(last := received[-1], dict) or last["type"] != "done":
            frame = await asyncio.wait_for(ws.recv(), 60)
            received.append(frame if isinstance(frame, bytes) else json.loads(frame))

    spans, words = _of_kind(received, "sentence.done"), _of_kind(received, "words")
    assert [message["index"] for message in words] == [0, 1, 2]
    for span, message in zip(spans, words, strict=True):
        assert [word["text"] for word in message["words"]] == SENTENCE.split()
        assert span["start_s"] <= message["words"][0]["start_s"]
        assert message["words"][-1]["end_s"] <= span["end_s"] + 1e-3
        assert SENTENCE[message["words"][1]["start"] : message["words"][1]["end"]] == "is"
        before = received[: received.index(message)]
        assert sum(len(frame) for frame in before if isinstance(frame, bytes)) / 48_000 >= span["end_s"] - 0.01
    assert spans[1]["start_s"] > 1.0


def _of_kind(received: Sequence[dict[str, Any] | bytes], kind: str) -> list[dict[str, Any]]:
    return [each for each in received if isinstance(each, dict) and each["type"] == kind]
