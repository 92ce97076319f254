"""A request becomes a plan, the plan takes, the takes one stream of audio or one encoded recording.

`stream` submits every chunk at once and yields them joined, in order; `speak` is its plain consumer with the cache
around it. No transport, no model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import overload

from chatterbox_worker.answer import Recording
from chatterbox_worker.asr import SpeechRecognizer
from chatterbox_worker.audio.clip import concatenate
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.cache import AudioCache, CacheEntry
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.engine import Engine
from chatterbox_worker.request import AudioRequest, ConversionRequest, SpeechRequest
from chatterbox_worker.synthesis.audio_stream import AudioStream
from chatterbox_worker.synthesis.chunk_takes import ChunkCache
from chatterbox_worker.synthesis.conversion import ConversionPlan, ConvertedSpeech, encode_conversion, plan_conversion
from chatterbox_worker.synthesis.dialogue import plan_dialogue
from chatterbox_worker.synthesis.plan import Find, Plan, Planner
from chatterbox_worker.synthesis.submission import Submission
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.source import VoiceSource, voice_source


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
        self.chunks = ChunkCache(cache.files)
        self._allow_private_urls = allow_private_urls
        self._lexicon = lexicon
        self._recognizer = recognizer or SpeechRecognizer()

    def source(self, request: AudioRequest) -> VoiceSource:
        """Whose voice the request asks for. Raises InvalidRequest, VoiceNotFound."""
        return voice_source(request, self.library, allow_private_urls=self._allow_private_urls)

    @overload
    def plan(self, request: SpeechRequest, source_of: Find | None = None) -> Plan: ...
    @overload
    def plan(self, request: ConversionRequest) -> ConversionPlan: ...
    def plan(self, request: AudioRequest, source_of: Find | None = None) -> Plan | ConversionPlan:
        """`source_of` replaces `source` for a caller that makes many plans with one voice.

        Raises:
            InvalidRequest, VoiceNotFound: it cannot be spoken or converted; names the field.
        """
        if isinstance(request, ConversionRequest):
            engine, private = self.engines[request.model], self._allow_private_urls
            return plan_conversion(request, engine, self.source(request), allow_private_urls=private)
        planner = Planner(self.engines, self._lexicon, source_of or self.source, self._recognizer.name)
        return plan_dialogue(request, planner, self.library.id_named) if request.turns else planner.plan(request)

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
        submission = Submission(plan, scope, self.chunks, self._recognizer, streaming=streaming)
        return AudioStream(plan, submission.submit, scope, bounded=streaming, on_spoken=submission.conversation.add)

    def speak(self, request: AudioRequest, scope: CancelScope) -> Recording:
        """The whole of a request as one encoded recording, from the cache where the request allows.

        Raises:
            WorkerError: there is no recording; a chunk that fails fails the whole.
        """
        started_s = time.perf_counter()
        plan = self.plan(request)
        if not request.cache:
            return self._make(plan, scope, started_s)
        with self.cache.single_flight(plan.key, scope.check) as maker:
            if isinstance(maker, CacheEntry):
                return from_cache(plan, maker, started_s)
            if (entry := self.cache.get(plan.key, request.format)) is not None:
                maker(entry)
                return from_cache(plan, entry, started_s)
            recording = self._make(plan, scope, started_s)
            entry = CacheEntry(recording.audio, recording.info)
            maker(entry)
            self.cache.put(plan.key, request.format, entry)  # inside, so that the next caller finds it
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
        self.cache.files.close()

    def _make(self, plan: Plan | ConversionPlan, scope: CancelScope, started_s: float) -> Recording:
        return finish(self.stream(plan, scope), started_s)


def finish(speech: AudioStream | ConvertedSpeech, started_s: float) -> Recording:
    """The recording of a speech that is read to its end here. Raises SynthesisFailed, Cancelled."""
    encode_s = 0.0
    if isinstance(speech, ConvertedSpeech):
        data, duration_s = encode_conversion(speech)
    else:
        audio = concatenate(list(speech))
        encoding_s, duration_s = time.perf_counter(), audio.duration_s
        request = speech.plan.request
        data = encode(audio, request.format, request.sample_rate, request.bitrate_kbps)
        encode_s = time.perf_counter() - encoding_s
    total_s = time.perf_counter() - started_s
    timings = {
        **speech.timings(),
        "encode_s": encode_s,
        "total_s": total_s,
        "real_time_factor": total_s / duration_s,
    }
    return Recording(data, speech.describe(duration_s), speech.plan.key, hit=False, timings=timings)


def from_cache(plan: Plan | ConversionPlan, entry: CacheEntry, started_s: float) -> Recording:
    """The plan's recording, out of a cache entry."""
    total_s = time.perf_counter() - started_s
    timings = {"total_s": total_s, "real_time_factor": total_s / entry.info.duration_s}
    chunks = tuple(replace(chunk, kept=True) for chunk in entry.info.chunks)
    info = replace(entry.info, voice=plan.voice, chunks=chunks)
    return Recording(entry.audio, info, plan.key, hit=True, timings=timings)
