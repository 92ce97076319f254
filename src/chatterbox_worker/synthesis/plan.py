"""A request that can be spoken, and how a text becomes one: everything is checked before the first byte.

No transport, no model.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chatterbox_worker import asr
from chatterbox_worker.answer import SpokenBy
from chatterbox_worker.audio.encode import default_kbps
from chatterbox_worker.audio.leveling import Sound
from chatterbox_worker.cache import key_of
from chatterbox_worker.catalogue import REGIONS
from chatterbox_worker.engine import DEFAULT_VOICE, Engine, left_out_of
from chatterbox_worker.errors import Cancelled, InvalidRequest, VoiceNotFound, WorkerError, quote
from chatterbox_worker.request import AudioRequest, SpeechRequest, at_place
from chatterbox_worker.synthesis.chunk_takes import chunk_seeds
from chatterbox_worker.synthesis.guidance import UNGUIDED, describe_unguided, is_unguided
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS, PAUSES_S, Chunk, Pause
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.text.reading import Reading
from chatterbox_worker.voices.context import PastSpeech, past_speech
from chatterbox_worker.voices.source import VoiceSource, name_voice


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A request that can be spoken: everything decided, nothing started."""

    request: SpeechRequest
    engine: Engine
    source: VoiceSource
    reading: Reading
    chunks: tuple[Chunk, ...]
    key: str
    seed: int
    seeds: tuple[int, ...]
    """Of each chunk."""
    check: Mapping[str, Any]
    """What decides which takes are used, for the cache; empty if they are not checked."""
    context: tuple[PastSpeech, ...] = ()
    pauses_s: Mapping[Pause, float] = field(default_factory=lambda: PAUSES_S)
    """The silence after a chunk by where it ends, in seconds at speed 1."""
    voices: Mapping[str, VoiceSource] = field(default_factory=dict)
    """Those that the text itself asks for, by their ids."""
    turns: Mapping[int, Plan] = field(default_factory=dict)
    """Of a dialogue, the plan of each turn that is spoken, by its index; `chunks` are those of all."""
    waits_for_turns: bool = False
    """Whether a turn is generated after those before it, which are its context."""

    def turn_of(self, chunk: Chunk) -> Plan:
        """The plan of its turn; this one without turns."""
        return self.turns.get(chunk.turn, self)

    def source_of(self, chunk: Chunk) -> VoiceSource:
        turn = self.turn_of(chunk)
        return turn.source if chunk.voice is None else turn.voices[chunk.voice]

    def speed_of(self, chunk: Chunk) -> float:
        return self.turn_of(chunk).request.speed * chunk.rate

    def sampling_of(self, chunk: Chunk) -> Mapping[str, float]:
        """The request's, without guidance for a chunk in another language than its voice (`guidance`)."""
        request = self.turn_of(chunk).request
        unguided = is_unguided(request, self.source_of(chunk), chunk.language)
        return {**request.sampling, **UNGUIDED} if unguided else request.sampling

    @property
    def voice(self) -> str:
        """As an answer names it: the id; of a dialogue those of all turns, in the order in which they begin."""
        return ", ".join(dict.fromkeys(turn.source.id for turn in (self.turns or {0: self}).values()))

    def speaker_of(self, chunk: Chunk) -> SpokenBy | None:
        """Who speaks it; None if there is one voice for the whole text."""
        if not self.turns:
            return SpokenBy(self.source_of(chunk).id) if self.voices else None
        return SpokenBy(self.source_of(chunk).id, chunk.turn, self.request.turns[chunk.turn].name)

    @property
    def turn_seeds(self) -> tuple[int | None, ...] | None:
        """Of each turn, None for one that is only a pause; None without turns."""
        if not self.turns:
            return None
        return tuple(self.turns[i].seed if i in self.turns else None for i in range(len(self.request.turns)))

    @property
    def warnings(self) -> list[str]:
        """What the caller should know about how the text is read."""
        if self.turns:
            places = [turn.place for turn in self.request.turns]
            return [f"{places[i]}: {each}" for i, turn in self.turns.items() for each in turn.warnings]
        spoken = ((self.source_of(chunk), chunk.language) for chunk in self.chunks)
        unguided = ((source, language) for source, language in spoken if is_unguided(self.request, source, language))
        return [*self.reading.warnings, *describe_unguided(unguided)]

    @contextmanager
    def named(self, chunk: Chunk) -> Iterator[None]:
        """Errors name the request's own field for the voice of this chunk, and in a dialogue the turn."""
        try:
            with name_voice(self.source_of(chunk).field):
                yield
        except WorkerError as error:
            if not self.turns or isinstance(error, Cancelled):
                raise
            raise at_place(self.request.turns[chunk.turn].place, error) from error


