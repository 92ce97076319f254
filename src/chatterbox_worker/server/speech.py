"""One way from a body's fields to a spoken answer, for every route: whole, in pieces, or as server-sent events.

    whole    the default: a file of known length, kept in the cache and served from there
    audio    `stream_format: "audio"` or `stream: true`: the file as it is spoken, chunked; not kept
    sse      `stream_format: "sse"`: OpenAI's events, `speech.audio.delta` and `speech.audio.done`

An answer starts with its first sound, so that whatever fails before that is an error with a status. What fails later
breaks the connection off (audio) or is an event `error` (sse): it can never be taken for the end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chatterbox_worker import request as requests
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.server import captions, failures
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.limits import Ticket
from chatterbox_worker.server.sliced import Sliced, json_of
from chatterbox_worker.server.state import AppState
from chatterbox_worker.serverless.delivery import inline
from chatterbox_worker.synthesizer import CancelScope, Recording

_Stream = Literal["whole", "audio", "sse"]
_STREAM_FORMATS: Mapping[str, _Stream] = {"audio": "audio", "sse": "sse"}
_TOKENS_PER_S = 25  # Chatterbox's speech tokens last 40 ms each (S3 tokenizer, 25 Hz)
_SLICE_BYTES = 24_000  # of audio in one event: 32 kB of base64, which any reader of lines takes
_NO_LIMIT_BYTES = 2**40  # HTTP carries what a queue cannot


@dataclass(frozen=True, slots=True)
class ResponseOptions:
    """How the answer goes back."""

    stream: _Stream = "whole"
    captions: str | None = None
    progress: bool = False


def take_manner(fields: dict[str, Any]) -> ResponseOptions:
    """Takes `stream_format`, `stream`, `captions` and `progress` out of the fields; raises InvalidRequest."""
    stream, stream_format = _flag(fields, "stream"), fields.pop("stream_format", None)
    if stream_format is not None and (not isinstance(stream_format, str) or stream_format not in _STREAM_FORMATS):
        names = choices(_STREAM_FORMATS)
        raise InvalidRequest(f"stream_format must be {names}, not {quote(stream_format)}", field="stream_format")
    manner: _Stream = _STREAM_FORMATS[stream_format] if stream_format else "audio" if stream else "whole"
    kind = None if (given := fields.pop("captions", None)) is None else captions.check(given)
    progress = _flag(fields, "progress")
    if kind is not None and manner == "audio":
        raise InvalidRequest(
            'captions need a whole answer or stream_format "sse", whose last event has them', field="captions"
        )
    if progress and manner != "sse":
        raise InvalidRequest('progress is told in events: ask for stream_format "sse"', field="progress")
    return ResponseOptions(manner, kind, progress)


def _flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.pop(name, None)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be true or false, not {quote(value)}", field=name)
    return bool(value)


def parse(fields: Mapping[str, Any], settings: Settings) -> SpeechRequest:
    """The request in our own fields; raises InvalidRequest."""
    if "action" in fields:
        raise InvalidRequest("unknown field 'action': a route has only one", field="action")
    parsed = requests.parse(dict(fields), settings)
    assert isinstance(parsed, SpeechRequest)  # noqa: S101 - without an action it is no other
    if parsed.output not in ("auto", "inline"):
        raise InvalidRequest(f"output must be auto or inline over HTTP, not {parsed.output}", field="output")
    return parsed


async def answer(http: Request, state: AppState, fields: Mapping[str, Any], manner: ResponseOptions) -> Response:
    request = parse(fields, state.settings)
    if manner.stream != "whole":
        return await _streamed(http, state, request, manner)
    recording = await whole(http, state, request)
    if manner.captions is None:
        return Sliced(recording.audio, media_type=FORMATS[request.format].mimetype, headers=_headers(recording))
    written = captions_of(manner.captions, recording.about)
    return await json_of(lambda: inline(recording, as_url=False, limit_bytes=_NO_LIMIT_BYTES) | {"captions": written})


async def whole(http: Request, state: AppState, request: SpeechRequest) -> Recording:
    """The recording, admitted, counted, and given up if the client goes away."""
    call = CancelScope()
    with state.admission.place():
        async with cancelled_when_gone(http, call):
            recording = await state.backend.speak(request, call)
    state.metrics.spoke(recording.about, len(request.text), hit=recording.hit)
    return recording


def captions_of(kind: str, about: Mapping[str, Any]) -> str:
    return captions.write(kind, about["chunks"], about["duration_s"])


@asynccontextmanager
async def cancelled_when_gone(http: Request, call: CancelScope) -> AsyncIterator[None]:
    """Cancels the call as soon as the client hangs up, while the block lasts."""

    async def watch() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass
        call.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        call.cancel()
        raise
    finally:
        watcher.cancel()


async def _streamed(http: Request, state: AppState, request: SpeechRequest, manner: ResponseOptions) -> Response:
    call = _Watched()
    ticket = state.admission.enter()
    started_s = time.perf_counter()
    try:
        encoder = StreamEncoder(request.format, request.sample_rate)
        async with cancelled_when_gone(http, call):
            live = await state.backend.stream(request, call)
    except BaseException:
        call.cancel()
        ticket.leave()
        raise
    state.metrics.first_audio(time.perf_counter() - started_s)
    body = _counted(_bytes(live, encoder), live, state, request)
    if manner.stream == "sse":
        return _Spoken(_events(body, live, request, manner, call), call, ticket, "text/event-stream")
    return _Spoken(body, call, ticket, FORMATS[request.format].mimetype)


class _Watched(CancelScope):
    """A call that remembers how far it is: chunks done, chunks in all, seconds of audio."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.position: tuple[int, int, float] | None = None

    def _note(self, done: int, total: int, audio_s: float) -> None:
        self.position = (done, total, audio_s)


