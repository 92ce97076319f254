"""Speech in pieces, for a worker whose handler is a generator: chunks, then a summary.

A chunk is `{"index", "start_s", "duration_s", "audio_base64"}`. In wav, flac, ogg, opus and aac its audio is a file
of its own; pcm and mp3 are one file in pieces, to be concatenated. With the times of words it has `words` too, those
that begin before its end and were in no chunk before it. The summary is a plain answer without the audio.
Every format is cut from the same 16-bit samples: those of an unstreamed wav of the same request, unless resampling
overshoots full scale: there a whole recording is scaled down and a stream is clipped. The cache stores that wav.

The SDK collects the yielded objects and posts them again as the job's result, under the limit of any result. It
collects the same objects after it posted them. So if the whole does not fit, the collected chunks lose their audio and
their words, and the summary says where the whole was put: a bucket or the volume, or only the stream.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chatterbox_worker.answer import Recording, SpokenWord, UnsentWords
from chatterbox_worker.audio.clip import audio_of_pcm
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.stream_encode import StreamEncoder
from chatterbox_worker.cache import CacheEntry
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.serverless.delivery.answer import Answer, Unlogged, serialized_bytes
from chatterbox_worker.serverless.delivery.choose import WAV_HEAD_BYTES, Delivery, Route, log_recording
from chatterbox_worker.serverless.job import SpeechJob
from chatterbox_worker.synthesis.audio_stream import AudioStream
from chatterbox_worker.synthesis.conversion import ConvertedSpeech
from chatterbox_worker.synthesis.synthesizer import Synthesizer

CHUNK_BYTES = 700_000
"""Of one chunk, serialized: RunPod refuses more than 1 MB and drops it (docs/API.md)."""

_CUT_BYTES = 500_000  # of samples: 666 668 in base64; the rest is for the container's headers and our own fields
_LEAST_S = 0.5  # a chunk is a request to the platform, so there are few
_RESERVE_S = 0.05  # held back, so that the last chunk is never too short for a reader to recognise its format
_IN_ONE_PIECE = ("pcm", "mp3")


def stream(
    synthesizer: Synthesizer, delivery: Delivery, job: SpeechJob, route: Route, scope: CancelScope
) -> Iterator[Unlogged]:
    """Everything that the caller can correct is checked before the first chunk. Blocks between chunks.

    Raises:
        WorkerError: it cannot be spoken; or it failed after some chunks.
    """
    started_s = time.perf_counter()
    request = job.request
    plan = synthesizer.plan(replace(request, format="wav"))
    entry = synthesizer.cache.get(plan.key, "wav") if request.cache else None
    speech = None if entry is not None else synthesizer.stream(plan, scope)
    pieces = [entry.audio[WAV_HEAD_BYTES:]] if entry is not None else _samples(speech, request.sample_rate)
    post = _Collected(route.limit_bytes)
    whole = _Whole(request.format, request.sample_rate, request.bitrate_kbps)
    unsent = UnsentWords()
    for chunk in whole.chunks(pieces):
        if (known := _known_words(entry, speech)) is not None:
            _add_words(chunk, unsent, known, whole.duration_s)
        yield chunk
        post.add(chunk)  # the SDK asks for the next one when it has posted and collected this one
    if entry is None:
        entry = _entry(speech, whole)
        if request.cache:
            synthesizer.cache.put(plan.key, "wav", entry)
    timings = _timings(speech, time.perf_counter() - started_s, whole.duration_s)
    mimetype = FORMATS[request.format].mimetype
    info = replace(entry.info, voice=plan.voice, format=request.format, mimetype=mimetype)
    recording = Recording(b"", info, plan.key, hit=speech is None, timings=timings)
    log_recording(recording)
    yield _summary(recording, whole, post, delivery, route)


class _Whole:
    """Everything streamed so far, as samples and as sent."""

    def __init__(self, audio_format: str, rate: int, bitrate_kbps: int | None) -> None:
        self._format = audio_format
        self._bitrate_kbps = bitrate_kbps
        self.rate = rate
        """Hertz."""
        self.pcm = bytearray()
        """16-bit little-endian samples."""
        self.size_bytes = 0
        """Of all the audio that was sent."""
        self._sent: list[bytes] = []  # where that is one file in pieces

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / self.rate

    def chunks(self, pieces: Iterable[bytes]) -> Iterator[Unlogged]:
        is_one_file = self._format in _IN_ONE_PIECE
        encoder = StreamEncoder(self._format, self.rate, self._bitrate_kbps) if is_one_file else None
        for index, (cut, is_last) in enumerate(_cuts(pieces, self.rate)):
            audio = audio_of_pcm(cut, self.rate)
            if encoder is None:
                data = encode(audio, self._format, self.rate, self._bitrate_kbps)
            else:
                data = encoder.add(audio) + (encoder.finish() if is_last else b"")
                self._sent.append(data)
            start_s = self.duration_s
            self.pcm += cut
            self.size_bytes += len(data)
            yield Unlogged(
                index=index,
                start_s=round(start_s, 4),
                duration_s=round(audio.duration_s, 4),
                audio_base64=base64.b64encode(data).decode("ascii"),
            )

    def file(self) -> bytes:
        """All of it as one file."""
        audio = audio_of_pcm(bytes(self.pcm), self.rate)
        return b"".join(self._sent) or encode(audio, self._format, self.rate, self._bitrate_kbps)


class _Collected:
    """The chunks that the SDK has collected for the job's result, held under the limit of a result."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._chunks: list[Unlogged] = []
        self._bytes = 0
        self.is_whole = True
        """Whether the chunks in the result still have their audio."""

    def __len__(self) -> int:
        return len(self._chunks)

    def add(self, chunk: Unlogged) -> None:
        self._bytes += serialized_bytes(chunk)
        self._chunks.append(chunk)
        self.shrink_to_fit(0)

    def shrink_to_fit(self, more_bytes: int) -> None:
        if self._bytes + more_bytes > self._limit or not self.is_whole:
            self.drop_audio()

    def drop_audio(self) -> list[Unlogged]:
        """The chunks without their audio, which they lose here."""
        self.is_whole = False
        for chunk in self._chunks:
            chunk.pop("audio_base64", None)
            chunk.pop("words", None)
        return self._chunks


