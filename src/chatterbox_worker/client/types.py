"""What goes in and what comes out, as values.

`Job` and `StreamChunk` are mappings too: `job["output"]["seed"]` reads the JSON as it arrived, `job.speech.seed` the same, typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Required, TypedDict

from chatterbox_worker.client.errors import NoAudio
from chatterbox_worker.client.sound import AudioLocation, find

_FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})

AudioSource = bytes | Path | str
"""A voice's recording: its bytes, a file, or base64 (a data URI too)."""


class RequestFields(TypedDict, total=False):
    """What may stand beside a `text`: the worker's own fields (docs/API.md)."""

    model: str | None
    language: str
    voice: str | None
    reference_audio: AudioSource | None
    voice_url: str | None
    reference_transcript: str | None
    speaker: int
    context: Sequence[Mapping[str, Any]]
    format: str
    sample_rate: int
    speed: float
    seed: int | None
    temperature: float | None
    exaggeration: float | None
    cfg_weight: float | None
    repetition_penalty: float | None
    top_p: float | None
    min_p: float | None
    top_k: int | None
    split_text: bool
    chunk_size: int | None
    max_chunk_s: float | None
    cache: bool
    output: str


class SpeechFields(RequestFields, total=False):
    """The same for a whole job, and what RunPod reads beside its input."""

    webhook: str
    policy: Mapping[str, Any]
    s3Config: Mapping[str, str]


class TextFields(RequestFields, total=False):
    """One of many texts; what it leaves out is the job's."""

    id: Required[str]
    text: Required[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Told(Mapping[str, Any]):
    """A JSON object that also has typed sides."""

    raw: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True, eq=False)
class Job(_Told):
    """One answer about a job, as JSON and typed."""

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """IN_QUEUE, IN_PROGRESS, COMPLETED, FAILED, CANCELLED or TIMED_OUT."""
        return str(self.raw["status"])

    @property
    def is_final(self) -> bool:
        return self.status in _FINAL

    @property
    def output(self) -> Any:
        """The worker's answer; while the job runs, its latest progress."""
        return self.raw.get("output")

    @property
    def speech(self) -> Speech:
        """
        Raises:
            NoAudio: this job's output is not speech.
        """
        return Speech(find(self.output))

    @property
    def results(self) -> tuple[TextResult, ...]:
        """What became of each of many texts, in their order; of a streaming endpoint, as far as it has come.

        Raises:
            NoAudio: this job did not ask for many texts.
        """
        output = self.output
        if isinstance(output, Mapping) and isinstance(output.get("results"), list):
            return tuple(TextResult(raw) for raw in output["results"])
        pieces = [piece for piece in output if "result" in piece] if isinstance(output, list) else []
        if not pieces:
            raise NoAudio("the output holds no results of many texts")
        return tuple(TextResult(piece["result"]) for piece in sorted(pieces, key=lambda piece: int(piece["index"])))


@dataclass(frozen=True, slots=True, eq=False)
class TextResult(_Told):
    """What became of one of many texts: `save_audio` takes it, and so does `audio`."""

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def error(self) -> TextError | None:
        """Why it was not spoken, or not delivered."""
        error = self.raw.get("error")
        return None if error is None else TextError(error["code"], error["message"], error["field"])

    @property
    def speech(self) -> Speech:
        """
        Raises:
            NoAudio: it has an error instead, or its audio was in the stream only.
        """
        return Speech(find(self.raw))


@dataclass(frozen=True, slots=True)
class TextError:
    code: str
    """One of the worker's error codes (docs/API.md)."""
    message: str
    field: str | None
    """The field of the text that is to blame, where one is."""


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """What is known about a recording that came back."""

    found: AudioLocation

    @property
    def audio(self) -> bytes | None:
        """The encoded file; None where it lies elsewhere: see `url` and `path`."""
        return self.found.audio

    @property
    def url(self) -> str | None:
        """Where to download it, for a while."""
        return self.found.url

    @property
    def path(self) -> str | None:
        """Where it lies on the endpoint's network volume."""
        return self.found.path

    @property
    def format(self) -> str:
        return str(self.found.about["format"])

    @property
    def mimetype(self) -> str:
        return str(self.found.about["mimetype"])

    @property
    def sample_rate(self) -> int:
        """Hertz."""
        return int(self.found.about["sample_rate"])

    @property
    def duration_s(self) -> float:
        return float(self.found.about["duration_s"])

    @property
    def seed(self) -> int:
        """Give it back to hear the same again."""
        return int(self.found.about["seed"])

    @property
    def model(self) -> str:
        return str(self.found.about["model"])

    @property
    def cache_hit(self) -> bool:
        return bool(self.found.about.get("cache_hit", False))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.found.about.get("warnings", ()))


@dataclass(frozen=True, slots=True, eq=False)
class StreamChunk(Mapping[str, Any]):
    """A piece of a stream, in order."""

    raw: Mapping[str, Any]
    index: int
    start_s: float
    """Where in the whole it begins, in seconds."""
    audio: bytes
    """Encoded: a file of its own, or for pcm and mp3 the next bytes of one."""

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """A voice of the endpoint's library."""

    id: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class SavedVoice:
    voice: str
    digest: str
    """SHA-256 of the recording's PCM: the same recording has the same digest under any name."""
    duration_s: float
