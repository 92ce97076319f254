"""`python -m chatterbox_worker.wyoming`: speech for Home Assistant and other clients of the Wyoming protocol.

The settings and the backend are the HTTP server's; it needs the package wyoming (the extra named wyoming). A client
names a voice alone, so each voice is listed once for every language, as "es/alice". The protocol has no keys: anyone
who can reach the port may use it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.server import AsyncEventHandler, AsyncServer, AsyncTcpServer
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from chatterbox_worker import __version__, command, request
from chatterbox_worker.audio.clip import Audio, silence
from chatterbox_worker.audio.join import GUARD_AFTER_S, GUARD_BEFORE_S, SENTENCE_PAUSE_S
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.engine import DEFAULT_VOICE
from chatterbox_worker.errors import InvalidRequest, WorkerError, for_caller
from chatterbox_worker.local import local_environment
from chatterbox_worker.memory import SERVER_HEAPS, memory_released
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.request.language import parse_tag
from chatterbox_worker.server.app import backend_of
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.connection import STALLED_S, check_address
from chatterbox_worker.server.limits import Admission
from chatterbox_worker.server.sentences import SentenceBuffer

log = logging.getLogger(__name__)

_URI = "tcp://127.0.0.1:10200"  # the port that Home Assistant suggests
_AUTHOR = Attribution(name="Resemble AI", url="https://github.com/resemble-ai/chatterbox")
_PAUSE_S = SENTENCE_PAUSE_S - GUARD_AFTER_S - GUARD_BEFORE_S  # the guards are part of a pause
_ESCAPED_BYTES, _OTHER_BYTES = 12, 10_000  # of a character in JSON at most, and of an event besides its text
_NO_EVENT = (AttributeError, KeyError, TypeError, RecursionError)
_CHUNK_BYTES = 48_000  # of samples in one event: a second


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.wyoming", description=__doc__)
    parser.add_argument("--uri", default=_URI, help=f"where to listen; {_URI} by default, tcp://0.0.0.0:10200 for all")
    parser.add_argument("--language", default="en", help="of a client that names no voice; en by default")
    parser.add_argument("--local", action="store_true", help="models and folders of a developer's machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s| %(name)s | %(message)s")
    try:
        env = local_environment(environment()) if options.local else environment()
        settings = Settings.from_env(env)
        admission = _admission(settings)
        with memory_released(lambda: admission.inside == 0, SERVER_HEAPS):
            asyncio.run(serve(settings, options.uri, options.language, admission=admission, abandon=command.end))
    except (WorkerError, ValueError, OSError) as error:  # a bad setting or address, or one that is in use
        log.error("%s", error)  # noqa: TRY400 - a traceback would add nothing
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _admission(settings: Settings) -> Admission:
    return Admission(settings.concurrency, settings.queue_limit)


async def serve(
    settings: Settings,
    uri: str,
    language: str,
    backend: Backend | None = None,
    *,
    admission: Admission | None = None,
    abandon: Callable[[int], None] = lambda _: None,
) -> None:
    """Serves until it is cancelled, or stopped by SIGTERM.

    `abandon`: called with the signal's number if that is before the models are loaded, which takes up to minutes and
    cannot be cancelled.

    Raises:
        InvalidRequest: a setting cannot be used, or no model speaks the language.
        ValueError: not an address of this protocol.
        OSError: the address cannot be listened on.
    """
    _model_of(language, settings)
    server = AsyncServer.from_uri(uri)
    if isinstance(server, AsyncTcpServer):
        await check_address(server.host, server.port)
    backend = backend or backend_of(settings)
    service = Service(settings, backend, admission or _admission(settings), language)
    await backend.open()
    try:
        await server.run(partial(_Handler, service))
    finally:
        if backend.condition.state == "starting":
            log.info("stopped before the models were loaded")
            abandon(signal.SIGINT if sys.exception() else signal.SIGTERM)
        await backend.close()


@dataclass(frozen=True, slots=True)
class Service:
    settings: Settings
    backend: Backend
    admission: Admission
    language: str
    """Of a client that names none."""

    async def info(self) -> Event:
        """Home Assistant waits a second for it. The package copies each voice field by field, which takes as long for
        2000 voices in 23 languages, so all of them are copies of one.
        """
        ids = [DEFAULT_VOICE.id, *self.settings.voice_aliases(), *(voice.id for voice in await self.backend.voices())]
        cards, names = self.settings.cards, self.settings.languages
        spoken = [code for code in names if any(code in cards[model].languages for model in self.settings.models)]
        ordered = sorted(spoken, key=lambda code: code != self.language)  # clients take the first
        about: dict[str, Any] = {"attribution": _AUTHOR, "installed": True, "version": __version__}
        one = TtsVoice(name="", description="", languages=[], **about)
        program = TtsProgram(
            name="chatterbox", description="Chatterbox", voices=[one], supports_synthesize_streaming=True, **about
        )
        event = Info(tts=[program]).event()
        listed = event.data["tts"][0]
        listed["voices"] = [
            listed["voices"][0]
            | {"name": f"{code}/{voice}", "description": f"{voice} ({names[code]})", "languages": [code]}
            for code in ordered
            for voice in dict.fromkeys(ids)
        ]
        return event

    def request(self, text: str, voice: SynthesizeVoice | None) -> SpeechRequest:
        """
        Raises:
            InvalidRequest: it cannot be spoken.
        """
        language, _, name = (voice.name or "").rpartition("/") if voice else ("", "", "")
        language = language or (voice.language if voice and voice.language else self.language)
        fields = {
            "text": text,
            "language": language,
            "model": _model_of(language, self.settings),
            "voice": name or None,
        }
        return request.parse_speech(fields, self.settings)


def _model_of(language: str, settings: Settings) -> str:
    """The first model that speaks the language; raises InvalidRequest."""
    code = parse_tag(language).language
    model = next((name for name in settings.models if code in settings.cards[name].languages), None)
    if model is None:
        raise InvalidRequest(f"no model here speaks the language {language!r}", field="language")
    return model


class _BoundedReader(asyncio.StreamReader):
    """Reads from `reader`, but no event that is larger than one with the longest text: the package would wait for as
    many bytes as the event's first line announces.
    """

    def __init__(self, reader: asyncio.StreamReader, most_bytes: int) -> None:
        super().__init__()
        self._reader = reader
        self._most_bytes = most_bytes

    async def readline(self) -> bytes:
        return await self._reader.readline()

    async def readexactly(self, n: int) -> bytes:
        """Raises ValueError, at which the package ends the connection."""
        if n > self._most_bytes:
            raise ValueError(f"an event has at most {self._most_bytes} bytes, not {n}")
        return await self._reader.readexactly(n)

    def feed_eof(self) -> None:
        self._reader.feed_eof()


class _Handler(AsyncEventHandler):
    """One connection. Text comes whole (`synthesize`), or between `synthesize-start` and `synthesize-stop`."""

    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        most_bytes = _OTHER_BYTES + _ESCAPED_BYTES * service.settings.max_text_chars
        super().__init__(_BoundedReader(reader, most_bytes), writer)
        self._service = service
        self._buffer: SentenceBuffer | None = None  # while text comes in parts
        self._voice: SynthesizeVoice | None = None
        self._has_started = False
        """Whether audio has been sent since the last stop."""

    async def run(self) -> None:
        """Ends for a client that has gone, and for what is no event: the package's task would log a traceback."""
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, *_NO_EVENT):
            await super().run()

    async def handle_event(self, event: Event) -> bool:
        try:
            await self._handle(event)
        except (ConnectionError, TimeoutError):
            return False
        except Exception as error:  # noqa: BLE001 - nothing else would report it to the client
            wrong = isinstance(error, KeyError | TypeError | AttributeError)  # in the package's own parsing
            shown = InvalidRequest(f"a {event.type} event lacks {error}") if wrong else for_caller(error, log)
            await self.write_event(Error(text=shown.message, code=shown.code).event())
            return False
        return True

    async def write_event(self, event: Event) -> None:
        """
        Raises:
            TimeoutError: the client takes nothing.
        """
        try:
            async with asyncio.timeout(STALLED_S):
                await super().write_event(event)
        except TimeoutError:
            self.writer.transport.abort()
            raise

    async def _handle(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event(await self._service.info())
        elif Synthesize.is_type(event.type) and self._buffer is None:  # in between it repeats the text for old servers
            whole = Synthesize.from_event(event)
            await self._speak(whole.text, whole.voice)
            await self._stop()
        elif SynthesizeStart.is_type(event.type):
            self._voice = SynthesizeStart.from_event(event).voice
            self._buffer = SentenceBuffer(self._service.request("text", self._voice).language)
        elif self._buffer is not None and SynthesizeChunk.is_type(event.type):
            await self._speak_all(self._buffer.add(SynthesizeChunk.from_event(event).text))
        elif self._buffer is not None and SynthesizeStop.is_type(event.type):
            await self._speak_all(self._buffer.flush())
            self._buffer = None
            await self._stop()
            await self.write_event(SynthesizeStopped().event())

    async def _speak_all(self, sentences: list[str]) -> None:
        for sentence in sentences:
            await self._speak(sentence, self._voice)

    async def _speak(self, text: str, voice: SynthesizeVoice | None) -> None:
        scope = CancelScope()
        ticket = self._service.admission.enter()
        try:
            live = await self._service.backend.stream(self._service.request(text, voice), scope)
            live.watch(ticket.use)
            if self._has_started:
                await self._send(silence(_PAUSE_S, live.sample_rate))
            async for piece in live.pieces():
                await self._send(piece)
        finally:
            scope.cancel()
            ticket.leave()

    async def _send(self, audio: Audio) -> None:
        about = {"rate": audio.sample_rate, "width": 2, "channels": 1}
        if not self._has_started:
            await self.write_event(AudioStart(**about).event())
            self._has_started = True
        samples = audio.pcm16()
        for start in range(0, len(samples), _CHUNK_BYTES):
            await self.write_event(AudioChunk(audio=samples[start : start + _CHUNK_BYTES], **about).event())

    async def _stop(self) -> None:
        if self._has_started:
            await self.write_event(AudioStop().event())
        self._has_started = False


if __name__ == "__main__":
    command.run(main)
