"""The requests of `bench.soak`: a round is a fixed mix of them, in which every text and every voice is a new one."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
import numpy as np
from websockets.asyncio.client import connect

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.localqueue import LocalQueue
from chatterbox_worker.voices.bundle import Bundle, pack
from chatterbox_worker.voices.contents import wav_of

_RATE = 24_000
_EMPTY_S = 20.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing the socket resets the connection
_WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"text": ""}, "FAILED"),
    ({"text": "Hello.", "language": "xx"}, "FAILED"),
    ({"text": "Hello.", "voice": "missing"}, "FAILED"),
    ({"text": "Hello.", "reference_audio": "AAAA"}, "FAILED"),
    ({"text": "Hello.", "voice_url": "http://127.0.0.1:9/a.wav"}, "FAILED"),
    ({"text": "Hello.", "speed": "fast", "unknown": 1}, "FAILED"),
    ({"action": "outputs.get", "path": "nothing"}, "FAILED"),
    ({"texts": [{"text": "Good."}, {"text": ""}]}, "FAILED"),
)


def clip(number: int) -> Audio:
    """Six seconds with a pitch and a rhythm of their own."""
    time = np.arange(6 * _RATE) / _RATE
    draw = np.random.default_rng(number)
    hum = sum(np.sin(2 * np.pi * draw.uniform(90, 250) * part * time) / part for part in range(1, 9))
    beat = 0.6 + 0.4 * np.sin(2 * np.pi * draw.uniform(2, 5) * time)
    return Audio((0.1 * hum * beat).astype(np.float32), _RATE)


class Voices:
    """New recordings, and new fine-tuned voices for a model of tiny random weights in `weights`."""

    def __init__(self, model: str, weights: Path) -> None:
        self.clones = model != "preview"
        self._model = model
        if self.clones:
            from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state  # noqa: PLC0415
            from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS  # noqa: PLC0415
            from chatterbox_worker.engines.chatterbox.checkpoint.locate import find  # noqa: PLC0415
            from tools.synthetic_checkpoint import write_checkpoint  # noqa: PLC0415

            write_checkpoint(weights / model, LAYOUTS[model], size="tiny")
            checkpoint = find(LAYOUTS[model], weights_dir=weights, offline=True)
            self._state, self._base = load_t3_state(checkpoint), checkpoint.t3_digest

    def wav(self, number: int) -> bytes:
        return wav_of(clip(number))

    def fine_tuned(self, number: int) -> bytes:
        from tools.synthetic_adapter import random_adapter  # noqa: PLC0415

        adapter = random_adapter(self._state, model=self._model, base=self._base, seed=number)
        return pack(Bundle(clip(number), None, {}, adapter))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def queue_round(queue: LocalQueue, number: int, voices: Voices) -> int:
    """Returns how many jobs there were. Raises RuntimeError for one that ended otherwise than it should."""
    text, count = f"Round {number} of the long test has its own words, {number * 7919} of them.", 0

    def run(state: str, **fields: Any) -> dict[str, Any]:
        nonlocal count
        count += 1
        answer: dict[str, Any] = queue.run(fields, sync=True, timeout_s=120)
        if answer["status"] != state:
            raise RuntimeError(f"{fields} ended as {answer}")
        output: dict[str, Any] = answer.get("output", {})
        return output

    for audio_format in ("wav", "mp3", "opus", "flac", "pcm"):
        run("COMPLETED", text=f"{text} In {audio_format}.", format=audio_format)
    run("COMPLETED", text=f"{text} In pcm.", format="pcm", cache=False, timestamps="word", speed=1.2)
    long = {"text": f"{text} It goes on. " * 8, "chunk_size": 60, "seed": number}
    run("COMPLETED", **long)
    run("COMPLETED", **long)  # from the cache
    language = "en" if voices.clones else "es"
    run("COMPLETED", text=f"El {number}. {text}", language=language, pronunciations={"Round": "Rownd"})
    run("COMPLETED", texts=[{"id": f"{part}", "text": f"{text} {part}."} for part in range(4)])
    run("COMPLETED", text=f"{text} Twice.", candidates=2)
    run("COMPLETED", turns=[{"text": f"{text} First."}, {"text": f"{text} Second.", "seed": number}])
    path = run("COMPLETED", text=f"{text} On the volume.", output="volume")["audio_path"]
    run("COMPLETED", action="outputs.get", path=path)
    run("COMPLETED", action="outputs.delete", path=path)
    run("COMPLETED", action="lexicon.save", entries={f"word{number}": "spoken"})
    run("COMPLETED", action="lexicon.delete", word=f"word{number}")
    run("COMPLETED", action="voices.list")
    run("COMPLETED", action="info")
    for fields, state in _WRONG:
        run(state, **fields)
    voice = f"voice-{number}"
    run("COMPLETED", action="voices.save", voice=voice, reference_audio=_base64(voices.wav(number)))
    if voices.clones:
        run("COMPLETED", text=text, voice=voice)
        run("COMPLETED", text=text, reference_audio=_base64(voices.wav(number + 10**6)))
        run("COMPLETED", action="convert", audio=_base64(voices.wav(number + 2 * 10**6)), voice=voice)
        tuned = _base64(voices.fine_tuned(number))
        run("COMPLETED", action="voices.save", voice=f"tuned-{number}", reference_audio=tuned)
        run("COMPLETED", text=text, voice=f"tuned-{number}")
        run("COMPLETED", action="voices.delete", voice=f"tuned-{number}")
    run("COMPLETED", action="voices.delete", voice=voice)
    many = 10 if voices.clones else 60
    _cancel(queue, [queue.submit({"text": f"{text} {part}. " * many, "cache": False}) for part in range(4)])
    return count + 4


def _cancel(queue: LocalQueue, ids: list[str]) -> None:
    headers = {"Authorization": f"Bearer {queue.api_key}"}
    for job_id in ids:
        httpx.post(f"{queue.endpoint_url}/cancel/{job_id}", headers=headers, timeout=10)
    for job_id in ids:
        queue.wait(job_id, 60)


def http_round(url: str, number: int, voices: Voices, *, is_gateway: bool = False) -> int:
    """Returns how many requests there were. Raises RuntimeError for one that was answered otherwise than it should."""
    text, count = f"Round {number} of the long test has its own words, {number * 7919} of them.", 0
    with httpx2.Client(base_url=url, timeout=120) as http:

        def ask(method: str, path: str, status: int = 200, **options: Any) -> httpx2.Response:
            nonlocal count
            count += 1
            answer = http.request(method, path, **options)
            if answer.status_code != status:
                raise RuntimeError(f"{method} {path} {options} was answered {answer.status_code} {answer.text}")
            return answer

        def speech(status: int = 200, **fields: Any) -> None:
            ask("POST", "/v1/audio/speech", status, json={"input": text, "response_format": "wav"} | fields)

        for audio_format in ("wav", "mp3", "opus", "flac", "pcm", "aac"):
            speech(input=f"{text} In {audio_format}.", response_format=audio_format)
        speech(input=f"{text} Twice.", seed=number)
        speech(input=f"{text} Twice.", seed=number)  # from the cache
        speech(stream=True, response_format="mp3")
        speech(stream_format="sse", captions="srt", progress=True)
        speech(candidates=2, captions="vtt")
        speech(cache=False, timestamps="word", captions="json", input=f"{text} It goes on. " * 5, chunk_size=60)
        ask("POST", "/captions", json={"text": text, "captions": "srt"})
        ask("POST", "/dev/captioned_speech", json={"input": f"{text} With words.", "stream": True})
        ask("POST", "/dialogue", json={"turns": [{"text": f"{text} First."}, {"text": f"{text} Second."}]})
        ask("POST", "/text", json={"text": text})
        for path in ("/metrics", "/health", "/v1/models", "/voices", "/", "/openapi.json", "/lexicon"):
            ask("GET", path)
        ask("PUT", f"/lexicon/word{number}", json={"spoken": "word"})
        ask("DELETE", f"/lexicon/word{number}")
        ask("POST", "/transcode", files={"file": ("a.wav", voices.wav(number))}, data={"format": "mp3"})
        ask("POST", "/voices", 201, files={"file": (f"voice-{number}.wav", voices.wav(number))})
        ask("GET", f"/voices/voice-{number}/audio", 501 if is_gateway else 200)
        if voices.clones:
            speech(voice=f"voice-{number}")
            speech(reference_audio=_base64(voices.wav(number + 10**6)), stream=True)
            audio = _base64(voices.wav(number + 2 * 10**6))
            ask("POST", "/voice-conversion", json={"audio": audio, "voice": f"voice-{number}"})
            tuned = (f"tuned-{number}.safetensors", voices.fine_tuned(number))
            ask("POST", "/voices", 201, files={"file": tuned})
            speech(voice=f"tuned-{number}")
            ask("DELETE", f"/voices/tuned-{number}")
        ask("DELETE", f"/voices/voice-{number}")
        speech(400, input="")
        speech(404 if voices.clones else 400, voice="missing")
        speech(400, unknown=number)
        speech(400, reference_audio="AAAA")
        ask("GET", f"/nothing/{number}", 404)
        ask(f"METHOD{number}", "/health", 405)
        ask("POST", "/v1/audio/speech", 400, content=b"{", headers={"Content-Type": "application/json"})
    long = f"{text} It goes on and on. " * (10 if voices.clones else 40)
    return count + leave(url, text, long)


def leave(url: str, text: str, long: str) -> int:
    """Nine clients that leave in the middle of a stream or hold a conversation; returns how many.

    Raises RuntimeError: as `check_empty`.
    """
    for fields in ({"stream": True}, {"stream_format": "sse"}, {}):
        for after_bytes in (0, 20_000):
            break_off(url, {"input": long, "response_format": "pcm", "cache": False} | fields, after_bytes)
    asyncio.run(conversations(url, text, long))
    check_empty(url)
    return 6 + 3


def check_empty(url: str) -> None:
    """Raises RuntimeError: places of the queue are taken although every client has gone."""
    ends_s = time.monotonic() + _EMPTY_S
    while (inside := httpx2.get(f"{url}/health").json()["requests"]["inside"]) > 0:
        if time.monotonic() > ends_s:
            raise RuntimeError(f"{inside} requests are still inside {_EMPTY_S:g} s after their clients have gone")
        time.sleep(0.1)


def break_off(url: str, body: dict[str, Any], after_bytes: int) -> None:
    """Reset the connection once so many bytes of the answer are read, if they come within a second."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    data = json.dumps(body).encode()
    with socket.create_connection((host, port), timeout=1) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + data)
        with contextlib.suppress(TimeoutError):
            while after_bytes > 0:
                after_bytes -= len(client.recv(after_bytes)) or after_bytes


async def conversations(url: str, text: str, long: str) -> None:
    """One to its end, one that is broken off while it speaks, and one that begins wrong."""
    address = url.replace("http", "ws") + "/tts/stream"
    start = json.dumps({"type": "start", "format": "pcm"})
    async with connect(address) as ws:
        for message in (start, json.dumps({"type": "text", "text": text}), '{"type": "end"}'):
            await ws.send(message)
        await _until(ws.recv, "done")
    async with connect(address) as ws:
        for message in (start, json.dumps({"type": "text", "text": long})):
            await ws.send(message)
        await _until(ws.recv, "sentence.done")
        ws.transport.abort()
    async with connect(address) as ws:
        await ws.send('{"type": "start", "unknown": 1}')
        await _until(ws.recv, "error")


async def _until(receive: Callable[[], Any], kind: str) -> None:
    while True:
        frame = await asyncio.wait_for(receive(), 60)
        if isinstance(frame, str) and json.loads(frame)["type"] == kind:
            return