Find = Callable[[SpeechRequest], VoiceSource]
"""Whose voice a request asks for. Raises InvalidRequest, VoiceNotFound."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans."""

    engines: Mapping[str, Engine]
    lexicon: Lexicon | None
    find: Find
    asr_model: str
    """That transcribes takes whose words are checked."""

    def plan(self, request: SpeechRequest) -> Plan:
        """One text, without turns.

        Raises:
            InvalidRequest, VoiceNotFound: it cannot be spoken; names the field.
        """
        if request.check == "words":
            asr.require('check "words"', field="check")
        card = request.card
        if request.voice != "default" and not card.clones_voices:
            field = "voice" if request.voice else "reference_audio" if request.reference_audio else "voice_url"
            raise InvalidRequest(f"{field} must be left out: {card.name} speaks with its own voice only", field=field)
        source = self.find(request)
        request = _for_voice_model(request, source)
        engine = self.engines[REGIONS.get(request.language, request.model)]
        prepared = prepare(request, self.lexicon, left_out_of(engine))
        request = replace(request, language=prepared.language)
        _require_transcript(request, source)
        names = sorted({chunk.voice for chunk in prepared.chunks if chunk.voice is not None})
        voices = {name: _voice_in_text(request, name, self.find) for name in names}
        spoken = [(voices.get(chunk.voice or "", source), chunk.language) for chunk in prepared.chunks]
        require_chunks(request, len(prepared.chunks))
        context, check = past_speech(request.context), self._check(request)
        identity = {"weights": engine.revision, **prepared.identity, **check}
        seed = secrets.randbits(32) if request.seed is None else request.seed
        return Plan(
            request=request,
            engine=engine,
            source=source,
            chunks=prepared.chunks,
            key=key_of(identity | _identity(request, source, voices, context) | _unguided(request, spoken)),
            seed=seed,
            seeds=chunk_seeds(seed, prepared.chunks, request.respeak),
            check=check,
            context=context,
            reading=prepared.reading,
            pauses_s=prepared.pauses_s,
            voices=voices,
        )

    def _check(self, request: SpeechRequest) -> dict[str, Any]:
        if request.check == "off":
            return {}
        words = {"max_word_error": request.max_word_error, "asr": self.asr_model}
        about = {"check": request.check, "attempts": request.attempts}
        return about | words if request.check == "words" else about


def _identity(
    request: SpeechRequest, source: VoiceSource, voices: Mapping[str, VoiceSource], context: Sequence[PastSpeech]
) -> dict[str, Any]:
    """What the request itself adds to the cache's key; a field that has no effect adds nothing."""
    needs_words = request.card.needs_transcript
    return {
        "model": request.model, "voice": source.digest, "language": request.language,
        "sampling": dict(request.sampling), "seed": request.seed, "speed": request.speed, **encoding_of(request),
        "chunk": (request.chunk_size or DEFAULT_CHUNK_CHARS) if request.split_text else None,
        **(asdict(sound) if (sound := sound_of(request)) != Sound() else {}),
        **({} if request.max_chunk_s is None else {"max_chunk_s": request.max_chunk_s}),
        **({"timestamps": "word"} if request.timestamps == "word" else {}),
        **({"on_fail": "error"} if request.on_fail == "error" else {}),
        **({"respeak": sorted(request.respeak)} if request.respeak else {}),
        **({"transcript": source.transcript} if needs_words else {}),
        **({"voices": [[name, each.digest, each.transcript if needs_words else None]
                       for name, each in voices.items()]} if voices else {}),
        **({"speaker": request.speaker, "context": [past.identity for past in context]}
           if request.card.uses_context else {}),
    }  # fmt: skip


