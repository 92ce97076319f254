"""Which delivery method an answer takes: the first that fits.

    auto     inline, the job's bucket, the worker's bucket, smaller, the volume
    inline   inline, smaller
    s3       the job's bucket, the worker's bucket, inline, smaller, the volume
    volume   the volume, inline, the job's bucket, the worker's bucket, smaller

then `AnswerTooLarge`. "Smaller" is inline in a smaller format, for a request with `"format": "auto"` or in the shape of
RunPod's public endpoint, whose callers can use nothing but a URL. A method that fails adds a warning to the answer, and
the next is tried: finished speech is not lost because a bucket failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chatterbox_worker.answer import Recording
from chatterbox_worker.audio.clip import Audio, audio_of_pcm
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.serverless.delivery.answer import (
    Answer,
    NotDelivered,
    inline_bytes,
    serialized_bytes,
    too_large,
)
from chatterbox_worker.serverless.delivery.s3 import EXPIRES_S, Bucket
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.serverless.job import SpeechJob

log = logging.getLogger(__name__)

WAV_HEAD_BYTES = 44  # of `encode`'s wav files: RIFF, fmt and data headers, nothing else

_Answer = dict[str, Any]
_Method = Callable[[Recording], _Answer | None]
"""The answer, None if it does not fit; raises NotDelivered."""
_Store = Callable[[Recording], _Answer]
"""Puts the audio outside the answer; the fields that say where. Raises NotDelivered."""


@dataclass(frozen=True, slots=True)
class Route:
    """What matters about a job for the way back."""

    limit_bytes: int
    bucket: Bucket | None = None
    """The job's own."""


class Delivery:
    def __init__(self, settings: Settings) -> None:
        """
        Raises:
            InvalidRequest: the BUCKET_* variables are incomplete.
        """
        self._settings = settings
        self._bucket = Bucket.of_worker(settings)
        self.volume = Volume(settings.outputs_dir, max_age_s=settings.outputs_max_age_s)

    def route(self, job: Mapping[str, Any]) -> Route:
        """
        Raises:
            InvalidRequest: the job's s3Config cannot be used.
        """
        config = job.get("s3Config")
        private = self._settings.allow_private_urls
        return Route(self.limit_bytes(job), None if config is None else Bucket.of_job(config, allow_private=private))

    def limit_bytes(self, job: Mapping[str, Any]) -> int:
        """Of the job's answer. What RunPod allows for /openai routes is not documented: they have the smaller limit."""
        is_sync = str(job.get("id", "")).startswith("sync-")
        return self._settings.runsync_limit_bytes if is_sync else self._settings.payload_limit_bytes

    def check(self, job: SpeechJob, route: Route) -> None:
        """Whether the requested output exists at all; called before anything is spoken.

        Raises:
            InvalidRequest: it does not.
        """
        if job.output == "s3" and not self._buckets(route):
            raise InvalidRequest(
                'output is "s3", but the job has no s3Config and this worker no BUCKET_ENDPOINT_URL', field="output"
            )
        if job.output == "volume" and not self.volume.is_there:
            raise InvalidRequest(
                'output is "volume", but no network volume is attached, or it does not answer', field="output"
            )

    def answer(self, recording: Recording, job: SpeechJob, route: Route) -> Answer:
        """The answer of `deliver`, which can be delivered again if the platform refuses it.

        Raises:
            AnswerTooLarge: no delivery method fits.
        """
        return Answer(
            self.deliver(recording, job, route),
            lambda limit_bytes: self.deliver(recording, job, replace(route, limit_bytes=limit_bytes)),
        )

    def deliver(self, recording: Recording, job: SpeechJob, route: Route) -> _Answer:
        """
        Raises:
            AnswerTooLarge: no delivery method fits.
        """
        failed: list[str] = []
        for method in self._methods(job, route):
            try:
                answer = method(_with_warnings(recording, failed))
            except NotDelivered as failure:
                log.warning("%s", failure)
                failed.append(str(failure))
                continue
            if answer is not None:
                log_recording(recording)
                return answer
        raise too_large(inline_bytes(recording), route.limit_bytes, "".join(f", {failure}" for failure in failed))

    def store(self, recording: Recording, route: Route) -> tuple[_Answer, list[str]]:
        """Put the audio outside the answer: where it is (nothing if there is no place), and what failed."""
        failed: list[str] = []
        for store in self._stores(route):
            try:
                return store(recording), failed
            except NotDelivered as failure:
                failed.append(str(failure))
        return {}, failed

    def _methods(self, job: SpeechJob, route: Route) -> Iterator[_Method]:
        def inline(recording: Recording) -> _Answer | None:
            fits = inline_bytes(recording) <= route.limit_bytes
            return recording.inline(as_url=job.as_url) if fits else None

        def stored(store: _Store, recording: Recording) -> _Answer | None:
            answer = store(recording) | recording.report()
            return answer if serialized_bytes(answer) <= route.limit_bytes else None

        def smaller_format(name: str, recording: Recording) -> _Answer | None:
            try:
                return inline(_reencode(recording, name, warn=not job.may_shrink))
            except InvalidRequest:  # a lossy file of silence
                return None

        def volume(recording: Recording) -> _Answer | None:
            return stored(self._write, recording) if self.volume.is_there else None

        buckets: list[_Method] = [partial(stored, store) for store in self._bucket_stores(route)]
        smaller: list[_Method] = [partial(smaller_format, name) for name in job.smaller_formats]
        methods: Mapping[str, list[_Method]] = {
            "auto": [inline, *buckets, *smaller, volume],
            "inline": [inline, *smaller],
            "s3": [*buckets, inline, *smaller, volume],
            "volume": [volume, inline, *buckets, *smaller],
        }
        yield from methods[job.output]

    def _buckets(self, route: Route) -> list[Bucket]:
        return [bucket for bucket in (route.bucket, self._bucket) if bucket is not None]

    def _stores(self, route: Route) -> Iterator[_Store]:
        yield from self._bucket_stores(route)
        if self.volume.is_there:
            yield self._write

    def _bucket_stores(self, route: Route) -> list[_Store]:
        return [partial(_put, bucket) for bucket in self._buckets(route)]

    def _write(self, recording: Recording) -> _Answer:
        path = self.volume.put(recording.audio, suffix=recording.info.format)
        return {"audio_path": str(path), "expires_s": self.volume.max_age_s}


