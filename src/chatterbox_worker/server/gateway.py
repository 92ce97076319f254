"""The backend in front of a RunPod queue, whose workers may be scaled to zero.

`CHATTERBOX_BACKEND=runpod:<endpoint id>` with `RUNPOD_API_KEY`. A request is checked here and becomes a job with the
same fields; voices and cache are the endpoint's. `CHATTERBOX_MODELS` must list what the endpoint serves. The package
`client` submits the job, waits and finds the audio; this module maps requests, answers and errors. It needs no torch.

All speech is read from the job's stream. An endpoint with CHATTERBOX_STREAM=1 sends it in pieces: a stream then starts
before the job ends, and a whole may be larger than RunPod's limit for an answer. Any other endpoint sends one piece.
"""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import soundfile

from chatterbox_worker import errors
from chatterbox_worker.answer import Recording, SpeechInfo, SpokenWord
from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.client import (
    AnswerLost,
    AsyncRunPodServerlessClient,
    AudioOnVolume,
    ClientError,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    RequestRefused,
    RequestTooLarge,
    Unavailable,
)
from chatterbox_worker.client.sound import join, unwrap
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import (
    AnswerTooLarge,
    Busy,
    Cancelled,
    InvalidRequest,
    NotReady,
    SynthesisFailed,
    WorkerError,
)
from chatterbox_worker.request import (
    OF_A_DIALOGUE,
    OF_A_VOICE,
    AudioRequest,
    ConversionRequest,
    DialogueTurn,
    SpeechBody,
    SpeechRequest,
    without_nulls,
)
from chatterbox_worker.server.backend import Live, Readiness
from chatterbox_worker.server.refusals import BodyTooLarge, NotOffered
from chatterbox_worker.voices.library import LibraryEntry

log = logging.getLogger(__name__)

_Piece = tuple[bytes, Sequence[SpokenWord]]
"""Encoded audio, and the words that are spoken by its end."""
Put = Callable[[_Piece], object]

_CANCEL_POLL_S = 0.1  # how soon a cancelled scope cancels its job
_AUDIO_S = 86_400  # the longest piece that is decoded
_LIST_S = 60.0
_LOSSLESS = {"format": "flac", "sample_rate": 24_000}  # and at the models' own rate
_BY_CODE: Mapping[str | None, type[WorkerError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, WorkerError)
}  # fmt: skip