def _known_words(entry: CacheEntry | None, speech: AudioStream | ConvertedSpeech | None) -> Sequence[SpokenWord] | None:
    """The words of the chunks that are complete; None if they were not asked for."""
    if entry is not None:
        return entry.info.words
    return speech.words if isinstance(speech, AudioStream) else None


def _add_words(chunk: Unlogged, unsent: UnsentWords, known: Sequence[SpokenWord], end_s: float) -> None:
    """As many as fit; the summary has all of them."""
    chunk["words"] = []
    room_bytes = CHUNK_BYTES - serialized_bytes(chunk)
    chunk["words"] = [word.as_json() for word in unsent.take(known, end_s, room_bytes)]


def _samples(speech: AudioStream | ConvertedSpeech | None, rate: int) -> Iterator[bytes]:
    encoder = StreamEncoder("pcm", rate)  # resamples across pieces, to the same bits as the whole at once
    for piece in speech or ():
        yield encoder.add(piece)
    yield encoder.finish()


def _cuts(pieces: Iterable[bytes], rate: int) -> Iterator[tuple[bytes, bool]]:
    """The samples in lengths that fit a chunk, as soon as there are enough; and whether a cut is the last."""
    reserve, least = round(_RESERVE_S * rate) * 2, round(_LEAST_S * rate) * 2
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= least + reserve:
            for cut in _split_evenly(bytes(held[:-reserve])):
                yield cut, False
            del held[:-reserve]
    *most, last = _split_evenly(bytes(held))
    for cut in most:
        yield cut, False
    yield last, True


def _split_evenly(samples: bytes) -> list[bytes]:
    """Cut into as few parts as fit, of about one size, so that the last is not tiny."""
    parts = max(1, -(-len(samples) // _CUT_BYTES))
    ends = [len(samples) // 2 * part // parts * 2 for part in range(parts + 1)]
    return [samples[start:end] for start, end in pairwise(ends)]


def _entry(speech: AudioStream | ConvertedSpeech | None, whole: _Whole) -> CacheEntry:
    assert speech is not None  # noqa: S101 - without an entry there was one
    audio = encode(audio_of_pcm(bytes(whole.pcm), whole.rate), "wav", whole.rate)
    return CacheEntry(audio, speech.describe(whole.duration_s))


def _timings(speech: AudioStream | ConvertedSpeech | None, total_s: float, duration_s: float) -> dict[str, float]:
    stages = {} if speech is None else speech.timings()
    return {**stages, "total_s": total_s, "real_time_factor": total_s / duration_s}


def _summary(recording: Recording, whole: _Whole, post: _Collected, delivery: Delivery, route: Route) -> Answer:
    """The report about the whole; and where it is, if the job's result cannot hold it."""
    report = {**recording.report(), "size_bytes": whole.size_bytes, "chunks_streamed": len(post)}
    post.shrink_to_fit(serialized_bytes(report))
    if not post.is_whole:
        report |= _stored(report, replace(recording, audio=whole.file()), delivery, route)
    if serialized_bytes(report) > CHUNK_BYTES:  # a text of megabytes
        lists = "lists of chunks and words are" if report.pop("words", None) else "list of chunks is"
        report["warnings"] = [*report["warnings"], f"the {lists} left out: too long to be streamed"]
        del report["chunks"]

    def shrink(_limit_bytes: int) -> list[Unlogged]:  # without a reference to the Answer: it holds minutes of audio
        place = _stored(report, replace(recording, audio=whole.file()), delivery, route) if post.is_whole else {}
        return [*post.drop_audio(), Unlogged(report | place)]

    return Answer(report, shrink)


def _stored(report: dict[str, Any], recording: Recording, delivery: Delivery, route: Route) -> dict[str, Any]:
    """The fields of the report that say where the whole is."""
    place, failed = delivery.store(recording, route)
    nowhere = [] if place else ["the whole is too large for the job's result: it is in the stream only"]
    return {**place, "warnings": [*report["warnings"], *failed, *nowhere]}
