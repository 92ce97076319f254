"""Answers as values.

`Job` and `StreamChunk` are mappings too: `job["output"]["seed"]` reads the JSON as received, `job.speech.seed` the same
value, typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from chatterbox_worker.answer import SpokenCheck, SpokenWord
from chatterbox_worker.client.errors import ClientError, NoAudio
from chatterbox_worker.client.sound import AudioLocation, find

if TYPE_CHECKING:
    from pydub import AudioSegment

_Part = TypeVar("_Part")

_FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})


@dataclass(frozen=True, slots=True, eq=False)
class _JsonObject(Mapping[str, Any]):
    """A JSON object; subclasses add typed properties."""

    raw: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)


@dataclass(frozen=True, slots=True, eq=False)
class Job(_JsonObject):
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
        """The outcome of each of several texts, in their order; from a streaming endpoint, those so far.

        Raises:
            NoAudio: this is not a job of several texts.
        """
        output = self.output
        if isinstance(output, Mapping) and isinstance(output.get("results"), list):
            return tuple(TextResult(raw) for raw in output["results"])
        pieces = [piece for piece in output if "result" in piece] if isinstance(output, list) else []
        if not pieces:
            raise NoAudio("the output holds no results of several texts")
        return tuple(TextResult(piece["result"]) for piece in sorted(pieces, key=lambda piece: int(piece["index"])))


@dataclass(frozen=True, slots=True, eq=False)
class TextResult(_JsonObject):
    """The outcome of one of several texts; `save_audio` and `audio` take it."""

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def error(self) -> TextError | None:
        """Why there is no speech, or why it was not delivered."""
        error = self.raw.get("error")
        return None if error is None else TextError(error["code"], error["message"], error["field"])

    @property
    def speech(self) -> Speech:
        """
        Raises:
            NoAudio: it has an error instead, or its audio was only in the stream.
        """
        return Speech(find(self.raw))


@dataclass(frozen=True, slots=True)
class TextError:
    code: str
    """One of the worker's error codes (docs/API.md)."""
    message: str
    field: str | None
    """The field of the text that is to blame, if there is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A recording in an answer, and the facts about it."""

    found: AudioLocation

    @property
    def audio(self) -> bytes | None:
        """The encoded file; None if it is elsewhere: see `url` and `path`."""
        return self.found.audio

    @property
    def url(self) -> str | None:
        """Where to download it; the link expires."""
        return self.found.url

    @property
    def path(self) -> str | None:
        """Its path on the endpoint's network volume."""
        return self.found.path

    def segment(self) -> AudioSegment:
        """The sound as a `pydub.AudioSegment`, 16-bit mono, to cut and mix; needs the extra `pydub`, but no ffmpeg.

        Raises:
            NoAudio: the audio is elsewhere (`url`, `path`), or it cannot be decoded.
            ClientError: pydub is not installed.
        """
        from chatterbox_worker.client.segment import segment_of  # noqa: PLC0415 - numpy and codecs, for this only

        if self.audio is None:
            raise NoAudio(f"the audio is at {self.url or self.path}: download it with the client's save_audio first")
        return segment_of(self.audio, self.format, self.sample_rate)

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
        """Send it with the same request to get the same audio."""
        return int(self.found.about["seed"])

    @property
    def model(self) -> str:
        return str(self.found.about["model"])

    @property
    def cache_hit(self) -> bool:
        return bool(self.found.about.get("cache_hit", False))

    @property
    def words(self) -> tuple[SpokenWord, ...] | None:
        """When each word is spoken; None without `timestamps="word"`, or if there are too many for a stream's end.

        Raises:
            ClientError: they cannot be read.
        """
        words = self.found.about.get("words")
        return None if words is None else read_words(words)

    @property
    def checks(self) -> tuple[SpokenCheck, ...] | None:
        """How each chunk's take was judged, in their order; None with `check="off"`.

        Raises:
            ClientError: they cannot be read.
        """
        checks = self.found.about.get("checks")
        return None if checks is None else _read(SpokenCheck.from_json, checks, "checks")

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.found.about.get("warnings", ()))


@dataclass(frozen=True, slots=True, eq=False)
class StreamChunk(_JsonObject):
    """A piece of a stream."""

    index: int
    start_s: float
    """Where it begins in the whole, in seconds."""
    audio: bytes
    """Encoded: a file of its own, or for pcm and mp3 the next bytes of one file."""
    words: tuple[SpokenWord, ...] = ()
    """With `timestamps="word"`, those that are spoken by the end of this piece; their times are of the whole."""


def read_words(words: Sequence[Mapping[str, Any]]) -> tuple[SpokenWord, ...]:
    """The words of an answer or of a stream's piece, from JSON. Raises ClientError."""
    return _read(SpokenWord.from_json, words, "words")


def _read(
    from_json: Callable[[Mapping[str, Any]], _Part], parts: Sequence[Mapping[str, Any]], name: str
) -> tuple[_Part, ...]:
    try:
        return tuple(map(from_json, parts))
    except (KeyError, TypeError, ValueError) as error:
        raise ClientError(f"the endpoint's {name} cannot be read: {error!r}") from None


@dataclass(frozen=True, slots=True)
class VoiceEntry:
    """A voice of the endpoint's library."""

    id: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""
    name: str
    """What it is called; the id if it was given no other name."""
    model: str | None = None
    """The one that it is fine-tuned for; None for a voice of every model that speaks with recordings."""
    language: str | None = None
    """That its recording is in; None if it is not known."""


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    """A word that the endpoint reads otherwise than it is written."""

    word: str
    spoken: str
    language: str
    """A code such as es, or `*` for all."""


@dataclass(frozen=True, slots=True)
class OutputEntry:
    """A large answer on the endpoint's volume."""

    path: str
    """As in `audio_path`."""
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class SavedVoice:
    voice: str
    """Its id, for `voice=` in later requests."""
    digest: str
    """SHA-256 of what is stored: the same recording has the same digest under any name."""
    duration_s: float
    """Without the silence at its ends."""
    name: str
    """As it was given."""
    warnings: tuple[str, ...]
    """Which models cannot use it, and what in the recording will make the voice worse."""
    language: str | None = None
    """That its recording is in; None if it is not known."""
