"""`WS /tts/stream` over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.sentences import SentenceBuffer
from support.serving import HeldEngine, decoded_s, on_a_socket, wait_for

SENTENCES = ["This is the first sentence of it.", "Here is another one, a little longer.", "And that is the last one."]


def _url(live_url: str) -> str:
    return live_url.replace("http", "ws") + "/tts/stream"


async def _send(ws: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await ws.send(json.dumps(message))


async def _until(ws: ClientConnection, kind: str) -> tuple[list[dict[str, Any]], bytes]:
    """The messages and the audio up to the first of that type."""
    received: list[dict[str, Any]] = []
    audio = b""
    while not received or received[-1]["type"] != kind:
        frame = await asyncio.wait_for(ws.recv(), 60)
        if isinstance(frame, bytes):
            assert len(frame) <= 65_536  # some clients refuse larger messages than 1 MiB
            audio += frame
        else:
            received.append(json.loads(frame))
            assert kind == "error" or received[-1]["type"] != "error", received[-1]
    return received, audio


@pytest.mark.anyio
@pytest.mark.parametrize("fmt", ["pcm", "opus", "mp3"])
async def test_the_first_audio_comes_before_the_last_text_is_sent(live_url: str, fmt: str) -> None:
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"type": "start", "format": fmt})
        for token in (SENTENCES[0] + " " + SENTENCES[1] + " ").split(" "):
            await _send(ws, {"type": "text", "text": token + " "})
        first, audio = await _until(ws, "sentence.done")
        assert audio
        await _send(ws, {"type": "text", "text": SENTENCES[2]}, {"type": "end"})
        remaining, more = await _until(ws, "done")

    received = first + remaining
    assert received[0] == {"type": "ready", "format": fmt, "sample_rate": 24000, "mimetype": received[0]["mimetype"]}
    assert [message["text"] for message in received if message["type"] == "sentence"] == SENTENCES
    done = received[-1]
    assert done["sentences"] == 3
    assert decoded_s(audio + more, fmt) == pytest.approx(done["duration_s"], abs=0.15)
    spans = [(message["start_s"], message["end_s"]) for message in received if message["type"] == "sentence.done"]
    assert spans == sorted(spans)
    assert all(end > start for start, end in spans)


@pytest.mark.anyio
async def test_a_long_sentence_comes_in_messages_that_clients_accept(live_url: str) -> None:
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"text": f"This goes {'on and ' * 30}on.", "sample_rate": 48_000})
        received, audio = await _until(ws, "done")

    assert len(audio) > 2 * 65_536
    assert len(audio) == pytest.approx(received[-1]["duration_s"] * 96_000, abs=100)


@pytest.mark.anyio
async def test_flush_speaks_what_is_buffered_and_the_conversation_goes_on(live_url: str) -> None:
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"type": "start", "seed": 5}, {"type": "text", "text": "Half a thought"}, {"type": "flush"})
        flushed, audio = await _until(ws, "flushed")
        await _send(ws, {"type": "text", "text": "and the other half\ud83d"}, {"type": "end"})
        done, more = await _until(ws, "done")

    assert [message["text"] for message in flushed if message["type"] == "sentence"] == ["Half a thought"]
    assert audio
    assert more
    assert [message["seed"] for message in flushed + done if message["type"] == "sentence.done"] == [5, 6]


@pytest.mark.anyio
async def test_cancel_frees_the_takes_and_drops_what_is_buffered(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"type": "start"}, {"type": "text", "text": " ".join(SENTENCES) + " And"})
        await asyncio.to_thread(wait_for, lambda: len(engine.takes) >= 3)
        await _send(ws, {"type": "cancel"})
        received, audio = await _until(ws, "cancelled")
        assert all(take.cancelled.is_set() for take in engine.takes)
        engine.release()
        await _send(ws, {"type": "text", "text": "Something new."}, {"type": "end"})
        after, _ = await _until(ws, "done")

    assert not audio
    assert [message["text"] for message in after if message["type"] == "sentence"] == ["Something new."]
    assert [message["type"] for message in received] == ["ready", "cancelled"]


@pytest.mark.anyio
async def test_cancel_works_after_the_end_too(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"type": "start"}, {"type": "text", "text": "Never to be spoken."}, {"type": "end"})
        await asyncio.to_thread(wait_for, lambda: bool(engine.takes))
        await _send(ws, {"type": "cancel"})
        await _until(ws, "cancelled")
        assert engine.takes[0].cancelled.is_set()


@pytest.mark.anyio
async def test_a_client_that_disconnects_frees_its_takes(live_url: str, engine: HeldEngine) -> None:
    engine.hold_after(0)
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"type": "start"}, {"type": "text", "text": "Never to be spoken."}, {"type": "end"})
        await asyncio.to_thread(wait_for, lambda: bool(engine.takes))

    await asyncio.to_thread(wait_for, engine.takes[0].cancelled.is_set)


@pytest.mark.anyio
async def test_the_pod_apis_request_is_one_message(live_url: str) -> None:
    async with connect(_url(live_url)) as ws:
        await _send(ws, {"text": "Hello, this is a test of the system.", "voice_id": "default.wav"})
        received, audio = await _until(ws, "done")

    assert len(audio) / 48_000 == pytest.approx(received[-1]["duration_s"], abs=0.01)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (["{"], "not JSON"),
        (["[]"], "must be a JSON object"),
        (['{"type": "start", "context": [' + "[]," * 1_000_000 + "[]]}"], "more than 1000000 values"),
        (['{"type": "start"}', r'{"type": "text", "\ud800": 1}'], "no field"),
        (
            [
                '{"type": "start", "text_format": "markdown"}',
                json.dumps({"type": "text", "text": "[pause:30s]" * 21}),
                '{"type": "flush"}',
            ],
            "at most 600 s together",
        ),
        (['{"type": "text", "text": "x"}'], "first message"),
        (['{"type": "start", "text": "x"}'], 'messages of type "text"'),
        (['{"type": "start", "colour": 1}'], "unknown field"),
        (['{"type": "start", "turns": []}'], "POST /dialogue"),
        (['{"type": "start", "format": "wav"}'], "pcm, opus or mp3"),
        (['{"type": "start", "model": "gpt"}'], "model"),
        (['{"type": "start"}', '{"type": "sing"}'], "type must be"),
        (['{"type": "start"}', '{"type": ["flush"]}'], "type must be"),
        (['{"type": "start"}', '{"type": "text"}'], "text must be a string"),
        (['{"type": "start"}', '{"type": "flush", "now": true}'], "no field"),
        (
            ['{"type": "start", "voice": "unknown"}', '{"type": "text", "text": "Hello."}', '{"type": "end"}'],
            "not found",
        ),
        (['{"type": "start"}', '{"type": "text", "text": "Please explode."}', '{"type": "end"}'], "engine failed"),
        (['{"type": "start"}', '{"type": "text", "text": "A bug is here."}', '{"type": "end"}'], "internal error"),
    ],
)
async def test_an_error_is_reported_before_the_connection_closes(
    live_url: str, messages: list[str], message: str
) -> None:
    async with connect(_url(live_url)) as ws:
        for sent in messages:
            await ws.send(sent)
        received, _ = await _until(ws, "error")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(ws.recv(), 60)

    assert message in received[-1]["error"]
    assert "secret" not in received[-1]["error"]


@pytest.mark.anyio
async def test_a_key_comes_as_a_header_or_a_subprotocol(
    settings: Settings, backend: Callable[[Settings], Backend]
) -> None:
    chosen = replace(settings, api_keys=("k" * 32,))
    with on_a_socket(create_app(chosen, backend(chosen))) as url:
        with pytest.raises(InvalidStatus) as refused:
            await connect(_url(url), additional_headers={"X-Request-Id": "abc-123"})
        async with connect(_url(url), additional_headers={"X-API-Key": "k" * 32}) as ws:
            assert ws.response is not None
            assert ws.response.headers["X-Request-Id"]
            await _send(ws, {"type": "start"})
            await _until(ws, "ready")
        protocols: Any = ["chatterbox", "chatterbox-key." + "k" * 32]
        async with connect(_url(url), subprotocols=protocols) as ws:
            assert ws.subprotocol == "chatterbox"
            await _send(ws, {"type": "start"})
            await _until(ws, "ready")

    answer = refused.value.response
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (401, "abc-123")
    assert json.loads(answer.body)["code"] == "invalid_api_key"


@pytest.mark.anyio
async def test_a_web_socket_of_another_path_is_told_where_there_is_one(
    live_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{_url(live_url)}s")

    answer = refused.value.response
    assert (answer.status_code, len(answer.headers["X-Request-Id"])) == (404, 32)
    assert "did you mean WS /tts/stream?" in json.loads(answer.body)["error"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.anyio
async def test_a_page_of_another_site_may_not_connect(live_url: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await connect(_url(live_url), additional_headers={"Origin": "https://evil.example"})
    async with connect(_url(live_url), additional_headers={"Origin": live_url}) as ws:
        await _send(ws, {"type": "start"})
        await _until(ws, "ready")


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (" ".join(SENTENCES), SENTENCES),
        ("Pi is 3.14159 and Dr. Smith knows it. He received me so yesterday.",
         ["Pi is 3.14159 and Dr. Smith knows it.", "He received me so yesterday."]),
        ("Yes. No. That is what I said to them. *** Good-bye to all of you!",
         ["Yes. No. That is what I said to them.", "*** Good-bye to all of you!"]),
        ("今日はとてもいい天気ですね、散歩に行きましょう。それから買い物に行って、夕食を作りましょう。",
         ["今日はとてもいい天気ですね、散歩に行きましょう。", "それから買い物に行って、夕食を作りましょう。"]),
        ("***", []),
    ],
)  # fmt: skip
def test_sentences_do_not_depend_on_how_the_text_arrives(text: str, sentences: list[str], size: int) -> None:
    buffer = SentenceBuffer("en")

    result = [s for start in range(0, len(text), size) for s in buffer.add(text[start : start + size])] + buffer.flush()

    assert result == sentences


def test_a_sentence_without_an_end_is_cut_where_a_reader_would_pause() -> None:
    buffer = SentenceBuffer("en")
    text = "and then, as if nothing had happened, " * 20

    result = [*buffer.add(text), *buffer.flush()]

    assert " ".join(result).split() == text.split()
    assert max(map(len, result)) <= 240
    assert all(part.endswith(",") for part in result)


PAUSED = 'Hello there my dear friend. [pause:1.5s] How are you today, then? <break time="2s"/> [pause:300ms] Good bye.'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 400])
def test_a_pause_is_never_cut_and_stays_with_the_sentence_before_it(size: int) -> None:
    buffer, sentences = SentenceBuffer("en"), []
    for start in range(0, len(PAUSED), size):
        sentences += buffer.add(PAUSED[start : start + size])
    assert [*sentences, *buffer.flush()] == [
        "Hello there my dear friend. [pause:1.5s]",
        'How are you today, then? <break time="2s"/> [pause:300ms]', "Good bye.",
    ]  # fmt: skip


def test_a_pause_alone_is_kept_and_a_long_text_is_not_cut_inside_one() -> None:
    buffer = SentenceBuffer("en")
    assert buffer.add("[pause:2s]") == []
    assert buffer.flush() == ["[pause:2s]"]
    assert buffer.add("a" * 60 + " " + "word [pause: 1s] " * 60)
    buffer.clear()
    text = "word [pause: 1s] " * 60
    parts = [*buffer.add(text), *buffer.flush()]
    assert len(parts) > 1
    assert all(part.count("[") == part.count("]") for part in parts)
    assert SentenceBuffer("en").add("A sentence that ends. [Nothing] And another one") == ["A sentence that ends."]


def test_marked_up_text_waits_for_its_end() -> None:
    buffer = SentenceBuffer("en", whole=True)
    assert buffer.add("<speak>One sentence is here. And another one. ") == []
    assert buffer.add("Done.</speak>") == []
    assert buffer.flush() == ["<speak>One sentence is here. And another one. Done.</speak>"]


@pytest.mark.anyio
async def test_pauses_are_exact_between_the_sentences(live_url: str) -> None:
    async def seconds(text: str, **fields: Any) -> float:
        async with connect(_url(live_url)) as ws:
            await _send(
                ws, {"type": "start", "format": "pcm", **fields}, {"type": "text", "text": text}, {"type": "end"}
            )
            messages, _ = await _until(ws, "done")
        return float(messages[-1]["duration_s"])

    plain = await seconds("This is the first sentence.")
    assert await seconds("This is the first sentence. [pause:2s]") == pytest.approx(plain - 0.25 + 2.0)
    assert await seconds("[pause:2s] This is the first sentence.") == pytest.approx(plain + 2.0)
    assert await seconds("This is the first sentence.", pause_s={"sentence": 1.4}) == pytest.approx(plain + 1.0)
    assert await seconds("<speak>This is the first sentence.</speak>", text_format="ssml") == pytest.approx(plain)
    assert await seconds("[pause:2s]") == pytest.approx(2.0)
