"""From a body's fields to an answer with speech, for every route: whole, in pieces, or as server-sent events.

    whole    the default: a file of known length, stored in the cache and served from there
    audio    `stream_format: "audio"` or `stream: true`: the file while it is generated, chunked; not cached
    sse      `stream_format: "sse"`: OpenAI's events, `speech.audio.delta` and `speech.audio.done`, and our own

`stream` takes any other way of writing the parts of a stream.

An answer starts with its first audio, so that any failure before that is an error with a status. A later failure breaks
the connection off (audio) or is an event `error` (sse), so that it cannot be taken for the end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chatterbox_worker import request as requests
from chatterbox_worker.answer import Recording, SpeechInfo, SpokenWord, UnsentWords
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.chunk_takes import candidate_seeds
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, choices, for_caller, quote
from chatterbox_worker.request import AudioRequest, SpeechRequest
from chatterbox_worker.server import failures
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.limits import Ticket
from chatterbox_worker.server.sliced import SlicedResponse, json_response
from chatterbox_worker.server.state import AppState
from chatterbox_worker.text import captions

log = logging.getLogger(__name__)

_Stream = Literal["whole", "audio", "sse"]
_STREAM_FORMATS: Mapping[str, _Stream] = {"audio": "audio", "sse": "sse"}
_TOKENS_PER_S = 25  # Chatterbox's speech tokens last 40 ms each (S3 tokenizer, 25 Hz)
_SLICE_BYTES = 24_000  # of audio in one event: 32 kB of base64, which any reader of lines takes


@dataclass(frozen=True, slots=True)
class ResponseOptions:
    """How the answer is sent."""

    stream: _Stream = "whole"
    captions: str | None = None
    progress: bool = False
    candidates: int = 1


def take_options(fields: dict[str, Any]) -> ResponseOptions:
    """Removes the fields of `ResponseOptions` and `stream_format` from the fields; raises InvalidRequest."""
    stream, stream_format = take_flag(fields, "stream"), fields.pop("stream_format", None)
    if stream_format is not None and (not isinstance(stream_format, str) or stream_format not in _STREAM_FORMATS):
        names = choices(_STREAM_FORMATS)
        raise InvalidRequest(f"stream_format must be {names}, not {quote(stream_format)}", field="stream_format")
    kind: _Stream = _STREAM_FORMATS[stream_format] if stream_format else "audio" if stream else "whole"
    captions_kind = None if (given := fields.pop("captions", None)) is None else captions.check(given)
    progress = take_flag(fields, "progress")
    if captions_kind is not None and kind == "audio":
        raise InvalidRequest(
            'captions need a whole answer, or stream_format "sse", which sends them in its last event', field="captions"
        )
    if progress and kind != "sse":
        raise InvalidRequest('progress is reported in events: it needs stream_format "sse"', field="progress")
    candidates = requests.count_of_candidates(fields.pop("candidates", None))
    if candidates > 1 and kind != "whole":
        raise InvalidRequest("candidates are whole answers: leave stream and stream_format out", field="candidates")
    return ResponseOptions(kind, captions_kind, progress, candidates)


def take_flag(fields: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """Removes a switch from the fields; raises InvalidRequest."""
    value = fields.pop(name, default)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name} must be true or false, not {quote(value)}", field=name)
    return value


def parse(fields: Mapping[str, Any], settings: Settings) -> SpeechRequest:
    """The request in our own fields; raises InvalidRequest."""
    if "action" in fields:
        raise InvalidRequest("unknown field 'action': over HTTP the route decides the action", field="action")
    own = dict(fields)
    if (output := own.pop("output", "auto")) not in ("auto", "inline"):
        raise InvalidRequest(f"output must be auto or inline over HTTP, not {quote(output)}", field="output")
    parsed = requests.parse(own, settings)
    assert isinstance(parsed, SpeechRequest)  # noqa: S101 - always so without an action
    return parsed


async def answer(http: Request, state: AppState, fields: Mapping[str, Any], options: ResponseOptions) -> Response:
    return await respond(http, state, parse(fields, state.settings), options)


async def respond(http: Request, state: AppState, request: AudioRequest, options: ResponseOptions) -> Response:
    if options.stream == "audio":
        _refuse_words(request)
        return await stream(http, state, request, _audio, FORMATS[request.format].mimetype)
    if options.stream == "sse":
        write = partial(_events, request=request, options=options)
        return await stream(http, state, request, write, "text/event-stream")
    if options.candidates > 1 and isinstance(request, SpeechRequest):
        return await _choice(http, state, request, options)
    recording = await whole(http, state, request)
    if options.captions is None:
        return SlicedResponse(recording.audio, media_type=FORMATS[request.format].mimetype, headers=headers(recording))
    written = await captions_of(options.captions, recording.info)
    return await json_response(lambda: recording.inline() | {"captions": written})


def _refuse_words(request: AudioRequest) -> None:
    """Raises InvalidRequest for words that a stream of bare audio would leave out."""
    if isinstance(request, SpeechRequest) and request.timestamps == "word":
        raise InvalidRequest(
            'a stream of audio has no place for words: with timestamps "word" ask for stream_format "sse", for a whole '
            "answer with captions, or at /dev/captioned_speech",
            field="timestamps",
        )


async def whole(http: Request, state: AppState, request: AudioRequest) -> Recording:
    """The recording: takes a place in the queue, is counted, and is cancelled if the client disconnects."""
    scope = CancelScope()
    with state.admission.place():
        async with cancel_on_disconnect(http, scope):
            recording = await state.backend.speak(request, scope)
    state.metrics.count_speech(recording.info, len(request.text), hit=recording.hit)
    return recording


async def _choice(http: Request, state: AppState, request: SpeechRequest, options: ResponseOptions) -> Response:
    """Several takes of the text, each as a whole answer; each takes a place in the queue."""
    scope = CancelScope()
    takes = [replace(request, seed=seed) for seed in candidate_seeds(request.seed, options.candidates)]
    with ExitStack() as places:
        for _ in takes:
            places.enter_context(state.admission.place())
        async with cancel_on_disconnect(http, scope):
            try:
                recordings = await asyncio.gather(*(state.backend.speak(take, scope.part()) for take in takes))
            finally:
                scope.cancel()  # one that fails ends the others
    for recording in recordings:
        state.metrics.count_speech(recording.info, len(request.text), hit=recording.hit)
    kind = options.captions
    written = [{} if kind is None else {"captions": await captions_of(kind, each.info)} for each in recordings]
    return await json_response(
        lambda: {"candidates": [each.inline() | extra for each, extra in zip(recordings, written, strict=True)]}
    )


async def captions_of(kind: str, info: SpeechInfo) -> str:
    chunks = info.as_json()["chunks"]
    return await asyncio.to_thread(
        captions.write, kind, chunks, info.duration_s, info.language, info.words or ()
    )  # 1 s for 100 000 letters


@asynccontextmanager
async def cancel_on_disconnect(http: Request, scope: CancelScope) -> AsyncIterator[None]:
    """While the block lasts, cancels the scope as soon as the client disconnects."""

    async def watch() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        scope.cancel()
        raise
    finally:
        watcher.cancel()


@dataclass(frozen=True, slots=True)
class StreamPart:
    audio: bytes
    """The next bytes of the stream's one file; may be empty."""
    words: Sequence[SpokenWord] = ()
    """The next ones, all of which begin in the audio so far."""


