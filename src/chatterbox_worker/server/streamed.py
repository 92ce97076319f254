"""A speech that is answered while it is generated, in whatever form its parts are written.

The answer starts with its first audio, so that any failure before that is an error with a status.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chatterbox_worker.answer import SpokenWord, UnsentWords
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.errors import WorkerError, for_caller
from chatterbox_worker.request import AudioRequest
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.limits import Ticket
from chatterbox_worker.server.state import AppState

log = logging.getLogger(__name__)

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx and others would hold the first audio back
_ERROR_READ_S = 1.0  # until the connection is broken off: a browser drops what its page has not read by then
_SLICE_BYTES = 24_000  # of audio in one event: 32 kB of base64, which any reader of lines takes


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


def stream_head(mimetype: str) -> Response:
    """What `stream` answers with, before its first audio: like that, without a length."""
    return StreamingResponse(iter(()), media_type=mimetype, headers=_HEADERS)


async def with_error(written: AsyncIterator[bytes], describe: Callable[[WorkerError], bytes]) -> AsyncIterator[bytes]:
    """What is written, and of a failure a description, after which the connection is broken off: a client that does not
    know the description, as LiveKit, must not take what came for the whole.
    """
    try:
        async for each in written:
            yield each
    except Exception as error:
        failure = for_caller(error, log)
        yield describe(failure)
        await asyncio.sleep(_ERROR_READ_S)
        raise failure from error


class _SpeechResponse(StreamingResponse):
    """Frees the take and the place in the queue, whichever way the answer ends."""

    def __init__(self, content: AsyncIterator[bytes], cancel_scope: CancelScope, ticket: Ticket, mimetype: str) -> None:
        super().__init__(content, media_type=mimetype, headers=_HEADERS)
        self._cancel_scope = cancel_scope
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except WorkerError as error:  # uvicorn breaks off the connection of an answer that is left unfinished
            log.error("a stream failed after its start: %s", error.message)  # noqa: TRY400 - no bug
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