def _unguided(request: SpeechRequest, spoken: Sequence[tuple[VoiceSource, str]]) -> dict[str, Any]:
    """What guidance that depends on the voices' languages adds to the cache's key: also what the warnings name."""
    found = [
        [index, source.id, source.language]
        for index, (source, language) in enumerate(spoken)
        if is_unguided(request, source, language)
    ]
    return {"unguided": found} if found else {}


def encoding_of(request: AudioRequest) -> dict[str, Any]:
    """What decides how the sound is encoded, for the cache."""
    about = {"format": request.format, "sample_rate": request.sample_rate}
    kbps = request.bitrate_kbps or default_kbps(request.sample_rate)
    return about | {"bitrate_kbps": kbps} if request.format == "mp3" else about


def sound_of(request: SpeechRequest) -> Sound:
    return Sound(request.loudness_lufs, request.gain_db, request.trim)


def require_chunks(request: SpeechRequest, count: int) -> None:
    """Raises InvalidRequest if `respeak` names a chunk that the text does not have."""
    if request.respeak and (last := max(request.respeak)) >= count:
        raise InvalidRequest(f"respeak names chunk {last}, but the text has chunks 0 to {count - 1}", field="respeak")


def _require_transcript(request: SpeechRequest, source: VoiceSource) -> None:
    """Raises InvalidRequest if the model needs the words of the recording and they are not known."""
    card = request.card
    if card.needs_transcript and source.id != DEFAULT_VOICE.id and source.transcript is None:
        raise InvalidRequest(
            f"{card.name} needs the transcript of the recording: add reference_transcript"
            + ("" if request.voice is None else f', or save them with voice "{request.voice}"'),
            field="reference_transcript",
        )


def _voice_in_text(request: SpeechRequest, name: str, find: Find) -> VoiceSource:
    """The voice of the library that the text itself asks for. Raises InvalidRequest, VoiceNotFound."""
    card = request.card
    if name != DEFAULT_VOICE.id and not card.clones_voices:
        raise InvalidRequest(f"{card.name} speaks with its own voice only; leave voice {quote(name)} out", field="text")
    own = replace(request, voice=name, reference_audio=None, voice_url=None, reference_transcript=None)
    try:
        source = find(own)
        _require_transcript(own, source)
    except (InvalidRequest, VoiceNotFound) as error:
        raise type(error)(error.message, field="text") from None
    if source.model not in (None, request.model):
        raise InvalidRequest(
            f"voice {quote(name)} is fine-tuned for {source.model}, not for {request.model}", field="text"
        )
    return replace(source, field="text")


def _for_voice_model(request: SpeechRequest, source: VoiceSource) -> SpeechRequest:
    """The request, for the model that its voice is fine-tuned for if it named none."""
    if source.model is None:
        return request
    try:
        changed = request.with_model(source.model)
    except InvalidRequest as error:
        why = f"{_describe(source)} is fine-tuned for {source.model}, but {error.message}"
        raise InvalidRequest(why, field=error.field) from None
    if changed.model != source.model:
        raise InvalidRequest(
            f"{_describe(source)} is fine-tuned for {source.model}: ask for model {source.model}, not {request.model}",
            field="model",
        )
    return changed


def _describe(source: VoiceSource) -> str:
    return f"voice {quote(source.id)}" if source.field == "voice" else source.field