class ProgressScope(CancelScope):
    """A scope that stores the latest progress: chunks done, chunks in all, seconds of audio."""

    def __init__(self) -> None:
        super().__init__(self._set_position)
        self.position: tuple[int, int, float] | None = None

    def _set_position(self, done: int, total: int, audio_s: float) -> None:
        self.position = (done, total, audio_s)


Writer = Callable[[AsyncIterator[StreamPart], Live, ProgressScope], AsyncIterator[bytes]]
"""What a stream's parts look like on the wire."""


async def stream(http: Request, state: AppState, request: AudioRequest, write: Writer, mimetype: str) -> Response:
    """The answer that starts with the first audio; raises WorkerError of what fails before that."""
    scope = ProgressScope()
    ticket = state.admission.enter()
    started_s = time.perf_counter()
    try:
        encoder = StreamEncoder(request.format, request.sample_rate, request.bitrate_kbps)
        async with cancel_on_disconnect(http, scope):
            live = await state.backend.stream(request, scope)
    except BaseException:
        scope.cancel()
        ticket.leave()
        raise
    live.watch(ticket.use)
    state.metrics.observe_first_audio(time.perf_counter() - started_s)
    parts = _count_at_end(_encode(live, encoder), live, state, request)
    return _SpeechResponse(write(parts, live, scope), scope, ticket, mimetype)


