"""A request becomes a plan, the plan takes, the takes one stream of audio or one encoded recording.

`plan` checks everything that can be checked before the first byte. `stream` submits every chunk at once and yields
them joined, in order; `speak` is its plain consumer with the cache around it. No transport, no model.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, overload

from chatterbox_worker import asr
from chatterbox_worker.answer import Recording, SpeechInfo, SpokenChunk
from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import Audio, concatenate
from chatterbox_worker.audio.encode import default_kbps, encode
from chatterbox_worker.audio.leveling import Sound
from chatterbox_worker.audio_stream import AudioStream, Plan, sound_of
from chatterbox_worker.cache import AudioCache, CacheEntry, key_of
from chatterbox_worker.cancel import CancelScope, Progress
from chatterbox_worker.catalogue import FORMATS, REGIONS
from chatterbox_worker.checked_takes import CheckedTakes, engine_take
from chatterbox_worker.checks.judge import Judge, transcribe_by
from chatterbox_worker.checks.verdict import Verdict
from chatterbox_worker.chunk_takes import ChunkCache, StoredTake, attempt_seed, chunk_seeds
from chatterbox_worker.conversion import ConversionPlan, ConvertedSpeech, encode_conversion, plan_conversion
from chatterbox_worker.dialogue import Conversation, plan_dialogue, seeds_of
from chatterbox_worker.engine import DEFAULT_VOICE, Engine, Take, Utterance, Voice, decoder_of
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, quote
from chatterbox_worker.request import AudioRequest, ConversionRequest, SpeechRequest
from chatterbox_worker.text.chunk import DEFAULT_CHUNK_CHARS, Chunk
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.prepare import prepare
from chatterbox_worker.voices.context import past_speech
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.source import VoiceSource, load_voice, voice_source

__all__ = [
    "PIPELINE_VERSION",
    "CancelScope",
    "Progress",
    "Synthesizer",
    "describe",
    "from_cache",
]

PIPELINE_VERSION = 5
"""Raise it whenever the same request would sound different than before: it is part of every cache key."""


class Synthesizer:
    def __init__(
        self,
        engines: Mapping[str, Engine],
        library: VoiceLibrary,
        cache: AudioCache,
        *,
        allow_private_urls: bool = False,
        lexicon: Lexicon | None = None,
        recognizer: SpeechRecognizer | None = None,
    ) -> None:
        """`recognizer`: transcribes takes whose words are checked; by default Whisper base, once it is needed."""
        self.engines = engines
        """By model name, or by pack name for a single-language pack."""
        self.library = library
        self.cache = cache
        self.chunks = ChunkCache(cache)
        self._allow_private_urls = allow_private_urls
        self._lexicon = lexicon
        self._recognizer = recognizer or SpeechRecognizer()

    def source(self, request: AudioRequest) -> VoiceSource:
        """Whose voice the request asks for. Raises InvalidRequest, VoiceNotFound."""
        return voice_source(request, self.library, allow_private_urls=self._allow_private_urls)

    @overload
    def plan(self, request: SpeechRequest, source_of: Callable[[SpeechRequest], VoiceSource] | None = None) -> Plan: ...
    @overload
    def plan(self, request: ConversionRequest) -> ConversionPlan: ...
    def plan(
        self, request: AudioRequest, source_of: Callable[[SpeechRequest], VoiceSource] | None = None
    ) -> Plan | ConversionPlan:
        """`source_of` replaces `source` for a caller that makes many plans with one voice.

        Raises:
            InvalidRequest, VoiceNotFound: it cannot be spoken or converted; names the field.
        """
        if isinstance(request, SpeechRequest):
            find = source_of or self.source
            if request.turns:
                voice = self.library.id_named
                plan = plan_dialogue(request, self._plan_speech, find, voice, pipeline=PIPELINE_VERSION)
                _require_chunks(request, len(plan.chunks))
                return plan
            return self._plan_speech(request, find)
        return plan_conversion(
            request,
            self.engines[request.model],
            self.source(request),
            pipeline=PIPELINE_VERSION,
            allow_private_urls=self._allow_private_urls,
        )

    def _plan_speech(self, request: SpeechRequest, find: Callable[[SpeechRequest], VoiceSource]) -> Plan:
        if request.check == "words":
            asr.require('check "words"', field="check")
        card = request.card
        if request.voice != "default" and not card.clones_voices:
            field = "voice" if request.voice else "reference_audio" if request.reference_audio else "voice_url"
            raise InvalidRequest(f"{field} must be left out: {card.name} speaks with its own voice only", field=field)
        source = find(request)
        request = _for_voice_model(request, source)
        engine = self.engines[REGIONS.get(request.language, request.model)]
        prepared = prepare(request, self._lexicon)
        request = replace(request, language=prepared.language)
        _require_transcript(request, source)
        names = sorted({chunk.voice for chunk in prepared.chunks if chunk.voice is not None})
        voices = {name: _voice_in_text(request, name, find) for name in names}
        _require_chunks(request, len(prepared.chunks))
        context = past_speech(request.context)
        key = key_of({
            "pipeline": PIPELINE_VERSION, "model": request.model, "weights": engine.revision, **prepared.identity,
            "voice": source.digest, "language": request.language, "sampling": dict(request.sampling),
            "seed": request.seed, "speed": request.speed, "format": request.format,
            "sample_rate": request.sample_rate,
            "chunk": (request.chunk_size or DEFAULT_CHUNK_CHARS) if request.split_text else None,
            **({"bitrate_kbps": request.bitrate_kbps or default_kbps(request.sample_rate)}
               if request.format == "mp3" else {}),
            **(asdict(sound_of(request)) if sound_of(request) != Sound() else {}),
            **({} if request.max_chunk_s is None else {"max_chunk_s": request.max_chunk_s}),
            **({"timestamps": "word"} if request.timestamps == "word" else {}),
            **self._check_in_key(request),
            **({"on_fail": "error"} if request.on_fail == "error" else {}),
            **({"respeak": sorted(request.respeak)} if request.respeak else {}),
            **({"transcript": source.transcript} if card.needs_transcript else {}),
            **({"voices": [[name, each.digest, each.transcript if card.needs_transcript else None]
                           for name, each in voices.items()]} if voices else {}),
            **(
                {"speaker": request.speaker, "context": [past.identity for past in context]}
                if card.uses_context else {}
            ),
        })  # fmt: skip
        seed = secrets.randbits(32) if request.seed is None else request.seed
        return Plan(
            request=request,
            engine=engine,
            source=source,
            chunks=prepared.chunks,
            key=key,
            seed=seed,
            seeds=chunk_seeds(seed, prepared.chunks, request.respeak),
            context=context,
            reading=prepared.reading,
            pauses_s=prepared.pauses_s,
            voices=voices,
        )

    @overload
    def stream(self, plan: Plan, scope: CancelScope, *, streaming: bool = False) -> AudioStream: ...
    @overload
    def stream(self, plan: ConversionPlan, scope: CancelScope, *, streaming: bool = False) -> ConvertedSpeech: ...
    def stream(
        self, plan: Plan | ConversionPlan, scope: CancelScope, *, streaming: bool = False
    ) -> AudioStream | ConvertedSpeech:
        """Submit every chunk and return at once; iterate the result for the audio.

        `streaming`: the first chunk is returned while it is still being generated, unless it must be known whole (for
        another speed, a loudness or a gain, or to shorten its silences). Its samples differ from those of `speak`, so
        they must not go into its cache. Later chunks are generated whole either way and returned at their end, when
        their level is known. Chunks far ahead of the reader are submitted as it goes on.

        Raises:
            InvalidRequest: the voice's recording cannot be used by this model; or that which is to be converted.
        """
        scope.check()
        if isinstance(plan, ConversionPlan):
            return ConvertedSpeech(plan, scope)
        voices = _load_voices(plan)
        conversation = Conversation(plan)
        context = tuple(past.load() for past in plan.context)
        started_s = time.perf_counter()
        is_whole = sound_of(plan.request).needs_whole_chunks or plan.speed_of(plan.chunks[0]) != 1.0
        judge = self._judge(plan, streaming=streaming)
        checked = CheckedTakes(plan.request.attempts)
        own: dict[int, list[int]] = {}  # the places of each turn's chunks
        for place, each in enumerate(plan.chunks):
            own.setdefault(each.turn, []).append(place)
        first_streams = streaming and not is_whole and judge is None
        leads: dict[int, Take] = {}

        def submit(index: int) -> Take:
            chunk = plan.chunks[index]
            turn, voice = plan.turn_of(chunk), voices[chunk.turn, chunk.voice]
            utterance = _utterance(plan, index, voice, streaming=first_streams and index == 0)
            # a text of one chunk is stored as a whole; a model with context needs more of a take than its sound
            is_storable = not utterance.streaming and len(plan.chunks) > 1 and not turn.request.card.uses_context
            key = self._chunk_key(turn, utterance, is_checked=judge is not None) if is_storable else None
            if key is not None and (stored := self._stored(plan, turn, key)) is not None:
                return stored
            first_of_turn, *others = own[chunk.turn]
            has_lead = first_of_turn < index and chunk.voice == plan.chunks[first_of_turn].voice
            lead = leads.get(first_of_turn) if has_lead else None
            utterance = replace(utterance, context=context or conversation.context_of(chunk.turn), lead=lead)

            def speak(attempt: int, first: Take | None) -> Take:
                again = replace(utterance, seed=attempt_seed(utterance.seed, attempt))
                if index == first_of_turn and others:  # other chunks have the voice of the first attempt
                    again = replace(again, lead=first)
                with plan.named(chunk):
                    return scope.hold(turn.engine.submit(again))

            if judge is None:
                take = speak(0, None)
            else:
                utterance = replace(utterance, timestamps=True)  # to find text that was left out
                take = checked.submit(speak, partial(_assess, judge, chunk))
            if index == first_of_turn:
                leads[index] = engine_take(take)
            return self.chunks.recorded(take, key) if is_storable else take

        return AudioStream(plan, submit, scope, started_s, bounded=streaming, on_spoken=conversation.add)

    def _judge(self, plan: Plan, *, streaming: bool) -> Judge | None:
        """What judges the takes; None if they are not checked. Raises NotReady."""
        request = plan.request
        if request.check == "off" or (streaming and request.check_as_given is None):
            return None
        if request.check == "sound":
            return Judge()
        self._recognizer.load()
        return Judge(transcribe_by(self._recognizer), request.max_word_error)

    def _check_in_key(self, request: SpeechRequest) -> dict[str, Any]:
        """What decides which takes are used."""
        if request.check == "off":
            return {}
        words = {"max_word_error": request.max_word_error, "asr": self._recognizer.name}
        about = {"check": request.check, "attempts": request.attempts}
        return about | words if request.check == "words" else about

    def _chunk_key(self, turn: Plan, utterance: Utterance, *, is_checked: bool) -> str | None:
        """Of everything that the chunk's take depends on; None if the request does not want the cache."""
        request, card = turn.request, turn.request.card
        if not request.cache:
            return None
        return key_of({
            "pipeline": PIPELINE_VERSION, "chunk": utterance.text, "language": utterance.language,
            "model": request.model, "weights": turn.engine.revision, "voice": utterance.voice.digest,
            "sampling": dict(utterance.sampling), "seed": utterance.seed, "max_chunk_s": utterance.max_s,
            "transcript": utterance.voice.transcript if card.needs_transcript else None,
            **(self._check_in_key(request) if is_checked else {}),
        })  # fmt: skip

    def _stored(self, plan: Plan, turn: Plan, key: str) -> StoredTake | None:
        """The chunk's take, if it may be there: a seed that was chosen just now was never used before."""
        if plan.request.seed is None and turn.request.seed is None:
            return None
        return self.chunks.get(key, timed=plan.request.timestamps == "word")

    def speak(self, request: AudioRequest, scope: CancelScope) -> Recording:
        """The whole of a request as one encoded recording, from the cache where the request allows.

        Raises:
            WorkerError: there is no recording; a chunk that fails fails the whole.
        """
        started_s = time.perf_counter()
        plan = self.plan(request)
        if not request.cache:
            return self._make(plan, scope, started_s)
        with self.cache.single_flight(plan.key) as maker:
            if isinstance(maker, CacheEntry):
                return from_cache(plan, maker, started_s)
            if (entry := self.cache.get(plan.key, request.format)) is not None:
                maker(entry)
                return from_cache(plan, entry, started_s)
            recording = self._make(plan, scope, started_s)
            entry = CacheEntry(recording.audio, recording.info)
            maker(entry)
            self.cache.put(
                plan.key, request.format, entry
            )  # inside, so that the next caller finds it running or stored
        return recording

    @property
    def can_offload(self) -> bool:
        """Whether every engine can keep its weights in the machine's memory."""
        return all(getattr(engine, "offload", None) is not None for engine in self.engines.values())

    def offload(self) -> Callable[[], None]:
        """Close the engines and free their device, while no take runs; returns what builds them again.

        Their weights stay in the machine's memory. If building them fails, the synthesizer is closed.
        """
        loaders = {name: getattr(engine, "offload")() for name, engine in self.engines.items()}  # noqa: B009 - not of every engine
        for engine in self.engines.values():
            engine.close()
        self.engines = {}

        def wake() -> None:
            engines: dict[str, Engine] = {}
            self.engines = engines
            try:
                for name, load in loaders.items():
                    engines[name] = load()
            except Exception:
                self.close()
                raise

        return wake

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()
        self.chunks.close()

    def _make(self, plan: Plan | ConversionPlan, scope: CancelScope, started_s: float) -> Recording:
        return self.finish(plan, self.stream(plan, scope), started_s)

    def finish(self, plan: Plan | ConversionPlan, speech: AudioStream | ConvertedSpeech, started_s: float) -> Recording:
        """The recording of a speech that is read to its end here. Raises SynthesisFailed, Cancelled."""
        encode_s = 0.0
        if isinstance(speech, ConvertedSpeech):
            data, duration_s = encode_conversion(speech)
        else:
            audio = concatenate(list(speech))
            encoding_s, duration_s = time.perf_counter(), audio.duration_s
            request = plan.request
            data = encode(audio, request.format, request.sample_rate, request.bitrate_kbps)
            encode_s = time.perf_counter() - encoding_s
        total_s = time.perf_counter() - started_s
        timings = {
            **speech.timings(),
            "encode_s": encode_s,
            "total_s": total_s,
            "real_time_factor": total_s / duration_s,
        }
        return Recording(data, describe(plan, speech, duration_s), plan.key, hit=False, timings=timings)


