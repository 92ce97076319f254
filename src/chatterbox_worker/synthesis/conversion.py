"""Recorded speech said by another voice: the same words with the same timing.

A recording of up to an hour is read in pieces, of which a few are in memory: once to find its silences, then to convert
it in stretches of up to 30 s that are cut there. What becomes of each is put at the place of its stretch, so silences
last as long as they did. No transport, no model.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.audio.clip import Audio, Samples, audio_of_pcm, concatenate
from chatterbox_worker.audio.decode import decode_in_pieces
from chatterbox_worker.audio.encode import encode_pieces
from chatterbox_worker.audio.passages import LevelMeter, Splicer, Stretch, cut_stretches, plan_stretches
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.audio.voicing import voiced_fraction
from chatterbox_worker.cache import key_of
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.engine import Engine, Passage, Take, decoder_of
from chatterbox_worker.errors import InvalidRequest, SynthesisFailed
from chatterbox_worker.request import ConversionRequest
from chatterbox_worker.synthesis.plan import encoding_of
from chatterbox_worker.voices.reference import fetch, from_base64
from chatterbox_worker.voices.source import VoiceSource, load_voice, name_voice

LONGEST_S = 3_600.0
"""Of a recording."""
MOST_BYTES = 120_000_000
"""Of a recording behind a URL: an hour of 16-bit wav at 16 kHz has 115 MB."""
_MOST_SAMPLES = 3_600 * 48_000 * 2  # of all channels: an hour of stereo at 48 kHz
_SHORTEST_S = 0.2  # a syllable
_RATE = 16_000  # Hertz, what the speech tokenizer reads
_LEAST_VOICED = 0.05  # of the sound of any second or so; noise has nothing, whispering between voiced words is enough
_AHEAD = 8  # stretches submitted ahead of the reader: as many as a GPU renders at once
_UNKNOWN_LANGUAGE = "und"  # ISO 639-2: undetermined


@dataclass(frozen=True, slots=True, eq=False)
class ConversionPlan:
    """A conversion that can be made: everything decided, nothing started."""

    request: ConversionRequest
    engine: Engine
    source: VoiceSource
    recording: bytes
    field: str
    """The request's field that the recording came in."""
    key: str
    seed: int

    @property
    def voice(self) -> str:
        """As an answer names it."""
        return self.source.id


def recording_of(request: ConversionRequest, *, allow_private_urls: bool) -> tuple[bytes, str]:
    """The recording and the name of its field. Raises InvalidRequest for what is not base64 or cannot be fetched."""
    if request.audio_url is not None:
        field = "audio_url"
        return fetch(request.audio_url, field=field, allow_private=allow_private_urls, most_bytes=MOST_BYTES), field
    audio = request.audio or b""
    return audio if isinstance(audio, bytes) else from_base64(audio, field="audio"), "audio"


def plan_conversion(
    request: ConversionRequest, engine: Engine, source: VoiceSource, *, allow_private_urls: bool
) -> ConversionPlan:
    """
    Raises:
        InvalidRequest: the recording cannot be had.
    """
    recording, field = recording_of(request, allow_private_urls=allow_private_urls)
    key = key_of({
        "conversion": hashlib.sha256(recording).hexdigest(), "model": request.model,
        "weights": engine.revision, "voice": source.digest, "seed": request.seed, **encoding_of(request),
    })  # fmt: skip
    seed = secrets.randbits(32) if request.seed is None else request.seed
    return ConversionPlan(request, engine, source, recording, field, key, seed)