class _SpeechResponse(StreamingResponse):
    """Frees the take and the place in the queue, whichever way the answer ends."""

    def __init__(self, content: AsyncIterator[bytes], cancel_scope: CancelScope, ticket: Ticket, mimetype: str) -> None:
        # nginx and similar proxies would hold the first audio back
        super().__init__(content, media_type=mimetype, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._cancel_scope = cancel_scope
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._cancel_scope.cancel()
            self._ticket.leave()


async def _encode(live: Live, encoder: StreamEncoder) -> AsyncIterator[StreamPart]:
    unsent, audio_s = UnsentWords(), 0.0
    async for piece in live.pieces():
        audio_s += piece.duration_s
        encoded = await asyncio.to_thread(encoder.add, piece)
        del piece  # megabytes, while a slow client takes its time
        for part in _slices(encoded, unsent.take(live.words, audio_s)):
            yield part
    for part in _slices(await asyncio.to_thread(encoder.finish), unsent.take(live.words)):
        yield part


def _slices(data: bytes, words: Sequence[SpokenWord]) -> Iterator[StreamPart]:
    """The words come with the last slice."""
    start = 0
    for end in range(_SLICE_BYTES, len(data), _SLICE_BYTES):
        yield StreamPart(data[start:end])
        start = end
    if data or words:
        yield StreamPart(data[start:], words)


async def _count_at_end(
    parts: AsyncIterator[StreamPart], live: Live, state: AppState, request: AudioRequest
) -> AsyncIterator[StreamPart]:
    async for part in parts:
        yield part
    state.metrics.count_speech(live.info(), len(request.text))


async def _audio(parts: AsyncIterator[StreamPart], live: Live, scope: ProgressScope) -> AsyncIterator[bytes]:
    del live, scope
    async for part in parts:
        yield part.audio


async def _events(
    parts: AsyncIterator[StreamPart],
    live: Live,
    scope: ProgressScope,
    *,
    request: AudioRequest,
    options: ResponseOptions,
) -> AsyncIterator[bytes]:
    reported = None
    try:
        async for part in parts:
            if part.audio:
                yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(part.audio).decode()})
            if part.words:
                yield _event({"type": "speech.words", "words": [word.as_json() for word in part.words]})
            if options.progress and scope.position is not None and (position := scope.position) != reported:
                reported = position
                done, total, audio_s = position
                yield _event({
                    "type": "speech.progress", "chunks_done": done, "chunks_total": total, "audio_s": round(audio_s, 3)
                })  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the status has been sent, so an event must report it
        yield _event({"type": "error", "error": failures.openai_error(for_caller(error, log))})
        return
    info = live.info()
    tokens = math.ceil(info.duration_s * _TOKENS_PER_S)
    usage = {"input_tokens": len(request.text), "output_tokens": tokens, "total_tokens": len(request.text) + tokens}
    extra = {} if options.captions is None else {"captions": await captions_of(options.captions, info)}
    yield _event({"type": "speech.audio.done", "usage": usage, "speech": info.as_json() | extra})


def _event(event: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def headers(recording: Recording) -> dict[str, str]:
    info = recording.info
    timings = (f"{name.removesuffix('_s')};dur={seconds * 1000:.1f}"
               for name, seconds in recording.timings.items() if name.endswith("_s"))  # fmt: skip
    return {
        "X-Chatterbox-Seed": str(info.seed),
        "X-Chatterbox-Duration": str(info.duration_s),
        "X-Chatterbox-Cache": "hit" if recording.hit else "miss",
        "Server-Timing": ", ".join(timings),
    } | ({"X-Chatterbox-Warnings": json.dumps(info.warnings)} if info.warnings else {})
