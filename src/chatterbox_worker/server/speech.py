"""From a body's fields to an answer with speech, for every route: whole, in pieces, or as server-sent events.

    whole    the default: a file of known length, stored in the cache and served from there
    audio    `stream_format: "audio"` or `stream: true`: the file while it is generated, chunked; not cached
    sse      `stream_format: "sse"`: OpenAI's events, `speech.audio.delta` and `speech.audio.done`, and our own

A failure after the first audio breaks the connection off, with sse after an event `error`, so that it cannot be taken
for the end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from fastapi import Request, Response

from chatterbox_worker import request as requests
from chatterbox_worker.answer import Recording, SpeechInfo
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, WorkerError, choices, quote
from chatterbox_worker.request import AudioRequest, SpeechRequest
from chatterbox_worker.server import failures
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.middleware import is_head
from chatterbox_worker.server.sliced import SlicedResponse, json_response
from chatterbox_worker.server.state import AppState
from chatterbox_worker.server.streamed import (
    ProgressScope,
    StreamPart,
    cancel_on_disconnect,
    stream,
    stream_head,
    with_error,
)
from chatterbox_worker.synthesis.chunk_takes import candidate_seeds
from chatterbox_worker.text import captions

_Stream = Literal["whole", "audio", "sse"]
_STREAM_FORMATS: Mapping[str, _Stream] = {"audio": "audio", "sse": "sse"}
_TOKENS_PER_S = 25  # Chatterbox's speech tokens last 40 ms each (S3 tokenizer, 25 Hz)


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
    return requests.parse_speech(fields, settings)


async def answer(http: Request, state: AppState, fields: Mapping[str, Any], options: ResponseOptions) -> Response:
    return await respond(http, state, parse(fields, state.settings), options)


async def respond(http: Request, state: AppState, request: AudioRequest, options: ResponseOptions) -> Response:
    if options.stream == "audio":
        _refuse_words(request)
        if is_head(http):
            return stream_head(FORMATS[request.format].mimetype)
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
    chunks, words = info.as_json()["chunks"], info.words or ()
    # in a thread: 1 s for 100 000 letters
    return await asyncio.to_thread(captions.write, kind, chunks, info.duration_s, info.language, words)


async def _audio(parts: AsyncIterator[StreamPart], live: Live, scope: ProgressScope) -> AsyncIterator[bytes]:
    del live, scope
    async for part in parts:
        yield part.audio


def _events(
    parts: AsyncIterator[StreamPart],
    live: Live,
    scope: ProgressScope,
    *,
    request: AudioRequest,
    options: ResponseOptions,
) -> AsyncIterator[bytes]:
    return with_error(_events_of_success(parts, live, scope, request=request, options=options), _error_event)


def _error_event(failure: WorkerError) -> bytes:
    return _event({"type": "error", "error": failures.openai_error(failure)})


async def _events_of_success(
    parts: AsyncIterator[StreamPart],
    live: Live,
    scope: ProgressScope,
    *,
    request: AudioRequest,
    options: ResponseOptions,
) -> AsyncIterator[bytes]:
    reported = None
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