class _Spoken(StreamingResponse):
    """Frees the take and the place in the queue, however the answer ends."""

    def __init__(self, content: AsyncIterator[bytes], call: CancelScope, ticket: Ticket, mimetype: str) -> None:
        # nginx and its like would hold the first sound back
        super().__init__(content, media_type=mimetype, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._call = call
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._call.cancel()
            self._ticket.leave()


async def _bytes(live: Live, encoder: StreamEncoder) -> AsyncIterator[bytes]:
    async for piece in live.pieces():
        for data in _sliced(await asyncio.to_thread(encoder.add, piece)):
            yield data
    for data in _sliced(await asyncio.to_thread(encoder.finish)):
        yield data


def _sliced(data: bytes) -> list[bytes]:
    return [data[start : start + _SLICE_BYTES] for start in range(0, len(data), _SLICE_BYTES)]


async def _counted(
    body: AsyncIterator[bytes], live: Live, state: AppState, request: SpeechRequest
) -> AsyncIterator[bytes]:
    async for data in body:
        yield data
    state.metrics.spoke(live.about(), len(request.text))


async def _events(
    body: AsyncIterator[bytes], live: Live, request: SpeechRequest, manner: ResponseOptions, call: _Watched
) -> AsyncIterator[bytes]:
    told = None
    try:
        async for data in body:
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
            if manner.progress and call.position is not None and (position := call.position) != told:
                told = position
                done, total, audio_s = position
                yield _event({
                    "type": "speech.progress", "chunks_done": done, "chunks_total": total, "audio_s": round(audio_s, 3)
                })  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the status has been sent, so an event must say it
        yield _event({"type": "error", "error": failures.openai_error(failures.public(error))})
        return
    about = dict(live.about())
    spoken = math.ceil(about["duration_s"] * _TOKENS_PER_S)
    usage = {"input_tokens": len(request.text), "output_tokens": spoken, "total_tokens": len(request.text) + spoken}
    more = {} if manner.captions is None else {"captions": captions_of(manner.captions, about)}
    yield _event({"type": "speech.audio.done", "usage": usage, "speech": about | more})


def _event(event: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def _headers(recording: Recording) -> dict[str, str]:
    about = recording.about
    timings = (f"{name.removesuffix('_s')};dur={seconds * 1000:.1f}"
               for name, seconds in recording.timings.items() if name.endswith("_s"))  # fmt: skip
    return {
        "X-Chatterbox-Seed": str(about["seed"]),
        "X-Chatterbox-Duration": str(about["duration_s"]),
        "X-Chatterbox-Cache": "hit" if recording.hit else "miss",
        "Server-Timing": ", ".join(timings),
    } | ({"X-Chatterbox-Warnings": json.dumps(about["warnings"])} if about["warnings"] else {})