def _require_transcript(request: SpeechRequest, source: VoiceSource) -> None:
    """Raises InvalidRequest if the model needs the words of the recording and they are not known."""
    card = request.card
    if card.needs_transcript and source.id != DEFAULT_VOICE.id and source.transcript is None:
        raise InvalidRequest(
            f"{card.name} needs the transcript of the recording: add reference_transcript"
            + ("" if request.voice is None else f', or save them with voice "{request.voice}"'),
            field="reference_transcript",
        )


def _voice_in_text(request: SpeechRequest, name: str, find: Callable[[SpeechRequest], VoiceSource]) -> VoiceSource:
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


def _load_voices(plan: Plan) -> dict[tuple[int, str | None], Voice]:
    """By turn and by the voice that the text names; one that several turns have is loaded once."""
    loaded: dict[tuple[int, str], Voice] = {}

    def load(chunk: Chunk) -> Voice:
        source, card = plan.source_of(chunk), plan.turn_of(chunk).request.card
        key = id(source), card.name
        if key not in loaded:
            with plan.named(chunk):
                loaded[key] = load_voice(source, card)
        return loaded[key]

    return {(chunk.turn, chunk.voice): load(chunk) for chunk in plan.chunks}


def _utterance(plan: Plan, index: int, voice: Voice, *, streaming: bool) -> Utterance:
    turn = plan.turn_of(plan.chunks[index])
    request = turn.request
    return Utterance(
        text=plan.chunks[index].spoken,
        language=plan.chunks[index].language,
        voice=voice,
        sampling=request.sampling,
        seed=plan.seeds[index],
        streaming=streaming,
        turn=index,
        timestamps=request.timestamps == "word",
        max_s=request.max_chunk_s,
        speaker=request.speaker,
    )


