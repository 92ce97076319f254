"""`RunPodServerlessClient`: blocking, safe to share between threads."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
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
from chatterbox_worker.client.types import Job, LexiconEntry, OutputEntry, SavedVoice, StreamChunk, VoiceEntry
from chatterbox_worker.client.wire import HttpCall, Outcome, Patience, TooLarge

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 600.0  # RunPod's default execution timeout


class RunPodServerlessClient:
    """One endpoint. Leaving it as a context manager, or `close`, closes its connections.

    Args:
        endpoint_id, api_key, base_url: or RUNPOD_ENDPOINT_ID, RUNPOD_API_KEY, RUNPOD_ENDPOINT_BASE_URL. For the local
            queue: `RunPodServerlessClient("local", "local", base_url="http://127.0.0.1:8000/v2")`.
        timeout_s: how long to wait for a job, with its time in the queue, unless a call sets its own.
        verify: the certificates that an https server of your own may have, as an `ssl.SSLContext`; False accepts any.
            By default those of SSL_CERT_FILE or SSL_CERT_DIR, or else of the public authorities.

    Every method raises ClientError (see `errors`); the fields of `speech` are the worker's (docs/API.md).
    """

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
        self._http = endpoints.open_http(httpx.Client, self._endpoint.url, verify=verify)
        self.voices = Voices(self)
        self.lexicon = Lexicon(self)
        self.outputs = Outputs(self)

    def runsync(
        self, text: str | None = None, *, timeout_s: float | None = None, **speech: Unpack[SpeechFields]
    ) -> Job:
        """Speak a text, or `turns` of several voices, and wait. If RunPod answers before the job ends, it is polled."""
        return self.call({"text": text, **speech}, timeout_s=timeout_s)

    def run(self, text: str | None = None, **speech: Unpack[SpeechFields]) -> Job:
        """Submit and return at once; `poll_until_complete`, `stream` and `cancel` take the job's `id`."""
        return self.submit({"text": text, **speech})

    def runsync_many(
        self, texts: Iterable[TextFields], *, timeout_s: float | None = None, **shared: Unpack[SpeechFields]
    ) -> Job:
        """Several texts as one job, and wait; its `results` are in their order, each with its speech or its error."""
        return self.call(endpoints.texts_input(texts, shared), timeout_s=timeout_s)

    def run_many(self, texts: Iterable[TextFields], **shared: Unpack[SpeechFields]) -> Job:
        """The same, submitted only."""
        return self.submit(endpoints.texts_input(texts, shared))

    def convert(
        self,
        recording: AudioSource | None = None,
        *,
        url: str | None = None,
        timeout_s: float | None = None,
        **fields: Unpack[ConversionFields],
    ) -> Job:
        """Say recorded speech with another voice, and wait; give a recording, or the `url` of a long one."""
        return self.call(endpoints.conversion_input(recording, url, fields), timeout_s=timeout_s)

    def call(self, job_input: Mapping[str, Any], *, timeout_s: float | None = None) -> Job:
        """`runsync` with any input, such as an action or an OpenAI route."""
        return self._drive(flows.runsync(job_input, self._limit(timeout_s), self._patience))

    def submit(self, job_input: Mapping[str, Any]) -> Job:
        """`run` with any input."""
        return self._drive(flows.run(job_input, self._patience))

    def status(self, job_id: str) -> Job:
        return self._drive(flows.status(job_id, self._patience))

    def poll_until_complete(
        self, job_id: str, *, timeout_s: float | None = None, on_update: OnUpdate | None = None
    ) -> Job:
        """The finished job. `on_update` gets the job at every poll; while it runs, `output` is its progress."""
        return self._drive(flows.poll(job_id, self._deadline(timeout_s), on_update))

    def stream(
        self,
        text: str | None = None,
        *,
        job_id: str | None = None,
        timeout_s: float | None = None,
        **speech: Unpack[SpeechFields],
    ) -> SpeechStream:
        """The speech in pieces as the worker sends them, of a new job or of one that `run` submitted.

        An endpoint without CHATTERBOX_STREAM sends the whole as one piece.
        """
        endpoints.check_stream(text, job_id, speech)
        if job_id is None:
            job_id = self.submit({"text": text, **speech}).id
        return SpeechStream(self, StreamReader(job_id, self._deadline(timeout_s)))

    def cancel(self, job_id: str) -> Job:
        return self._drive(flows.cancel(job_id, self._patience))

    def audio(self, response: object) -> bytes:
        """The encoded audio of a job: from the answer itself, its URL, or the endpoint's volume. Raises NoAudio."""
        return self._drive(flows.audio_of(response, self._patience))

    def save_audio(self, response: object, path: str | Path) -> Path:
        """Write the audio of a finished job to a file; the bytes are not converted, whatever the file's name.

        Raises:
            AudioOnVolume: it is a file on the endpoint's volume that cannot be read (any more).
            NoAudio: there is none.
        """
        return files.save(path, self.audio(response))

    def info(self) -> dict[str, Any]:
        """The version, models and settings of a worker of this endpoint. Starts one if none is up."""
        return dict(unwrap(self.call({"action": "info"}).output))

    def health(self) -> dict[str, Any]:
        """Counts of jobs and workers; starts nothing."""
        return self._drive(flows.health(self._patience))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _limit(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else timeout_s

    def _deadline(self, timeout_s: float | None) -> Deadline:
        return Deadline.after(self._limit(timeout_s), self._patience)

    def _drive(self, flow: Flow[T]) -> T:
        outcome: Outcome | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                value: T = end.value
                return value
            outcome = self._do(step)

    def _do(self, step: HttpCall | Wait) -> Outcome | None:
        if isinstance(step, Wait):
            time.sleep(step.duration_s)
            return None
        try:
            with self._http.stream(**self._endpoint.request(step)) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if len(body) > step.limit_bytes:
                        return TooLarge()
                return endpoints.reply(response, bytes(body))
        except httpx.RequestError as error:
            return endpoints.failure(error)


class Voices:
    """The endpoint's voice library; it needs a network volume."""

    def __init__(self, client: RunPodServerlessClient) -> None:
        self._client = client

    def list(self) -> list[VoiceEntry]:
        return endpoints.voice_entries(self._client.call({"action": "voices.list"}).output)

    def save(
        self,
        voice: str,
        recording: AudioSource | None = None,
        *,
        url: str | None = None,
        transcript: str | None = None,
        language: str | None = None,
    ) -> SavedVoice:
        """Save a recording under a name, for `voice=` in later requests; one of the same name is replaced.

        `transcript` has its words, which the model `csm` needs; `language` is a code such as es. A text in another
        language than the voice's is spoken with `cfg_weight` 0 unless the request gives one.
        """
        job_input = endpoints.save_voice_input(voice, recording, url, transcript, language)
        return endpoints.saved_voice(self._client.call(job_input).output)

    def export(self, voice: str) -> bytes:
        """The voice as one file, which `save` takes on this endpoint or on another."""
        return endpoints.voice_file(self._client.call({"action": "voices.export", "voice": voice}).output)

    def delete(self, voice: str) -> None:
        self._client.call({"action": "voices.delete", "voice": voice})


class Lexicon:
    """Words that the endpoint reads otherwise than they are written, in every request; it needs a network volume.

    `language` is a code such as es, or `*` for all languages.
    """

    def __init__(self, client: RunPodServerlessClient) -> None:
        self._client = client

    def list(self, language: str | None = None) -> list[LexiconEntry]:
        """All entries, or those of one language."""
        entries: list[LexiconEntry] = []
        offset: int | None = 0
        while offset is not None:
            job_input = {"action": "lexicon.list", "language": language, "offset": offset}
            page, offset = endpoints.lexicon_page(self._client.call(job_input).output)
            entries += page
        return entries

    def save(self, entries: Mapping[str, str], language: str = "*") -> None:
        """Add entries, from a word to what is read for it, or replace those of the same words; 1000 at most."""
        self._client.call({"action": "lexicon.save", "entries": entries, "language": language})

    def delete(self, word: str, language: str = "*") -> None:
        """Raises JobFailed with the code entry_not_found."""
        self._client.call({"action": "lexicon.delete", "word": word, "language": language})


class Outputs:
    """Large answers on the endpoint's network volume; `path` is the `audio_path` of an answer."""

    def __init__(self, client: RunPodServerlessClient) -> None:
        self._client = client

    def list(self) -> list[OutputEntry]:
        """The newest 1000."""
        return endpoints.output_entries(self._client.call({"action": "outputs.list"}).output)

    def read(self, path: str) -> bytes:
        """The whole file, in as many jobs as it takes. Raises JobFailed with the code output_not_found."""
        return self._client._drive(flows.read_output(path, self._client._patience))

    def delete(self, path: str) -> None:
        self._client.call({"action": "outputs.delete", "path": path})


class SpeechStream(OpenStream[RunPodServerlessClient]):
    """Iterate it once. As a context manager it cancels the job if it is left before the end."""

    def __iter__(self) -> Iterator[StreamChunk]:
        while not self._reader.is_over:
            yield from self._client._drive(flows.read_stream(self._reader))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._reader.is_over:
            self._client.cancel(self.job_id)
