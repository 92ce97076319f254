"""The Wyoming protocol, by its own client."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from chatterbox_worker import memory, wyoming
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, NotReady
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.server.limits import Admission
from chatterbox_worker.synthesis.synthesizer import Synthesizer
from chatterbox_worker.wyoming import main, serve
from support.audio_clips import wav_bytes
from support.fakes import ToneEngine
from support.serving import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def _connect(settings: Settings, synthesizer: Synthesizer) -> AsyncIterator[AsyncTcpClient]:
    port = free_port()
    backend = LocalBackend(settings, lambda _: synthesizer)
    server = asyncio.create_task(serve(settings, f"tcp://127.0.0.1:{port}", "en", backend))
    client = AsyncTcpClient("127.0.0.1", port)
    for _ in range(500):
        try:
            await client.connect()
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    try:
        yield client
    finally:
        await client.disconnect()
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def _ask(client: AsyncTcpClient, *sent: Eventable, until: type[Eventable] = AudioStop) -> list[Event]:
    for eventable in sent:
        await client.write_event(eventable.event())
    received: list[Event] = []
    while not received or not (until.is_type(received[-1].type) or Error.is_type(received[-1].type)):
        event = await asyncio.wait_for(client.read_event(), 60)
        assert event is not None
        received.append(event)
    return received


def _seconds(events: list[Event]) -> float:
    return sum(len(AudioChunk.from_event(event).audio) for event in events if AudioChunk.is_type(event.type)) / 48_000


async def test_the_voices_are_listed_for_every_language(settings: Settings, synthesizer: Synthesizer) -> None:
    synthesizer.library.save("alice", wav_bytes(), field="file")
    async with _connect(replace(settings, aliases=("nova=default",)), synthesizer) as client:
        [event] = await _ask(client, Describe(), until=Info)

    program = Info.from_event(event).tts[0]
    names = [voice.name for voice in program.voices]
    assert names[:3] == ["en/default", "en/nova", "en/alice"]
    assert len(names) == 3 * 23
    assert next(voice for voice in program.voices if voice.name == "es/alice").languages == ["es"]
    assert program.supports_synthesize_streaming
    for voice in program.voices:
        code, name = voice.name.split("/")
        assert (voice.languages, voice.installed) == ([code], True)
        assert voice.attribution.name == "Resemble AI"
        assert voice.description == f"{name} ({settings.languages[code]})"


async def test_a_text_is_spoken_with_the_voice_that_was_chosen(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    synthesizer.library.save("alice", wav_bytes(), field="file")
    async with _connect(settings, synthesizer) as client:
        events = await _ask(client, Synthesize("Hola a todos.", SynthesizeVoice(name="es/alice")))
        plain = await _ask(client, Synthesize("Hello."))

    start = AudioStart.from_event(events[0])
    assert (start.rate, start.width, start.channels) == (24_000, 2, 1)
    assert _seconds(events) == pytest.approx(0.13, abs=0.01)
    assert [(take.utterance.language, take.utterance.voice.id) for take in engine.takes] == [
        ("es", "alice"),
        ("en", "default"),
    ]
    assert AudioStop.is_type(plain[-1].type)


async def test_text_in_parts_is_spoken_sentence_by_sentence(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    sentences = ["This is the first sentence of it.", "And that is the last one."]
    async with _connect(settings, synthesizer) as client:
        await client.write_event(SynthesizeStart().event())
        for word in " ".join(sentences).split(" "):
            await client.write_event(SynthesizeChunk(f"{word} ").event())
        first = await _ask(client, until=AudioStart)
        rest = await _ask(client, Synthesize(" ".join(sentences)), SynthesizeStop(), until=SynthesizeStopped)

    assert [take.utterance.text for take in engine.takes] == sentences
    assert [event.type for event in first + rest if not AudioChunk.is_type(event.type)] == [
        "audio-start",
        "audio-stop",
        "synthesize-stopped",
    ]
    assert _seconds(rest) > 0.5


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Synthesize("Hello.", SynthesizeVoice(name="en/nobody")), "'nobody' not found"),
        (Synthesize("Hello.", SynthesizeVoice(name="tlh/default")), "no model here speaks the language 'tlh'"),
        (Synthesize(""), "text is empty"),
        (Synthesize("A bug is here."), "internal error"),
    ],
)
async def test_an_error_is_an_event(
    settings: Settings, synthesizer: Synthesizer, event: Synthesize, message: str
) -> None:
    async with _connect(settings, synthesizer) as client:
        [error] = await _ask(client, event)

    assert message in Error.from_event(error).text


async def test_an_event_without_its_fields_is_an_error(settings: Settings, synthesizer: Synthesizer) -> None:
    async with _connect(settings, synthesizer) as client:
        await client.write_event(Event("synthesize"))
        [error] = await _ask(client)

    assert Error.from_event(error).code == "invalid_request"


async def test_bytes_that_are_no_event_end_their_connection_only(
    settings: Settings, synthesizer: Synthesizer, caplog: pytest.LogCaptureFixture
) -> None:
    half = b'{"type": "synthesize", "data_length": 1000}\n'
    async with _connect(settings, synthesizer) as client:
        for sent in (
            half,
            b"[]\n",
            b"{}\n",
            b"[" * 60_000 + b"\n",
            b'{"data_length": "x"}\n',
            b'{"data_length": 2, "data": []}\n{}',
            b"x\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(sent)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(half)
        await writer.drain()
        linger = struct.pack("ii", 1, 0)  # for no time: closing the socket resets the connection
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        events = await _ask(client, Synthesize("Hello."))

    assert AudioStop.is_type(events[-1].type)
    assert "asyncio" not in {record.name for record in caplog.records}, caplog.text


@pytest.mark.parametrize("size", ["data_length", "payload_length"])
async def test_an_event_that_announces_gigabytes_is_not_waited_for(
    settings: Settings, synthesizer: Synthesizer, size: str
) -> None:
    async with _connect(settings, synthesizer) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b'{"type": "synthesize", "%s": 1000000000}\n' % size.encode())
        assert await asyncio.wait_for(reader.read(), 60) == b""
        writer.close()


async def test_a_client_that_disconnects_frees_its_take(
    settings: Settings, synthesizer: Synthesizer, engine: ToneEngine
) -> None:
    async with _connect(settings, synthesizer) as client:
        await client.write_event(Synthesize("A sentence that is spoken again and again. " * 500).event())
        await _first_audio(client)
        await client.disconnect()
        for _ in range(500):
            if engine.takes[-1].cancelled.is_set():
                break
            await asyncio.sleep(0.01)

    assert engine.takes[-1].cancelled.is_set()


async def _first_audio(client: AsyncTcpClient) -> None:
    await _ask(client, until=AudioStart)


async def test_a_language_that_no_model_speaks_is_an_error_at_the_start(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="tlh"):
        await serve(settings, "tcp://127.0.0.1:1", "tlh")


async def test_a_stop_before_the_models_are_loaded_does_not_wait_for_them(settings: Settings) -> None:
    abandoned: list[int] = []
    begun, loading = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def build(_: Settings) -> Synthesizer:
        loop.call_soon_threadsafe(begun.set)
        loading.wait()
        raise NotReady("not loaded")

    backend, uri = LocalBackend(settings, build), f"tcp://127.0.0.1:{free_port()}"

    def abandon(number: int) -> None:
        abandoned.append(number)
        loading.set()

    server = asyncio.create_task(serve(settings, uri, "en", backend, abandon=abandon))
    await begun.wait()
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
    assert abandoned == [signal.SIGINT]


def test_freed_memory_is_returned_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    async def served(*_: object, admission: Admission, **__: object) -> None:
        assert [thread.name for thread in threading.enumerate()].count("memory") == 1
        seen.append(admission)

    seen: list[Admission] = []
    monkeypatch.setattr(memory, "share_heaps", lambda _: None)
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr(wyoming, "serve", served)
    monkeypatch.setenv("CHATTERBOX_MODELS", "preview")

    assert main([]) == 0
    assert seen[0].inside == 0


def test_a_bad_address_ends_it_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATTERBOX_MODELS", "preview")
    assert main(["--uri", "udp://x"]) == 2