class ConvertedSpeech:
    """A recording being converted: iterate it once, for the audio as it becomes ready."""

    def __init__(self, plan: ConversionPlan, scope: CancelScope) -> None:
        """Decodes the whole recording once, to find its silences.

        Raises:
            InvalidRequest: it cannot be decoded, is silent, too long or too short, or has no speech; or the voice's
                recording cannot be used by this model.
            Cancelled: the scope was cancelled.
        """
        scope.check()
        self.plan, self._scope = plan, scope
        self._started_s = time.perf_counter()
        self._first_audio_s = 0.0
        self._voice = load_voice(plan.source, plan.request.card)
        survey = _Survey(scope)
        self._pieces = decode_in_pieces(
            plan.recording,
            field=plan.field,
            max_s=LONGEST_S,
            sample_rate=_RATE,
            max_samples=_MOST_SAMPLES,
            survey=survey,
        )
        survey.check(plan.field)
        self._samples = survey.meter.samples
        self._stretches = plan_stretches(survey.meter.finish())
        self._times: dict[str, float] = {}
        self._warnings: list[str] = []

    def __iter__(self) -> Iterator[Audio]:
        """
        Raises:
            SynthesisFailed: a stretch failed; the others are cancelled.
            Cancelled: the scope was cancelled.
        """
        rate, ready_s = self.plan.engine.sample_rate, 0.0
        splicer = Splicer(rate)
        try:
            for index, (stretch, take) in enumerate(self._takes()):
                samples = splicer.add(stretch, self._read(take))
                ready_s += len(samples) / rate
                self._first_audio_s = self._first_audio_s or time.perf_counter() - self._started_s
                yield Audio(samples, rate)
                if self._scope.progress is not None:
                    self._scope.progress(index + 1, len(self._stretches), ready_s)
            yield Audio(splicer.finish(round(self._samples * rate / _RATE)), rate)
        finally:
            self._scope.cancel()  # what is left when a stretch fails or the reader goes away

    def _takes(self) -> Iterator[tuple[Stretch, Take | None]]:
        """The stretches in order, the next few of them submitted; None for a silence."""
        waiting: deque[tuple[Stretch, Take | None]] = deque()
        cut = cut_stretches((piece.samples for piece in self._pieces), self._stretches, _RATE)
        for index, (stretch, samples) in enumerate(cut):
            waiting.append((stretch, None if stretch.is_silent else self._submit(index, samples)))
            if len(waiting) > _AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

    def _submit(self, index: int, samples: Samples) -> Take:
        self._scope.check()
        passage = Passage(Audio(samples, _RATE), self._voice, (self.plan.seed + index) % 2**32, index)
        with name_voice(self.plan.source.field):
            return self._scope.hold(self.plan.engine.convert(passage))

    def _read(self, take: Take | None) -> Samples:
        self._scope.check()
        if take is None:
            return np.zeros(0, np.float32)
        with name_voice(self.plan.source.field):
            sound = concatenate(list(take)).samples
        if not np.isfinite(sound).all():
            raise SynthesisFailed("the speech contains samples that are not numbers")
        for stage, seconds in take.timings.items():
            self._times[stage] = self._times.get(stage, 0.0) + seconds
        self._warnings += take.warnings
        self._scope.release(take)  # with its part of the recording
        return sound

    @property
    def warnings(self) -> list[str]:
        return self._warnings

    def timings(self) -> dict[str, float]:
        """Seconds to the first audio, and the engine's stages over all stretches so far."""
        return {"queue_to_first_audio_s": self._first_audio_s, **self._times}

    def describe(self, duration_s: float) -> SpeechInfo:
        """The facts about a speech that was read to its end and lasts `duration_s` seconds."""
        request = self.plan.request
        return SpeechInfo(
            mimetype=FORMATS[request.format].mimetype,
            format=request.format,
            sample_rate=request.sample_rate,
            duration_s=round(duration_s, 4),
            seed=self.plan.seed,
            model=request.model,
            language=_UNKNOWN_LANGUAGE,
            voice=self.plan.source.id,
            device=self.plan.engine.device,
            decoder=decoder_of(self.plan.engine),
            chunks=(),
            warnings=tuple(self.warnings),
        )


def encode_conversion(speech: ConvertedSpeech) -> tuple[bytes, float]:
    """The speech, read to its end here, as one file, and its seconds; only the file is kept in memory."""
    request, samples = speech.plan.request, 0
    rate = request.sample_rate

    def pieces() -> Iterator[Audio]:
        nonlocal samples
        for pcm in _pcm(speech, rate):
            piece = audio_of_pcm(pcm, rate)
            samples += len(piece.samples)
            yield piece

    data = encode_pieces(pieces(), request.format, rate, request.bitrate_kbps)
    return data, samples / rate


def _pcm(speech: ConvertedSpeech, rate: int) -> Iterator[bytes]:
    encoder = StreamEncoder("pcm", rate)  # resamples across pieces
    for piece in speech:
        yield encoder.add(piece)
    yield encoder.finish()


class _Survey:
    """What is learned from a recording before anything is converted."""

    meter: LevelMeter

    def __init__(self, scope: CancelScope) -> None:
        self._scope = scope
        self.begin()

    def begin(self) -> None:
        self.meter = LevelMeter(_RATE)
        self._has_speech = False

    def add(self, piece: Samples) -> None:
        self._scope.check()
        self.meter.add(piece)
        self._has_speech = self._has_speech or voiced_fraction(Audio(piece, _RATE)) > _LEAST_VOICED

    def check(self, field: str) -> None:
        """Raises InvalidRequest for a recording that is too short or without speech."""
        duration_s = self.meter.samples / _RATE
        if duration_s < _SHORTEST_S:
            raise InvalidRequest(
                f"{field} lasts {duration_s:.2f} s; at least {_SHORTEST_S:g} s are needed", field=field
            )
        if not self._has_speech:
            raise InvalidRequest(f"{field} has no speech: nothing in it has the pitch of a voice", field=field)
