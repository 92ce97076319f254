"""`AsyncRunPodServerlessClient`: the same calls for asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from chatterbox_worker import files
from chatterbox_worker.client import endpoint as endpoints
from chatterbox_worker.client import flows
from chatterbox_worker.client.endpoint import Endpoint
from chatterbox_worker.client.fields import AudioSource, ConversionFields, SpeechFields, TextFields
from chatterbox_worker.client.flows import Deadline, Flow, OnUpdate, OpenStream, StreamReader, Wait
from chatterbox_worker.client.sound import unwrap
from chatterbox_worker.client.sync import DEFAULT_TIMEOUT_S
from chatterbox_worker.client.types import Job, LexiconEntry, OutputEntry, SavedVoice, StreamChunk, VoiceEntry
from chatterbox_worker.client.wire import HttpCall, Outcome, Patience, TooLarge

T = TypeVar("T")

_MAX_CONNECTIONS = 400  # a call that waits for a job uses one; httpx's own limit of 100 is for short calls


class AsyncRunPodServerlessClient:
    """One endpoint; arguments and errors are those of `RunPodServerlessClient`."""

    def __init__(
        self,
        endpoint_id: str | None = None,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        patience: Patience | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._endpoint = Endpoint.choose(endpoint_id, api_key, base_url)
        self._timeout_s = timeout_s
        self._patience = patience or Patience()
        self._http = endpoints.open_http(
            httpx.AsyncClient,
            self._endpoint.url,
            verify=verify,
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS),
        )
        self.voices = AsyncVoices(self)
        self.lexicon = AsyncLexicon(self)
        self.outputs = AsyncOutputs(self)

    async def runsync(
        self, text: str | None = None, *, timeout_s: float | None = None, **speech: Unpack[SpeechFields]
    ) -> Job:
        return await self.call({"text": text, **speech}, timeout_s=timeout_s)

    async def run(self, text: str | None = None, **speech: Unpack[SpeechFields]) -> Job:
        return await self.submit({"text": text, **speech})

    async def runsync_many(
        self, texts: Iterable[TextFields], *, timeout_s: float | None = None, **shared: Unpack[SpeechFields]
    ) -> Job:
        return await self.call(endpoints.texts_input(texts, shared), timeout_s=timeout_s)

    async def run_many(self, texts: Iterable[TextFields], **shared: Unpack[SpeechFields]) -> Job:
        return await self.submit(endpoints.texts_input(texts, shared))

    async def convert(
        self,
        recording: AudioSource | None = None,
        *,
        url: str | None = None,
        timeout_s: float | None = None,
        **fields: Unpack[ConversionFields],
    ) -> Job:
        return await self.call(endpoints.conversion_input(recording, url, fields), timeout_s=timeout_s)

    async def call(self, job_input: Mapping[str, Any], *, timeout_s: float | None = None) -> Job:
        return await self._drive(flows.runsync(job_input, self._limit(timeout_s), self._patience))

    async def submit(self, job_input: Mapping[str, Any]) -> Job:
        return await self._drive(flows.run(job_input, self._patience))

    async def status(self, job_id: str) -> Job:
        return await self._drive(flows.status(job_id, self._patience))

    async def poll_until_complete(
        self, job_id: str, *, timeout_s: float | None = None, on_update: OnUpdate | None = None
    ) -> Job:
        """`on_update` is called on the event loop: it must not block."""
        return await self._drive(flows.poll(job_id, self._deadline(timeout_s), on_update))

    async def stream(
        self,
        text: str | None = None,
        *,
        job_id: str | None = None,
        timeout_s: float | None = None,
        **speech: Unpack[SpeechFields],
    ) -> AsyncSpeechStream:
        endpoints.check_stream(text, job_id, speech)
        if job_id is None:
            job_id = (await self.submit({"text": text, **speech})).id
        return AsyncSpeechStream(self, StreamReader(job_id, self._deadline(timeout_s)))

    async def cancel(self, job_id: str) -> Job:
        return await self._drive(flows.cancel(job_id, self._patience))

    async def audio(self, response: object) -> bytes:
        return await self._drive(flows.audio_of(response, self._patience))

    async def save_audio(self, response: object, path: str | Path) -> Path:
        return await asyncio.to_thread(files.save, path, await self.audio(response))

    async def info(self) -> dict[str, Any]:
        return dict(unwrap((await self.call({"action": "info"})).output))

    async def health(self) -> dict[str, Any]:
        return await self._drive(flows.health(self._patience))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def _limit(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else timeout_s

    def _deadline(self, timeout_s: float | None) -> Deadline:
        return Deadline.after(self._limit(timeout_s), self._patience)

    async def _drive(self, flow: Flow[T]) -> T:
        outcome: Outcome | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                value: T = end.value
                return value
            outcome = await self._do(step)

    async def _do(self, step: HttpCall | Wait) -> Outcome | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.duration_s)
            return None
        try:
            async with self._http.stream(**self._endpoint.request(step)) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > step.limit_bytes:
                        return TooLarge()
                return endpoints.reply(response, bytes(body))
        except httpx.RequestError as error:
            return endpoints.failure(error)


class AsyncVoices:
    """The endpoint's voice library; it needs a network volume."""

    def __init__(self, client: AsyncRunPodServerlessClient) -> None:
        self._client = client

    async def list(self) -> list[VoiceEntry]:
        return endpoints.voice_entries((await self._client.call({"action": "voices.list"})).output)

    async def save(
        self,
        voice: str,
        recording: AudioSource | None = None,
        *,
        url: str | None = None,
        transcript: str | None = None,
        language: str | None = None,
    ) -> SavedVoice:
        job_input = endpoints.save_voice_input(voice, recording, url, transcript, language)
        return endpoints.saved_voice((await self._client.call(job_input)).output)

    async def export(self, voice: str) -> bytes:
        """The voice as one file, which `save` takes on this endpoint or on another."""
        return endpoints.voice_file((await self._client.call({"action": "voices.export", "voice": voice})).output)

    async def delete(self, voice: str) -> None:
        await self._client.call({"action": "voices.delete", "voice": voice})


