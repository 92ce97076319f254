"""The backend that speaks somewhere else: RunPod's queue in front of workers that may be scaled to zero.

`CHATTERBOX_BACKEND=runpod:<endpoint id>` with `RUNPOD_API_KEY`. A request is checked here, becomes a job of the same
fields, and the worker's answer goes back; so voices and cache are the endpoint's. `CHATTERBOX_MODELS` must say what the
endpoint serves. Plain HTTP, no SDK, no torch. A queue answers with whole recordings: a stream has one piece.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from chatterbox_worker import errors
from chatterbox_worker.answer import Recording, SpeechInfo
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import Busy, Cancelled, InvalidRequest, NotReady, SynthesisFailed, WorkerError
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.server.backend import Live, Readiness
from chatterbox_worker.server.refusals import BodyTooLarge, NotOffered
from chatterbox_worker.synthesizer import CancelScope
from chatterbox_worker.voices.library import LibraryEntry

_RUN_BYTES = 10_000_000  # RunPod's documented limit of a body for /run
_FIRST_POLL_S, _POLL_GROWTH, _LONGEST_POLL_S = 0.1, 1.3, 1.0
_TIMEOUT_S = 30.0  # of one call of the API; a job may take as long as the endpoint lets it
_TRIES = 4  # of a poll that was answered with a 5xx or not at all; the job goes on meanwhile
_AUDIO_S = 86_400.0
_LIST_S = 60.0
_BY_CODE: Mapping[str, type[WorkerError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, WorkerError)
}  # fmt: skip


class RunPodBackend:
    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """
        Raises:
            NotReady: there is no key for the endpoint.
        """
        if not settings.runpod_api_key:
            raise NotReady(f"{settings.backend} needs RUNPOD_API_KEY", field="RUNPOD_API_KEY")
        self.condition = Readiness("starting")
        self._listing = asyncio.Lock()
        self._listed: tuple[float, list[LibraryEntry]] | None = None
        self._client = httpx.AsyncClient(
            base_url=f"{settings.runpod_base_url}/{settings.backend.removeprefix('runpod:')}",
            headers={"Authorization": f"Bearer {settings.runpod_api_key}"},
            timeout=_TIMEOUT_S,
            transport=transport,
        )

    async def open(self) -> None:
        self.condition = Readiness("ready")  # whether a worker is up is the queue's affair

    async def close(self) -> None:
        await self._client.aclose()

    async def speak(self, request: SpeechRequest, call: CancelScope) -> Recording:
        answer = await self._run(_fields(request), call)
        return Recording(
            base64.b64decode(answer["audio_base64"]),
            SpeechInfo.from_json(answer),
            answer["cache_key"],
            hit=answer["cache_hit"],
            timings=answer["timings"],
        )

    async def stream(self, request: SpeechRequest, call: CancelScope) -> Live:
        fields = _fields(request) | {"format": "flac", "sample_rate": 24_000}  # lossless, and the models' own rate
        answer = await self._run(fields, call)
        data = base64.b64decode(answer["audio_base64"])
        audio = await asyncio.to_thread(decode, data, field="text", max_s=_AUDIO_S)
        info = replace(SpeechInfo.from_json(answer), format=request.format, sample_rate=request.sample_rate)
        if call.progress is not None:
            call.progress(len(info.chunks), len(info.chunks), audio.duration_s)
        return _Whole(audio, info)

    async def voices(self) -> list[LibraryEntry]:
        """Remembered for a minute: each time it is asked may wake a worker."""
        async with self._listing:
            if self._listed is None or time.monotonic() - self._listed[0] > _LIST_S:
                answer = await self._run({"action": "voices.list"}, CancelScope())
                self._listed = time.monotonic(), [LibraryEntry(**entry) for entry in answer["voices"]]
            return self._listed[1]

    async def about_voice(self, voice: str) -> dict[str, Any]:
        entries = {entry.id: entry for entry in await self.voices()}
        if voice not in entries:
            known = errors.choices(["default", *entries])
            raise errors.VoiceNotFound(f"voice {errors.quote(voice)} not found; there are {known}", field="voice")
        return {"id": voice, "size_bytes": entries[voice].size_bytes, "modified": entries[voice].modified}

    async def recording(self, voice: str) -> tuple[bytes, str]:
        raise NotOffered(f"the recording of {errors.quote(voice)} is with the endpoint's workers, which do not send it")

    async def export_voice(self, voice: str) -> bytes:
        answer = await self._run({"action": "voices.export", "voice": voice}, CancelScope())
        return base64.b64decode(answer["reference_audio"])

    async def save_voice(self, voice: str, data: bytes, transcript: str | None = None) -> dict[str, Any]:
        fields = {"action": "voices.save", "voice": voice, "reference_audio": base64.b64encode(data).decode()}
        return await self._changed(fields if transcript is None else fields | {"reference_transcript": transcript})

    async def delete_voice(self, voice: str) -> None:
        await self._changed({"action": "voices.delete", "voice": voice})

    async def _changed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._run(fields, CancelScope())
        finally:
            self._listed = None

    async def _run(self, fields: Mapping[str, Any], call: CancelScope) -> dict[str, Any]:
        """The output of a job of these fields.

        Raises:
            WorkerError: the worker's own, or what went wrong on the way.
        """
        content = json.dumps({"input": fields}).encode()
        if len(content) > _RUN_BYTES:
            raise BodyTooLarge(f"the request has {len(content)} bytes; RunPod's queue takes at most {_RUN_BYTES}")
        job = await self._ask("POST", "/run", content=content)
        try:
            return _output(await self._final(job, call))
        except (asyncio.CancelledError, Cancelled):
            await asyncio.shield(self._ask("POST", f"/cancel/{job['id']}"))
            raise

    async def _final(self, job: dict[str, Any], call: CancelScope) -> dict[str, Any]:
        wait_s = _FIRST_POLL_S
        while job["status"] in ("IN_QUEUE", "IN_PROGRESS", "RUNNING"):
            await asyncio.sleep(wait_s)
            call.check()
            wait_s = min(wait_s * _POLL_GROWTH, _LONGEST_POLL_S)
            job = await self._ask("GET", f"/status/{job['id']}", tries=_TRIES)
        return job

    async def _ask(self, method: str, path: str, *, content: bytes | None = None, tries: int = 1) -> dict[str, Any]:
        for left in range(tries, 0, -1):
            try:
                headers = {} if content is None else {"Content-Type": "application/json"}
                response = await self._client.request(method, path, content=content, headers=headers)
            except httpx.HTTPError as error:
                if left > 1:
                    await asyncio.sleep(_LONGEST_POLL_S)
                    continue
                raise NotReady(f"RunPod's API cannot be reached: {type(error).__name__}") from error
            if response.status_code < 500 or left == 1:
                break
            await asyncio.sleep(_LONGEST_POLL_S)
        if response.status_code == 429:
            raise Busy("RunPod's API takes no more requests at the moment; try again later")
        if response.status_code != 200:
            raise NotReady(
                f"RunPod's API answered {response.status_code} to {method} {path.partition('/')[2].partition('/')[0]}"
            )
        answer: dict[str, Any] = response.json()
        return answer


class _Whole:
    """A stream of one piece."""

    def __init__(self, audio: Audio, info: SpeechInfo) -> None:
        self._audio = audio
        self._info = info

    @property
    def sample_rate(self) -> int:
        return self._audio.sample_rate

    async def pieces(self) -> AsyncIterator[Audio]:
        yield self._audio

    def info(self) -> SpeechInfo:
        return self._info


def _fields(request: SpeechRequest) -> dict[str, Any]:
    """The job's input that asks for the same: what the request left open stays open."""
    fields: dict[str, Any] = {
        "text": request.text, "model": request.model, "language": request.language, "voice": request.voice,
        "reference_audio": request.reference_audio, "voice_url": request.voice_url, "format": request.format,
        "sample_rate": request.sample_rate, "speed": request.speed, "seed": request.seed,
        "split_text": request.split_text, "chunk_size": request.chunk_size, "cache": request.cache,
        "reference_transcript": request.reference_transcript, "max_chunk_s": request.max_chunk_s,
        "context": [turn.model_dump() for turn in request.context] or None,
        "speaker": request.speaker if MODELS[request.model].uses_context else None,
        **request.sampling,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value is not None}


def _output(job: Mapping[str, Any]) -> dict[str, Any]:
    if job["status"] == "COMPLETED" and isinstance(output := job.get("output"), dict):
        return output
    if job["status"] == "CANCELLED":
        raise Cancelled("the job was cancelled on the queue")
    if job["status"] == "TIMED_OUT":
        raise SynthesisFailed("the job took longer than the endpoint allows")
    told = job.get("error")
    details = job if "code" in job else output if isinstance(output := job.get("output"), dict) else {}
    kind = _BY_CODE.get(str(details.get("code")), InvalidRequest if "code" in details else SynthesisFailed)
    raise kind(str(told or details.get("error") or f"the job ended as {job['status']}"), field=details.get("field"))