def _put(bucket: Bucket, recording: Recording) -> _Answer:
    url = bucket.put(recording.audio, mimetype=recording.info.mimetype, suffix=recording.info.format)
    return {"audio_url": url, "expires_s": EXPIRES_S}


def log_recording(recording: Recording) -> None:
    """One line for a job that was answered, without anything of its text."""
    info = recording.info
    log.info(
        "%s in %d chunks, %.1f s of audio in %.2f s%s",
        info.model, len(info.chunks), info.duration_s, recording.timings["total_s"],
        ", from the cache" if recording.hit else "",
    )  # fmt: skip


def _with_warnings(recording: Recording, failed: list[str]) -> Recording:
    warnings = (*recording.info.warnings, *(f"{failure}; delivered another way" for failure in failed))
    return replace(recording, info=replace(recording.info, warnings=warnings))


def _reencode(recording: Recording, name: str, *, warn: bool) -> Recording:
    """A recording in another format, at its own rate. Raises InvalidRequest for one that cannot be decoded."""
    original, rate = recording.info, recording.info.sample_rate
    warning = (f"{original.format} is too large for the answer: delivered as {name}",) if warn else ()
    info = replace(original, format=name, mimetype=FORMATS[name].mimetype, warnings=(*original.warnings, *warning))
    return replace(recording, audio=encode(_samples_of(recording), name, rate), info=info)


def _samples_of(recording: Recording) -> Audio:
    info, head = recording.info, {"wav": WAV_HEAD_BYTES, "pcm": 0}.get(recording.info.format)
    if head is not None:
        return audio_of_pcm(recording.audio[head:], info.sample_rate)
    return decode(recording.audio, field="format", max_s=info.duration_s + 1.0)