class AsyncLexicon:
    """See `sync.Lexicon`."""

    def __init__(self, client: AsyncRunPodServerlessClient) -> None:
        self._client = client

    async def list(self, language: str | None = None) -> list[LexiconEntry]:
        entries: list[LexiconEntry] = []
        offset: int | None = 0
        while offset is not None:
            job_input = {"action": "lexicon.list", "language": language, "offset": offset}
            page, offset = endpoints.lexicon_page((await self._client.call(job_input)).output)
            entries += page
        return entries

    async def save(self, entries: Mapping[str, str], language: str = "*") -> None:
        await self._client.call({"action": "lexicon.save", "entries": entries, "language": language})

    async def delete(self, word: str, language: str = "*") -> None:
        await self._client.call({"action": "lexicon.delete", "word": word, "language": language})


class AsyncOutputs:
    """Large answers on the endpoint's network volume; `path` is the `audio_path` of an answer."""

    def __init__(self, client: AsyncRunPodServerlessClient) -> None:
        self._client = client

    async def list(self) -> list[OutputEntry]:
        return endpoints.output_entries((await self._client.call({"action": "outputs.list"})).output)

    async def read(self, path: str) -> bytes:
        return await self._client._drive(flows.read_output(path, self._client._patience))

    async def delete(self, path: str) -> None:
        await self._client.call({"action": "outputs.delete", "path": path})


class AsyncSpeechStream(OpenStream[AsyncRunPodServerlessClient]):
    """Iterate it once. As a context manager it cancels the job if it is left before the end."""

    async def __aiter__(self) -> AsyncIterator[StreamChunk]:
        while not self._reader.is_over:
            for chunk in await self._client._drive(flows.read_stream(self._reader)):
                yield chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._reader.is_over:
            await self._client.cancel(self.job_id)
