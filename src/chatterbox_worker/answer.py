"""What is reported about a recording: one value for a queue's answer, an HTTP header and a cache entry.

`SpeechInfo.as_json` is the JSON of every answer (docs/API.md) and of the cache's files; `from_json` reads it back.
`Recording` is a finished answer: the encoded audio, its `SpeechInfo` and how it was produced.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

_S_DIGITS = 5  # decimals of the timings: 10 microseconds


@dataclass(frozen=True, slots=True)
class SpokenBy:
    """Who speaks a part of a text that has several voices."""

    voice: str
    """The id of the voice."""
    turn: int | None = None
    """The index of the turn in a dialogue."""
    speaker: str | None = None
    """The name that the request gives; left out of the JSON if it gives none."""

    @classmethod
    def from_json(cls, part: Mapping[str, Any]) -> SpokenBy | None:
        """The speaker of a chunk or a word. Raises TypeError, ValueError."""
        if "voice" not in part:
            return None
        turn, name = part.get("turn"), part.get("speaker")
        return cls(str(part["voice"]), None if turn is None else int(turn), None if name is None else str(name))


@dataclass(frozen=True, slots=True)
class _Spoken:
    text: str
    start: int
    """Index of its first character in the cleaned text."""
    end: int
    """Index after its last character."""
    start_s: float
    """Where it starts in the audio, in seconds."""
    end_s: float

    def as_json(self) -> dict[str, Any]:
        """With the fields of its speaker among its own."""
        fields = asdict(self)
        by = fields.pop("by")
        return fields | {name: value for name, value in (by or {}).items() if value is not None}


def _place_of(part: Mapping[str, Any]) -> tuple[str, int, int, float, float]:
    """The text of a chunk or a word and its place. Raises KeyError, TypeError, ValueError."""
    return str(part["text"]), int(part["start"]), int(part["end"]), float(part["start_s"]), float(part["end_s"])


@dataclass(frozen=True, slots=True)
class SpokenChunk(_Spoken):
    """One chunk of the text and its place in the audio."""

    spoken: str = ""
    """What the model was given for it; empty in an answer of an older worker."""
    language: str = ""
    """In which it was read; empty in an answer of an older worker."""
    kept: bool = False
    """Whether its sound was there already, rather than spoken for this answer."""
    by: SpokenBy | None = None
    """None if there is one voice for the whole text."""

    @classmethod
    def from_json(cls, chunk: Mapping[str, Any]) -> SpokenChunk:
        """Raises KeyError, TypeError, ValueError."""
        about = str(chunk.get("spoken", "")), str(chunk.get("language", "")), bool(chunk.get("kept", False))
        return cls(*_place_of(chunk), *about, SpokenBy.from_json(chunk))


@dataclass(frozen=True, slots=True)
class SpokenWord(_Spoken):
    """One word and its place in the audio; where words cannot be told apart, a phrase or a whole chunk."""

    by: SpokenBy | None = None
    """As `SpokenChunk.by`."""

    def later(self, seconds: float) -> SpokenWord:
        """In audio that has so much in front of it."""
        return replace(self, start_s=round(self.start_s + seconds, 4), end_s=round(self.end_s + seconds, 4))

    @classmethod
    def from_json(cls, word: Mapping[str, Any]) -> SpokenWord:
        """
        Raises:
            KeyError, TypeError, ValueError: a field is missing or not of its type.
        """
        return cls(*_place_of(word), SpokenBy.from_json(word))


class UnsentWords:
    """Which words a stream has not sent yet."""

    def __init__(self) -> None:
        self._sent = 0

    def take(
        self, known: Sequence[SpokenWord], until_s: float = math.inf, most_bytes: float = math.inf
    ) -> list[SpokenWord]:
        """The next words that begin before `until_s`, in seconds of the audio; each is returned once, in order.

        `known`: all words so far, those that were sent as well. `most_bytes`: of all that are returned, as JSON.
        """
        taken = []
        while self._sent < len(known) and (word := known[self._sent]).start_s < until_s:
            most_bytes -= len(json.dumps(word.as_json(), ensure_ascii=False).encode()) + 2  # and a comma
            if most_bytes < 0:
                break
            taken.append(word)
            self._sent += 1
        return taken


@dataclass(frozen=True, slots=True)
class SpokenCheck:
    """How the take of one chunk was judged."""

    attempts: int
    """How often the chunk was spoken."""
    reasons: tuple[str, ...]
    """Why the take that is used did not pass, names of `checks.verdict.Reason`; empty if it did."""
    score: float
    """0 to 1, of that take."""
    heard: str | None = None
    """What was transcribed; None if words were not checked."""

    def as_json(self) -> dict[str, Any]:
        about: dict[str, Any] = {"attempts": self.attempts, "reasons": list(self.reasons), "score": self.score}
        return about if self.heard is None else about | {"heard": self.heard}

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> SpokenCheck:
        """Raises KeyError, TypeError, ValueError."""
        heard = about.get("heard")
        reasons = tuple(map(str, about["reasons"]))
        return cls(int(about["attempts"]), reasons, float(about["score"]), None if heard is None else str(heard))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechInfo:
    """Everything about a recording that is the same for every caller who gets it."""

    mimetype: str
    format: str
    sample_rate: int
    """Hertz."""
    duration_s: float
    seed: int
    model: str
    language: str
    voice: str
    device: str
    chunks: tuple[SpokenChunk, ...]
    warnings: tuple[str, ...] = ()
    words: tuple[SpokenWord, ...] | None = None
    """None if they were not asked for; left out of the JSON then."""
    checks: tuple[SpokenCheck, ...] | None = None
    """Of each chunk; None if they were not checked, and left out of the JSON then."""
    decoder: str | None = None
    """The model whose decoder rendered it; None for the model's own, and left out of the JSON then."""
    seeds: tuple[int | None, ...] | None = None
    """Of each turn of a dialogue; None for one that is only a pause. Left out of the JSON of any other speech."""

    def as_json(self) -> dict[str, Any]:
        about = {name: getattr(self, name) for name in _KINDS}
        about |= {"chunks": [chunk.as_json() for chunk in self.chunks], "warnings": list(self.warnings)}
        if self.decoder is not None:
            about["decoder"] = self.decoder
        if self.words is not None:
            about["words"] = [word.as_json() for word in self.words]
        if self.checks is not None:
            about["checks"] = [check.as_json() for check in self.checks]
        return about if self.seeds is None else about | {"turns": len(self.seeds), "seeds": list(self.seeds)}

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> SpeechInfo:
        """The fields of an answer or of a cache file; others in it are left alone.

        Raises:
            ValueError: a field is missing or not of its type.
        """
        try:
            values = {name: kind(answer[name]) for name, kind in _KINDS.items()}
            chunks = tuple(map(SpokenChunk.from_json, answer["chunks"]))
            seeds = (
                tuple(None if seed is None else int(seed) for seed in answer["seeds"]) if "seeds" in answer else None
            )
            words = tuple(map(SpokenWord.from_json, answer["words"])) if "words" in answer else None
            checks = tuple(map(SpokenCheck.from_json, answer["checks"])) if "checks" in answer else None
            warnings = tuple(map(str, answer["warnings"]))
            decoder = str(answer["decoder"]) if "decoder" in answer else None
            return cls(
                **values, chunks=chunks, warnings=warnings, words=words, checks=checks, decoder=decoder, seeds=seeds
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an answer about speech: {error!r}") from error


_SIMPLE = {"str": str, "int": int, "float": float}
_KINDS: Mapping[str, type] = {
    field.name: _SIMPLE[str(field.type)] for field in fields(SpeechInfo) if field.type in _SIMPLE
}


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A finished answer."""

    audio: bytes
    """The encoded file."""
    info: SpeechInfo
    key: str
    """Its cache key."""
    hit: bool
    """Whether it came from the cache."""
    timings: Mapping[str, float]
    """Seconds, of this request; `real_time_factor` is seconds of work per second of audio."""

    @classmethod
    def from_inline(cls, answer: Mapping[str, Any]) -> Recording:
        """The recording of an answer of `inline`."""
        encoded = answer.get("audio_base64") or answer["audio_url"].partition(",")[2]
        info, timings = SpeechInfo.from_json(answer), answer["timings"]
        return cls(base64.b64decode(encoded), info, answer["cache_key"], hit=answer["cache_hit"], timings=timings)

    def report(self) -> dict[str, Any]:
        """Everything in an answer but the audio."""
        return {
            **self.info.as_json(),
            "size_bytes": len(self.audio),
            "cache_hit": self.hit,
            "cache_key": self.key,
            "chunks_processed": len(self.info.chunks),
            "generation_time_ms": round(self.timings["total_s"] * 1000, 1),
            "timings": {name: round(seconds, _S_DIGITS) for name, seconds in self.timings.items()},
        }

    def inline(self, *, as_url: bool = False) -> dict[str, Any]:
        """The whole answer, with the audio as base64, or as a data URI for RunPod's public schema."""
        encoded = base64.b64encode(self.audio).decode("ascii")
        if as_url:
            return {"audio_url": f"data:{self.info.mimetype};base64,{encoded}"} | self.report()
        return {"audio_base64": encoded} | self.report()
