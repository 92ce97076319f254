"""The backend in front of a RunPod queue, whose workers may be scaled to zero.

`CHATTERBOX_BACKEND=runpod:<endpoint id>` with `RUNPOD_API_KEY`. A request is checked here and becomes a job with the
same fields; voices and cache are the endpoint's. `CHATTERBOX_MODELS` must list what the endpoint serves. The package
`client` submits the job, waits and finds the audio; this module maps requests, answers and errors. It needs no torch.

All speech is read from the job's stream. An endpoint with CHATTERBOX_STREAM=1 sends it in pieces: a stream then starts
before the job ends, and a whole may be larger than RunPod's limit for an answer. Any other endpoint sends one piece.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import Any

from chatterbox_worker import errors
from chatterbox_worker.answer import Recording
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import MODEL_RATE
from chatterbox_worker.client import AsyncRunPodServerlessClient, AudioOnVolume, ClientError
from chatterbox_worker.client.sound import unwrap
from chatterbox_worker.config import Settings
from chatterbox_worker.engine import NO_DETAILS, VoiceDetails
from chatterbox_worker.errors import AnswerTooLarge, Cancelled, NotReady
from chatterbox_worker.request import AudioRequest, SpeechRequest, without_nulls
from chatterbox_worker.server.backend import Live, Readiness
from chatterbox_worker.server.gateway.answers import JobStream, Piece, join_pieces, recording_of
from chatterbox_worker.server.gateway.client_errors import worker_errors
from chatterbox_worker.server.gateway.fields import job_fields
from chatterbox_worker.server.refusals import NotOffered
from chatterbox_worker.voices.folder import LibraryEntry, voice_not_found

log = logging.getLogger(__name__)

Put = Callable[[Piece], object]

CANCEL_POLL_S = 0.1  # how soon a cancelled scope cancels its job
_LIST_S = 60.0
_LOSSLESS = {"format": "flac", "sample_rate": MODEL_RATE}


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
        pieces: list[Piece] = []
        about = await self._start(job_fields(request), pieces.append, scope)
        with worker_errors():
            audio = await asyncio.to_thread(join_pieces, [audio for audio, _ in pieces], request.format)
        return recording_of(audio, about)

    async def stream(self, request: AudioRequest, scope: CancelScope) -> Live:
        pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
        job = self._start(job_fields(replace(request, bitrate_kbps=None)) | _LOSSLESS, pieces.put_nowait, scope)
        job.add_done_callback(lambda _: pieces.put_nowait(None))
        live = JobStream(request, pieces, job)
        await live.read_first()
        return live

    async def voices(self) -> list[LibraryEntry]:
        """Remembered for a minute, because every job may start a worker."""
        async with self._listing:
            if self._listed is None or time.monotonic() - self._listed[0] > _LIST_S:
                with worker_errors():
                    entries = await self._client.voices.list()
                self._listed = time.monotonic(), [LibraryEntry(**asdict(entry)) for entry in entries]
            return self._listed[1]

    async def about_voice(self, voice: str) -> dict[str, Any]:
        entries = {entry.id: entry for entry in await self.voices()}
        if voice not in entries:
            raise voice_not_found(voice, ["default", *entries])
        return asdict(entries[voice])

    async def recording(self, voice: str) -> tuple[bytes, str]:
        raise NotOffered(f"the recording of {errors.quote(voice)} is with the endpoint's workers, which do not send it")

    async def export_voice(self, voice: str) -> bytes:
        with worker_errors():
            return await self._client.voices.export(voice)

    async def save_voice(self, name: str, data: bytes, details: VoiceDetails = NO_DETAILS) -> dict[str, Any]:
        with worker_errors(), self._voices_change():
            return asdict(await self._client.voices.save(name, data, **asdict(details)))

    async def delete_voice(self, voice: str) -> None:
        with worker_errors(), self._voices_change():
            await self._client.voices.delete(voice)

    async def preview(self, request: SpeechRequest) -> dict[str, Any]:
        """By a job: the lexicon is the endpoint's."""
        return await self._act({"action": "text.preview", **job_fields(request)})

    async def lexicon(self, language: str | None, offset: int) -> dict[str, Any]:
        asked = {"action": "lexicon.list", "language": language, "offset": offset}
        return await self._act(without_nulls(asked))

    async def save_entries(self, entries: Mapping[str, str], language: str) -> dict[str, Any]:
        return await self._act({"action": "lexicon.save", "entries": dict(entries), "language": language})

    async def delete_entry(self, word: str, language: str) -> None:
        await self._act({"action": "lexicon.delete", "word": word, "language": language})

    async def _act(self, job_input: Mapping[str, Any]) -> dict[str, Any]:
        with worker_errors():
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
            with worker_errors():
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
    while not (await asyncio.wait({job}, timeout=CANCEL_POLL_S))[0]:
        try:
            scope.check()
        except Cancelled:
            job.cancel()
            return


def _report_progress(about: Mapping[str, Any] | None, scope: CancelScope) -> None:
    if scope.progress is not None and about is not None:
        chunks = len(about.get("chunks", ()))
        scope.progress(chunks, chunks, about.get("duration_s", 0.0))
