"""The requests of `bench.soak streams`: long conversations, many at once, and clients that leave or read slowly.

What is answered is checked: every sentence once and in order, and as much audio as the answer says.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect

from bench.soak_requests import break_off, check_empty

_FORMATS = ("wav", "mp3", "opus", "flac", "aac", "pcm")
_PCM_BYTES_S = 2 * 24_000  # 16 bits a sample, 24 000 samples a second


def streams_round(url: str, number: int) -> int:
    """Returns how many requests there were. Raises RuntimeError for one that was answered otherwise than it should."""
    draw = random.Random(number)
    text = f"Round {number} of the long test has its own words, {number * 7919} of them."
    count = asyncio.run(_conversations(url, text, draw))
    long = f"{text} It goes on and on. " * 40
    kind: dict[str, Any]
    for kind in ({"stream": True}, {"stream_format": "sse", "progress": True}):
        for _ in range(4):
            fields = {"input": long, "response_format": draw.choice(_FORMATS), "cache": False} | kind
            break_off(url, fields, draw.choice((0, 1, 1_000, 20_000, 200_000)))
            count += 1
    more: dict[str, Any]
    for more in ({}, {"captions": "srt", "progress": True}, {"timestamps": "word"}):
        _events(url, {"input": f"{text} It goes on. " * 4} | more)
        count += 1
    check_empty(url)
    return count


def _events(url: str, fields: dict[str, Any]) -> None:
    body = {"response_format": "pcm", "stream_format": "sse"} | fields
    audio, last = 0, ""
    with httpx2.Client(timeout=120) as http, http.stream("POST", f"{url}/v1/audio/speech", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                last = event["type"]
                audio += len(base64.b64decode(event.get("audio", "")))
    if last != "speech.audio.done" or audio < _PCM_BYTES_S:
        raise RuntimeError(f"{fields}: the last event is {last!r} after {audio} bytes of audio")


async def _conversations(url: str, text: str, draw: random.Random) -> int:
    address = url.replace("http", "ws") + "/tts/stream"
    whole = [_whole(address, text, sentences=25, format="pcm"), _whole(address, text, sentences=5, format="mp3")]
    several = [_whole(address, f"{text} Of {part}.", sentences=3, timestamps="word") for part in range(8)]
    leaves = [_leave(address, text, kind, draw) for kind in ("ready", "sentence", "audio") * 2]
    slow = [_slow(address, text) for _ in range(2)]
    await asyncio.gather(*whole)
    await asyncio.gather(*several, *leaves, *slow)
    await asyncio.gather(_changes_its_mind(address, text), _silent(address), _half(address))
    return len(whole) + len(several) + len(leaves) + len(slow) + 3


async def _whole(address: str, text: str, *, sentences: int, **fields: Any) -> None:
    """One to its end, whose text comes word by word."""
    async with connect(address) as ws:
        await _say(ws, {"type": "start", **fields})
        sending = asyncio.create_task(_write(ws, text, sentences))
        audio, done, last = 0, [], {}
        async for frame in ws:
            if isinstance(frame, bytes):
                audio += len(frame)
                continue
            last = json.loads(frame)
            if last["type"] == "sentence.done":
                done.append(last["index"])
        await sending
    said_bytes = last.get("duration_s", 0) * _PCM_BYTES_S
    is_whole = fields.get("format", "pcm") != "pcm" or abs(audio - said_bytes) < 10
    if last["type"] != "done" or done != list(range(last["sentences"])) or len(done) < sentences or not is_whole:
        raise RuntimeError(f"{fields}: {last} after the sentences {done} and {audio} bytes of audio")


async def _write(ws: ClientConnection, text: str, sentences: int) -> None:
    for part in range(sentences):
        for word in f"{text} {part}.".split():
            await _say(ws, {"type": "text", "text": f"{word} "})
        if part % 10 == 9:
            await _say(ws, {"type": "flush"})
    await _say(ws, {"type": "end"})


async def _leave(address: str, text: str, at: str, draw: random.Random) -> None:
    """Resets the connection at the first message of a type, or after so many bytes of audio."""
    async with connect(address) as ws:
        await _say(ws, {"type": "start", "format": draw.choice(("pcm", "mp3", "opus"))})
        await _say(ws, {"type": "text", "text": f"{text} It goes on and on. " * 20})
        audio, after_bytes = 0, draw.randrange(200_000)
        async for frame in ws:
            audio += len(frame) if isinstance(frame, bytes) else 0
            if audio > after_bytes or (isinstance(frame, str) and json.loads(frame)["type"] == at):
                break
        ws.transport.abort()


async def _slow(address: str, text: str) -> None:
    """Reads a frame each tenth of a second with a small buffer, and leaves without a word."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    opened.setblocking(False)
    host, port = address.removeprefix("ws://").split("/")[0].split(":")
    await asyncio.get_running_loop().sock_connect(opened, (host, int(port)))
    async with connect(address, sock=opened, max_queue=1) as ws:
        await _say(ws, {"type": "start"})
        await _say(ws, {"type": "text", "text": f"{text} It goes on and on. " * 20})
        for _ in range(30):
            await ws.recv()
            await asyncio.sleep(0.1)
        ws.transport.abort()


async def _changes_its_mind(address: str, text: str) -> None:
    async with connect(address) as ws:
        await _say(ws, {"type": "start"})
        for part in range(3):
            await _say(ws, {"type": "text", "text": f"{text} {part}. " * 8})
            await _until(ws, "sentence")
            await _say(ws, {"type": "cancel"})
            await _until(ws, "cancelled")
        await _say(ws, {"type": "text", "text": text})
        await _say(ws, {"type": "end"})
        await _until(ws, "done")


async def _silent(address: str) -> None:
    async with connect(address):
        await asyncio.sleep(0.2)


async def _half(address: str) -> None:
    """The head of a handshake, and then nothing."""
    host, port = address.removeprefix("ws://").split("/")[0].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /tts/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upg")
    await writer.drain()
    writer.close()


async def _say(ws: ClientConnection, message: dict[str, Any]) -> None:
    await ws.send(json.dumps(message))


async def _until(ws: ClientConnection, kind: str) -> None:
    while True:
        frame = await asyncio.wait_for(ws.recv(), 60)
        if isinstance(frame, str) and json.loads(frame)["type"] == kind:
            return
