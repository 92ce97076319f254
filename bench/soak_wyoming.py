"""The requests of `bench.soak wyoming`: a round is a fixed mix of them, in which every text is a new one."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from wyoming.client import AsyncTcpClient
from wyoming.event import Event, Eventable
from wyoming.info import Describe
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing the socket resets the connection
_LONG = 6
_WRONG: tuple[bytes, ...] = (
    b"no event\n",
    b'{"type": "synthesize", "data": {}}\n',
    b'{"type": "synthesize", "data": {"text": ""}}\n',
    b'{"type": "synthesize", "data": {"text": "Hello.", "voice": {"name": "en/missing"}}}\n',
    b'{"type": "synthesize", "data": {"text": "Hello.", "voice": {"language": "xx"}}}\n',
    b'{"type": "synthesize", "data_length": 1000}\n',  # and then nothing
)


def wyoming_round(port: int, number: int) -> int:
    """Returns how many requests there were. Raises RuntimeError for one that was answered otherwise than it should."""
    return asyncio.run(_round(port, number))


async def _round(port: int, number: int) -> int:
    text = f"Round {number} of the long test has its own words, {number * 7919} of them."
    voice = SynthesizeVoice(name="es/default")
    streamed = [SynthesizeStart(), *(SynthesizeChunk(text=f"{text} {part}. ") for part in range(4)), SynthesizeStop()]
    await _ask(port, "info", Describe())
    await _ask(port, "audio-stop", Synthesize(text=text))
    await _ask(port, "audio-stop", Synthesize(text=text))  # from the cache
    await _ask(port, "audio-stop", Synthesize(text=f"El {number}. {text}", voice=voice))
    await _ask(port, "synthesize-stopped", *streamed)
    await asyncio.gather(*(_ask(port, "audio-stop", Synthesize(text=f"{text} {part}.")) for part in range(4)))
    await _session(port, text, streamed)
    for sent in _WRONG:
        await _send(port, sent)
    long = _bytes(Synthesize(text=f"{text} It goes on and on. " * 20))
    for after_bytes in (0, 20_000):
        await _send(port, long, after_bytes=after_bytes, is_reset=True)
    await _send(port, _bytes(SynthesizeStart(), SynthesizeChunk(text=f"{text} {text}")), is_reset=True)
    await _send(port, long, after_bytes=4_000, rest_s=1)  # a slow reader that leaves
    return 9 + 2 * _LONG + len(_WRONG) + 4


def _bytes(*sent: Eventable) -> bytes:
    events = [each.event() for each in sent]
    return b"".join(json.dumps({"type": event.type, "data": event.data}).encode() + b"\n" for event in events)


async def _ask(port: int, until: str, *sent: Eventable) -> None:
    client = AsyncTcpClient("127.0.0.1", port)
    await client.connect()
    try:
        for each in sent:
            await client.write_event(each.event())
        await asyncio.wait_for(_read(client.read_event, until), 120)
    finally:
        await client.disconnect()


async def _session(port: int, text: str, streamed: list[Eventable]) -> None:
    """Many texts, whole and in parts, over one connection."""
    client = AsyncTcpClient("127.0.0.1", port)
    await client.connect()
    try:
        for part in range(_LONG):
            await client.write_event(Synthesize(text=f"{text} Of the session, {part}.").event())
            await asyncio.wait_for(_read(client.read_event, "audio-stop"), 120)
            for each in streamed:
                await client.write_event(each.event())
            await asyncio.wait_for(_read(client.read_event, "synthesize-stopped"), 120)
    finally:
        await client.disconnect()


async def _read(receive: Callable[[], Any], until: str) -> None:
    while True:
        event: Event | None = await receive()
        if event is None or event.type == "error":
            raise RuntimeError(f"{until} was expected, not {event}")
        if event.type == until:
            return


async def _send(port: int, data: bytes, *, after_bytes: int = 0, is_reset: bool = False, rest_s: float = 0.1) -> None:
    """Leave once so many bytes of the answer are read, if they come within a second, and after a rest."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_096)
    writer.write(data)
    await writer.drain()
    try:
        async with asyncio.timeout(1):
            await reader.readexactly(after_bytes)
    except (TimeoutError, asyncio.IncompleteReadError):
        pass
    await asyncio.sleep(rest_s)
    if is_reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.close()