class RunPodBackend:
    def __init__(self, settings: Settings, client: AsyncRunPodServerlessClient | None = None) -> None:
        """
        Raises:
            NotReady: there is no key for the endpoint.
        """
        if not settings.runpod_api_key:
            raise NotReady(f"{settings.backend} needs RUNPOD_API_KEY", field="RUNPOD_API_KEY")
        self.condition = Readiness("starting")
        self._outputs_dir = settings.outputs_dir
        self._listing = asyncio.Lock()
        self._listed: tuple[float, list[LibraryEntry]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._client = client or AsyncRunPodServerlessClient(
            settings.backend.removeprefix("runpod:"),
            settings.runpod_api_key,
            base_url=settings.runpod_base_url,
            timeout_s=math.inf,  # a job may take as long as the endpoint allows
        )

    async def open(self) -> None:
        self.condition = Readiness("ready")  # whether a worker is up is the queue's concern

    async def close(self) -> None:
        """Cancels the jobs that still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def speak(self, request: AudioRequest, scope: CancelScope) -> Recording:
        pieces: list[_Piece] = []
        about = await self._start(_fields(request), pieces.append, scope)
        with _worker_errors():
            audio = await asyncio.to_thread(_join, [audio for audio, _ in pieces], request.format)
        return _recording(audio, about)

    async def stream(self, request: AudioRequest, scope: CancelScope) -> Live:
        pieces: asyncio.Queue[_Piece | None] = asyncio.Queue()
        job = self._start(_fields(replace(request, bitrate_kbps=None)) | _LOSSLESS, pieces.put_nowait, scope)
        job.add_done_callback(lambda _: pieces.put_nowait(None))
        live = _JobStream(request, pieces, job)
        await live.read_first()
        return live

    async def voices(self) -> list[LibraryEntry]:
        """Remembered for a minute, because every job may start a worker."""
        async with self._listing:
            if self._listed is None or time.monotonic() - self._listed[0] > _LIST_S:
                with _worker_errors():
                    entries = await self._client.voices.list()
                self._listed = time.monotonic(), [LibraryEntry(**asdict(entry)) for entry in entries]
            return self._listed[1]

    async def about_voice(self, voice: str) -> dict[str, Any]:
        entries = {entry.id: entry for entry in await self.voices()}
        if voice not in entries:
            known = errors.choices(["default", *entries])
            raise errors.VoiceNotFound(f"voice {errors.quote(voice)} not found; there are {known}", field="voice")
        return asdict(entries[voice])

    async def recording(self, voice: str) -> tuple[bytes, str]:
        raise NotOffered(f"the recording of {errors.quote(voice)} is with the endpoint's workers, which do not send it")

    async def export_voice(self, voice: str) -> bytes:
        with _worker_errors():
            return await self._client.voices.export(voice)

    async def save_voice(self, name: str, data: bytes, transcript: str | None = None) -> dict[str, Any]:
        with _worker_errors(), self._voices_change():
            return asdict(await self._client.voices.save(name, data, transcript=transcript))

    async def delete_voice(self, voice: str) -> None:
        with _worker_errors(), self._voices_change():
            await self._client.voices.delete(voice)

    async def preview(self, request: SpeechRequest) -> dict[str, Any]:
        """By a job: the lexicon is the endpoint's."""
        return await self._act({"action": "text.preview", **_fields(request)})

    async def lexicon(self, language: str | None, offset: int) -> dict[str, Any]:
        asked = {"action": "lexicon.list", "language": language, "offset": offset}
        return await self._act(without_nulls(asked))

    async def save_entries(self, entries: Mapping[str, str], language: str) -> dict[str, Any]:
        return await self._act({"action": "lexicon.save", "entries": dict(entries), "language": language})

    async def delete_entry(self, word: str, language: str) -> None:
        await self._act({"action": "lexicon.delete", "word": word, "language": language})

    async def _act(self, job_input: Mapping[str, Any]) -> dict[str, Any]:
        with _worker_errors():
            return dict(unwrap((await self._client.call(job_input)).output))

    @contextmanager
    def _voices_change(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._listed = None

    def _start(self, fields: Mapping[str, Any], put: Put, scope: CancelScope) -> asyncio.Task[Mapping[str, Any]]:
        """A task that speaks. `scope` cancels the task, and the task cancels the job on the queue."""
        job = asyncio.create_task(self._speak(fields, put, scope))
        for task in (job, asyncio.create_task(_cancel_with(scope, job))):
            self._tasks.add(task)
            task.add_done_callback(self._forget)
        return job

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # asyncio logs an exception that is never read, as when the caller has gone

    async def _speak(self, fields: Mapping[str, Any], put: Put, scope: CancelScope) -> Mapping[str, Any]:
        """The answer without its audio, whose pieces go to `put` as they come.

        Raises:
            WorkerError: the worker's own, or what went wrong on the way.
        """
        try:
            with _worker_errors():
                async with self._job(fields) as job_id:
                    return await self._read(job_id, put, scope)
        except asyncio.CancelledError:
            scope.check()
            raise

    @asynccontextmanager
    async def _job(self, fields: Mapping[str, Any]) -> AsyncIterator[str]:
        """The id of a new job, which is cancelled on the queue if the block is cancelled."""
        submission = asyncio.create_task(self._client.submit(fields))
        try:
            yield (await asyncio.shield(submission)).id
        except asyncio.CancelledError:
            try:
                await self._client.cancel((await submission).id)
            except ClientError as error:
                log.warning("a job could not be cancelled: %s", error)
            raise

    async def _read(self, job_id: str, put: Put, scope: CancelScope) -> Mapping[str, Any]:
        stream = await self._client.stream(job_id=job_id)
        words: list[Any] = []
        try:
            async for chunk in stream:
                _report_progress(stream.summary, scope)
                words += chunk.raw.get("words", ())
                put((chunk.audio, chunk.words))
        except AudioOnVolume as answer:
            audio = await asyncio.to_thread(self._read_output, answer.path)
            _report_progress(answer.about, scope)
            put((audio, ()))
            return answer.about
        _report_progress(stream.summary, scope)
        return ({"words": words} if words else {}) | dict(stream.summary or {})  # too many for a summary, or the same

    def _read_output(self, path: str) -> bytes:
        """A file that a worker has written to its outputs folder on the volume.

        The volume may have another path here, so only the file's name is used: no other folder can be read.

        Raises:
            AnswerTooLarge: this server does not have the file.
        """
        with suppress(OSError, ValueError):  # ValueError: a path with a null byte
            folder = self._outputs_dir.resolve(strict=True)
            file = (folder / PurePosixPath(path).name).resolve(strict=True)
            if file.parent == folder and file.is_file():
                return file.read_bytes()
        raise AnswerTooLarge(
            "the speech is too large for the queue's answer, and this server cannot read the endpoint's volume: ask "
            'for a compressed format ("mp3" or "opus") without streaming, or a shorter text; or give the endpoint '
            "CHATTERBOX_STREAM=1 or a bucket, or set CHATTERBOX_OUTPUTS_DIR here to the outputs folder of its volume",
            field="format",
        )


async def _cancel_with(scope: CancelScope, job: asyncio.Task[Any]) -> None:
    """Cancel the task once the scope is cancelled."""
    while not (await asyncio.wait({job}, timeout=_CANCEL_POLL_S))[0]:
        try:
            scope.check()
        except Cancelled:
            job.cancel()
            return


class _JobStream:
    """The pieces of a job as audio. Pieces wait in memory for a slow reader, so the job does not wait for it: the queue
    keeps them for a short time only.
    """

    def __init__(
        self, request: AudioRequest, pieces: asyncio.Queue[_Piece | None], job: asyncio.Task[Mapping[str, Any]]
    ) -> None:
        self._request = request
        self._pieces = pieces
        self._job = job
        self._first: Audio | None = None
        self._words: list[SpokenWord] = []

    @property
    def sample_rate(self) -> int:
        return 0 if self._first is None else self._first.sample_rate

    def watch(self, report: Callable[[bool], None]) -> None:
        report(not self._job.done())
        self._job.add_done_callback(lambda _: report(False))

    async def read_first(self) -> None:
        self._first = await self._next()
        if self._first is None:
            raise SynthesisFailed("the endpoint's answer has no audio")

    async def pieces(self) -> AsyncIterator[Audio]:
        piece = self._first
        while piece is not None:
            yield piece
            piece = await self._next()

    @property
    def words(self) -> Sequence[SpokenWord]:
        return self._words

    def info(self) -> SpeechInfo:
        request = self._request
        mimetype = FORMATS[request.format].mimetype
        info = _info(self._job.result())
        return replace(info, format=request.format, sample_rate=request.sample_rate, mimetype=mimetype)

    async def _next(self) -> Audio | None:
        piece = await self._pieces.get()
        if piece is None:
            await self._job  # raises what ended it
            self._words = list(self.info().words or ())  # an endpoint that does not stream has them at the end
            return None
        audio, words = piece
        self._words += words
        return await asyncio.to_thread(_decode_flac, audio)


def _fields(request: AudioRequest) -> dict[str, Any]:
    """The input of a job for the same speech; fields that the request leaves open stay open."""
    if isinstance(request, ConversionRequest):
        return _conversion_fields(request)
    return _dialogue_fields(request) if request.turns else _text_fields(request)


def _dialogue_fields(request: SpeechRequest) -> dict[str, Any]:
    """What all turns have in common stands next to them, so that a recording is sent once."""
    whole = {name: value for name, value in _text_fields(request).items() if name in OF_A_DIALOGUE}
    whole |= {} if request.seed is None else {"seed": request.seed}
    turns = [_turn_fields(turn) for turn in request.turns]
    if request.text_format == "script":
        opening = request.turns[0]
        per_turn = {"name", *(() if opening.has_speaker else ("speaker",)), *(OF_A_VOICE if opening.is_by_name else ())}
        own = {name: value for name, value in turns[0].items() if name not in per_turn}
        return whole | own | {"text": request.text, "text_format": "script"}
    first, *others = turns
    common = {name for name, value in first.items() if all(turn.get(name) == value for turn in others)}
    shared = common - {"text", "name", "seed"}  # which mean something else there
    if any(turn.get(name) != first.get(name) for name in OF_A_VOICE for turn in others):
        shared -= set(OF_A_VOICE)  # a turn with a voice of its own takes none of these from the dialogue
    own_fields = [{name: value for name, value in turn.items() if name not in shared} for turn in turns]
    return whole | {name: first[name] for name in shared} | {"turns": own_fields}


def _turn_fields(turn: DialogueTurn) -> dict[str, Any]:
    own = {name: value for name, value in _text_fields(turn.request).items() if name not in OF_A_DIALOGUE}
    named = {} if turn.name is None else {"name": turn.name}
    return own | named | {"pause_s": {**turn.request.pause_s, "turn": turn.pause_s}}


def _text_fields(request: SpeechRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "text": request.text, "model": request.model, "language": str(request.tag), "voice": request.voice,
        "reference_audio": request.reference_audio, "voice_url": request.voice_url, "format": request.format,
        "sample_rate": request.sample_rate, "bitrate_kbps": request.bitrate_kbps, "speed": request.speed,
        "seed": request.seed, "split_text": request.split_text, "chunk_size": request.chunk_size,
        "cache": request.cache,
        "reference_transcript": request.reference_transcript, "max_chunk_s": request.max_chunk_s,
        "normalize": request.normalize_as_given, "pronunciations": dict(request.pronunciations) or None,
        "context": [turn.model_dump() for turn in request.context] or None,
        "respeak": list(request.respeak) or None, "check": request.check_as_given,
        "speaker": request.speaker if request.card.uses_context else None,
        **request.sampling,
        **_given_fields(request),
    }  # fmt: skip
    return without_nulls(fields)


_OFTEN_DEFAULT = (
    "text_format", "line_breaks", "emoji", "ssml_strict", "pause_s", "timestamps", "loudness_lufs", "gain_db", "trim",
    "attempts", "max_word_error", "on_fail",
)  # fmt: skip


def _given_fields(request: SpeechRequest) -> dict[str, Any]:
    """How the text is read and how it sounds, where it is not by default."""
    fields = SpeechBody.model_fields
    given = {name: getattr(request, name) for name in _OFTEN_DEFAULT}
    return {name: value for name, value in given.items() if value != fields[name].default and value != {}}


def _conversion_fields(request: ConversionRequest) -> dict[str, Any]:
    audio = request.audio
    return without_nulls({
        "action": "convert", "audio": base64.b64encode(audio).decode() if isinstance(audio, bytes) else audio,
        "audio_url": request.audio_url, "model": request.model, "voice": request.voice,
        "reference_audio": request.reference_audio, "voice_url": request.voice_url, "format": request.format,
        "sample_rate": request.sample_rate, "bitrate_kbps": request.bitrate_kbps, "seed": request.seed,
        "cache": request.cache,
    })  # fmt: skip


def _recording(audio: bytes, about: Mapping[str, Any]) -> Recording:
    """
    Raises:
        SynthesisFailed: the answer lacks fields that this worker's answers have.
    """
    try:
        return Recording(audio, _info(about), about["cache_key"], hit=about["cache_hit"], timings=about["timings"])
    except KeyError as missing:
        raise SynthesisFailed(f"the endpoint's answer has no {missing}; does it run this worker?") from None


def _info(about: Mapping[str, Any]) -> SpeechInfo:
    """What an answer reports; a stream leaves out a list of chunks that is too long for it. Raises SynthesisFailed."""
    try:
        return SpeechInfo.from_json({"chunks": [], **about})
    except ValueError as error:
        raise SynthesisFailed(f"the endpoint's answer cannot be used: {error}; does it run this worker?") from None


def _report_progress(about: Mapping[str, Any] | None, scope: CancelScope) -> None:
    if scope.progress is not None and about is not None:
        chunks = len(about.get("chunks", ()))
        scope.progress(chunks, chunks, about.get("duration_s", 0.0))


def _join(pieces: Sequence[bytes], audio_format: str) -> bytes:
    """The pieces of a stream as one file; flac pieces are coded again, which is lossless. Raises NoAudio."""
    if audio_format != "flac" or len(pieces) < 2:
        return join(pieces, audio_format)
    audio = concatenate([_decode_flac(piece) for piece in pieces])
    return encode(audio, audio_format, audio.sample_rate)


def _decode_flac(data: bytes) -> Audio:
    """The samples of a 16-bit mono file, exactly: `Audio.pcm16` returns them again.

    Raises:
        SynthesisFailed: it is not such a file.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.channels == 1 and 0 < file.frames <= _AUDIO_S * file.samplerate:
                samples = file.read(dtype="int16")
                return Audio((samples / np.float32(32767.0)).astype(np.float32), file.samplerate)
    except soundfile.LibsndfileError:
        pass
    raise SynthesisFailed("the endpoint's answer holds audio that cannot be decoded")


@contextmanager
def _worker_errors() -> Iterator[None]:
    """Raises the client's errors as this package's."""
    try:
        yield
    except ClientError as error:
        raise _worker_error(error) from error


def _worker_error(error: ClientError) -> WorkerError:
    match error:
        case JobFailed():
            return _job_error(error)
        case RequestTooLarge():
            return BodyTooLarge(str(error))
        case Unavailable(status=429):
            return Busy("RunPod's API takes no more requests at the moment; try again later")
        case RequestRefused(status=int(status)):
            log.warning("RunPod's API: %s", error)
            return NotReady(f"RunPod's API answered {status}; the server's log has the reason")
        case Unavailable() | AnswerLost():
            return NotReady(f"RunPod's API: {error}")
        case _:
            return SynthesisFailed(f"the endpoint's answer cannot be used: {error}")


def _job_error(error: JobFailed) -> WorkerError:
    """The worker's own error, with its code and field; the SDK drops both from a streaming endpoint's."""
    if isinstance(error, JobCancelled):
        return Cancelled("the job was cancelled on the queue")
    if isinstance(error, JobTimedOut):
        return SynthesisFailed("the job took longer than the endpoint allows")
    unknown = SynthesisFailed if error.code is None else InvalidRequest
    return _BY_CODE.get(error.code, unknown)(error.message, field=error.field)
