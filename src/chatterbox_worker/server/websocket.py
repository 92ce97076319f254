"""`WS /tts/stream`: text in as it is written, speech out sentence by sentence.

Messages are JSON objects; audio comes in binary frames, one stream in one format from `ready` to `done` or `cancelled`.

    client                                          server
    {"type": "start", <fields of speech>}           {"type": "ready", "format", "sample_rate", "mimetype"}
    {"type": "text", "text": "Hel"}                 {"type": "sentence", "index", "text"}, then its audio, then
    {"type": "flush"}   speak what is buffered      {"type": "words", "index", "words"} if wanted, between its audio
                                                    {"type": "sentence.done", "index", "start_s", "end_s", "seed"}
    {"type": "cancel"}  drop everything             {"type": "flushed"}, {"type": "cancelled"}
    {"type": "end"}     flush, then close           {"type": "done", "duration_s", "sentences"}
                                                    {"type": "error", "error", "code", "field"}, then it closes

`{"text": "...", "voice_id": "..."}` as the first message is a start, a text and an end in one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from chatterbox_worker.answer import SpokenWord, UnsentWords
from chatterbox_worker.audio.clip import silence
from chatterbox_worker.audio.join import GUARD_AFTER_S, GUARD_BEFORE_S
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS, MODEL_RATE
from chatterbox_worker.errors import InvalidRequest, WorkerError, choices, for_caller, quote, refuse_unknown
from chatterbox_worker.request import SpeechRequest, without_nulls
from chatterbox_worker.server import auth, bodies, failures, schemas, speech
from chatterbox_worker.server.backend import Live
from chatterbox_worker.server.limits import Ticket
from chatterbox_worker.server.refusals import TryLater
from chatterbox_worker.server.sentences import SentenceBuffer
from chatterbox_worker.server.state import AppState, State
from chatterbox_worker.text.chunk import Pause
from chatterbox_worker.text.markup.html import break_tags
from chatterbox_worker.text.markup.pauses import ends_in_pause, pauses_s, without_pauses
from chatterbox_worker.text.markup.read import pauses_of

log = logging.getLogger(__name__)
router = APIRouter()

_WIRE_FORMATS = ("pcm", "opus", "mp3")  # those that can be played without their end
_AHEAD = 3  # sentences of one connection that are generated at once
_SILENT_S = 600.0  # without a message for so long, the connection is closed
_CONNECT_ATTEMPTS, _CONNECT_RETRY_S = 240, 0.25  # a sentence waits a minute for a place in the queue
_FRAME_BYTES = 64 * 1024  # of audio; clients refuse large messages, such as Python's websockets those over 1 MiB
_SILENCE_S = 10.0  # of a pause at once: a megabyte of samples
_POLICY, _INTERNAL = 1008, 1011  # close codes, RFC 6455 section 7.4.1


@router.websocket("/tts/stream")
async def stream(ws: WebSocket, state: State) -> None:
    offered = ws.scope.get("subprotocols", [])
    await ws.accept(auth.SUBPROTOCOL if auth.SUBPROTOCOL in offered else None)
    with suppress(WebSocketDisconnect):
        try:
            first = await _receive(ws)
            request, buffer, messages = _open(first, state)
            await _Conversation(ws, state, request, buffer).run(messages)
        except WorkerError as error:
            await _refuse(ws, error)


@router.websocket("/{path:path}")
async def unknown(ws: WebSocket) -> None:
    await ws.send_denial_response(failures.no_such_web_socket(ws.scope["path"]))


async def _refuse(ws: WebSocket, error: WorkerError) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):  # the client may have disconnected first
        await ws.send_json({"type": "error", **error.answer()})
        await ws.close(_POLICY if error.status < 500 else _INTERNAL)


async def _receive(ws: WebSocket) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_SILENT_S):
            message = await ws.receive()
    except TimeoutError:
        raise InvalidRequest(f"no message for {_SILENT_S:g} s") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    return await bodies.parse_object((message.get("text") or "").encode() or message.get("bytes") or b"", "a message")


def _open(first: dict[str, Any], state: AppState) -> tuple[SpeechRequest, SentenceBuffer, list[dict[str, Any]]]:
    """The request that all sentences share, their buffer, and the messages that the first one stands for."""
    messages: list[dict[str, Any]] = []
    fields = without_nulls(first)
    if "type" not in fields and "text" in fields:
        messages = [{"type": "text", "text": fields.pop("text")}, {"type": "end"}]
    elif fields.pop("type", None) != "start":
        raise InvalidRequest(f'the first message must be of type "start", not {quote(first.get("type"))}', field="type")
    if "text" in fields:
        raise InvalidRequest('text comes in messages of type "text"', field="text")
    if "turns" in fields or fields.get("text_format") == "script":
        field = "turns" if "turns" in fields else "text_format"
        raise InvalidRequest(f"{field}: a dialogue is for POST /dialogue, which streams too", field=field)
    refuse_unknown(fields, schemas.known(schemas.SENTENCES, "text" if messages else "type"))
    if "voice_id" in fields:
        fields["voice"] = bodies.voice_id(fields.pop("voice_id"))
    request = speech.parse({"format": "pcm"} | fields | {"text": "text"}, state.settings)
    if request.format not in _WIRE_FORMATS:
        raise InvalidRequest(f"format must be {choices(_WIRE_FORMATS)} here, not {request.format}", field="format")
    return request, SentenceBuffer(request.language, whole=request.text_format != "plain"), messages


@dataclass(slots=True, eq=False)
class _Sentence:
    text: str
    index: int
    scope: CancelScope
    live: asyncio.Task[Live] | None = None
    ticket: Ticket | None = None

    def cancel(self) -> None:
        self.scope.cancel()
        if self.live is not None:
            self.live.cancel()
        if self.ticket is not None:
            self.ticket.leave()


class _Conversation:
    def __init__(self, ws: WebSocket, state: AppState, request: SpeechRequest, buffer: SentenceBuffer) -> None:
        self._ws = ws
        self._state = state
        self._request = request
        self._buffer = buffer
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._count = 0
        self._waiting_chars = 0
        self._start_stream()

    async def run(self, messages: list[dict[str, Any]]) -> None:
        """Handles messages until the client ends the conversation."""
        fmt = FORMATS[self._request.format]
        ready = {"format": fmt.name, "sample_rate": self._request.sample_rate, "mimetype": fmt.mimetype}
        try:
            await self._ws.send_json({"type": "ready", **ready})
            while (message := await self._next(messages)) is not None:
                kind = message.get("type")
                if not isinstance(kind, str) or kind not in self._HANDLERS:
                    raise InvalidRequest(f"type must be {choices(self._HANDLERS)}, not {quote(kind)}", field="type")
                if unknown := set(message) - {"type"} - ({"text"} if kind == "text" else set()):
                    raise InvalidRequest(f"a {kind} message has no field {quote(min(unknown))}", field=min(unknown))
                if self._has_ended and kind != "cancel":
                    raise InvalidRequest(f'after "end" only "cancel" is allowed, not {quote(kind)}', field="type")
                await self._HANDLERS[kind](self, message)
        finally:
            await self._stop()

    async def _next(self, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The client's next message; None when everything has been sent, or sending has failed."""
        if messages:
            return messages.pop(0)
        reader = asyncio.create_task(_receive(self._ws))
        try:
            await asyncio.wait({reader, self._deliverer}, return_when=asyncio.FIRST_COMPLETED)
            return reader.result() if reader.done() else None
        finally:
            reader.cancel()

    async def _text(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        if not isinstance(text, str):
            raise InvalidRequest(f"text must be a string, not {quote(text)}", field="text")
        text = text.encode("utf-8", "ignore").decode()  # half of a surrogate pair is not spoken, and cannot be sent
        most = self._state.settings.max_text_chars
        if self._waiting_chars + len(self._buffer) + len(text) > most:
            raise InvalidRequest(f"more than {most} characters are waiting to be spoken", field="text")
        self._speak(self._buffer.add(text))

    async def _flush(self, message: dict[str, Any]) -> None:
        self._speak(self._buffer.flush())
        self._has_ended = message["type"] == "end"
        self._outgoing.put_nowait(message["type"])

    async def _cancel(self, message: dict[str, Any]) -> None:
        del message
        await self._stop()
        if self._ws.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect  # the stream was at its end, and the server is closing
        self._buffer.clear()
        self._start_stream()
        await self._ws.send_json({"type": "cancelled"})

    _HANDLERS = {"text": _text, "flush": _flush, "end": _flush, "cancel": _cancel}  # noqa: RUF012 - a table

    def _start_stream(self) -> None:
        """Starts a new stream of audio."""
        request = self._request
        self._encoder = StreamEncoder(request.format, request.sample_rate, request.bitrate_kbps)
        self._has_ended = False
        self._sent_s = 0.0
        self._waiting_chars = 0
        self._outgoing: asyncio.Queue[_Sentence | float | str] = asyncio.Queue()
        self._sentences: set[_Sentence] = set()
        self._deliverer = asyncio.create_task(self._deliver(self._outgoing))

    async def _stop(self) -> None:
        """Cancels everything that is being generated or sent."""
        self._deliverer.cancel()
        for sentence in self._sentences:
            sentence.cancel()
        tasks = [self._deliverer, *(sentence.live for sentence in self._sentences if sentence.live is not None)]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ahead = asyncio.Semaphore(_AHEAD)

    def _speak(self, texts: list[str]) -> None:
        for text in texts:
            if not without_pauses(break_tags(text)).strip():
                self._outgoing.put_nowait(pauses_s(break_tags(text)))
                continue
            seed = None if self._request.seed is None else (self._request.seed + self._count) % 2**32
            request = replace(self._request, text=text, seed=seed)
            sentence = _Sentence(text, self._count, CancelScope())
            sentence.live = asyncio.create_task(self._start_sentence(sentence, request))
            self._count += 1
            self._waiting_chars += len(text)
            self._sentences.add(sentence)
            self._outgoing.put_nowait(sentence)

    async def _start_sentence(self, sentence: _Sentence, request: SpeechRequest) -> Live:
        await self._ahead.acquire()
        sentence.ticket = ticket = await self._wait_for_place()
        live = await self._state.backend.stream(request, sentence.scope)
        live.watch(ticket.use)
        return live

    async def _wait_for_place(self) -> Ticket:
        for _ in range(_CONNECT_ATTEMPTS - 1):
            with suppress(TryLater):
                return self._state.admission.enter()
            await asyncio.sleep(_CONNECT_RETRY_S)
        return self._state.admission.enter()

    async def _deliver(self, outgoing: asyncio.Queue[_Sentence | float | str]) -> None:
        """Sends the sentences and the answers to `flush` and `end`, in order."""
        try:
            while True:
                item = await outgoing.get()
                if isinstance(item, _Sentence):
                    await self._send(item)
                elif isinstance(item, float):
                    await self._send_silence(item, MODEL_RATE)
                elif item == "flush":
                    await self._ws.send_json({"type": "flushed"})
                else:
                    break
            await self._send_bytes(await asyncio.to_thread(self._encoder.finish))
            done = {"duration_s": round(self._sent_s, 4), "sentences": self._count}
            await self._ws.send_json({"type": "done", **done})
            await self._ws.close()
        except WebSocketDisconnect:
            pass  # the reader sees it too
        except Exception as error:  # noqa: BLE001 - nothing else would report it to the client
            await _refuse(self._ws, for_caller(error, log))

    async def _send(self, sentence: _Sentence) -> None:
        try:
            assert sentence.live is not None  # noqa: S101 - `_speak` starts it before it is queued
            live = await sentence.live
            await self._ws.send_json({"type": "sentence", "index": sentence.index, "text": sentence.text})
            start_s, unsent = self._sent_s, UnsentWords()
            async for piece in live.pieces():
                self._sent_s += piece.duration_s
                await self._send_bytes(await asyncio.to_thread(self._encoder.add, piece))
                await self._send_words(sentence, unsent.take(live.words, self._sent_s - start_s), start_s)
            await self._send_words(sentence, unsent.take(live.words), start_s)
            info = live.info()
            times = {"start_s": round(start_s, 4), "end_s": round(self._sent_s, 4)}
            await self._send_silence(self._pause_after(sentence.text), live.sample_rate)
            await self._ws.send_json({"type": "sentence.done", "index": sentence.index, **times, "seed": info.seed})
            self._state.metrics.count_speech(info, len(sentence.text))
        finally:
            self._waiting_chars -= len(sentence.text)
            self._sentences.discard(sentence)
            sentence.cancel()
            self._ahead.release()

    async def _send_words(self, sentence: _Sentence, words: Sequence[SpokenWord], start_s: float) -> None:
        """`start_s`: where the sentence begins in the stream, in seconds."""
        if words:
            later = [word.later(start_s).as_json() for word in words]
            await self._ws.send_json({"type": "words", "index": sentence.index, "words": later})

    def _pause_after(self, text: str) -> float:
        """Seconds until the next sentence; the guards of both are part of the pause, and an exact one is there."""
        if ends_in_pause(break_tags(text)):
            return 0.0
        guards_s = GUARD_AFTER_S + GUARD_BEFORE_S
        return max(0.0, pauses_of(self._request)[Pause.SENTENCE] / self._request.speed - guards_s)

    async def _send_silence(self, seconds: float, sample_rate: int) -> None:
        while seconds > 0:
            pause = silence(min(seconds, _SILENCE_S), sample_rate)
            self._sent_s += pause.duration_s
            await self._send_bytes(await asyncio.to_thread(self._encoder.add, pause))
            seconds -= _SILENCE_S

    async def _send_bytes(self, data: bytes) -> None:
        for start in range(0, len(data), _FRAME_BYTES):
            await self._ws.send_bytes(data[start : start + _FRAME_BYTES])