def _assess(judge: Judge, chunk: Chunk, audio: Audio, take: Take) -> Verdict:
    return judge.judge(
        audio, chunk.spoken, chunk.language, written=chunk.text, facts=take.facts, boundaries_s=take.boundaries_s
    )


def _require_chunks(request: SpeechRequest, count: int) -> None:
    """Raises InvalidRequest if `respeak` names a chunk that the text does not have."""
    if request.respeak and (last := max(request.respeak)) >= count:
        raise InvalidRequest(f"respeak names chunk {last}, but the text has chunks 0 to {count - 1}", field="respeak")


def from_cache(plan: Plan | ConversionPlan, entry: CacheEntry, started_s: float) -> Recording:
    """The plan's recording, out of a cache entry."""
    total_s = time.perf_counter() - started_s
    timings = {"total_s": total_s, "real_time_factor": total_s / entry.info.duration_s}
    chunks = tuple(replace(chunk, kept=True) for chunk in entry.info.chunks)
    info = replace(entry.info, voice=plan.voice, chunks=chunks)
    return Recording(entry.audio, info, plan.key, hit=True, timings=timings)


def describe(plan: Plan | ConversionPlan, speech: AudioStream | ConvertedSpeech, duration_s: float) -> SpeechInfo:
    """The facts about a speech that was read to its end and lasts `duration_s` seconds."""
    if isinstance(speech, ConvertedSpeech):
        return speech.describe(duration_s)
    plan, request = speech.plan, speech.plan.request
    return SpeechInfo(
        mimetype=FORMATS[request.format].mimetype,
        format=request.format,
        sample_rate=request.sample_rate,
        duration_s=round(duration_s, 4),
        seed=plan.seed,
        model=request.model,
        language=request.language,
        voice=plan.voice,
        device=plan.engine.device,
        decoder=decoder_of(plan.engine),
        seeds=seeds_of(plan) if plan.turns else None,
        chunks=tuple(
            SpokenChunk(
                chunk.text,
                chunk.start,
                chunk.end,
                round(start_s, 4),
                round(end_s, 4),
                chunk.spoken,
                chunk.language,
                kept,
                plan.speaker_of(chunk),
            )
            for chunk, (start_s, end_s), kept in zip(plan.chunks, speech.spans_s, speech.kept, strict=True)
        ),
        warnings=tuple(speech.warnings),
        words=None if speech.words is None else tuple(speech.words),
        checks=None if speech.checks is None else tuple(speech.checks),
    )
