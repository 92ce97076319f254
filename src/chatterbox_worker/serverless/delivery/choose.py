"""Which way an answer takes: the first that holds it.

    auto     inline, the job's bucket, the worker's bucket, the volume
    inline   inline
    s3       the job's bucket, the worker's bucket, inline, the volume
    volume   the volume, inline, the job's bucket, the worker's bucket

then inline in a smaller format where the request said `"format": "auto"`, then `AnswerTooLarge`. A way that fails is a
warning in the answer, and the next is tried: speech that was made is not lost for a bucket's sake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.serverless.delivery.answer import (
    NotDelivered,
    facts,
    inline,
    inline_bytes,
    serialized_bytes,
    too_large,
)
from chatterbox_worker.serverless.delivery.s3 import EXPIRES_S, Bucket
from chatterbox_worker.serverless.delivery.volume import Volume
from chatterbox_worker.synthesizer import Recording

log = logging.getLogger(__name__)

WAV_HEAD_BYTES = 44  # of `encode`'s wav files: RIFF, fmt and data headers, nothing else

_Way = Callable[[Recording], dict[str, Any] | None]
"""The answer, None where it would not fit; raises NotDelivered."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one job came, as far as it matters for the way back."""

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
        self._volume = Volume(settings.outputs_dir, max_age_s=settings.outputs_max_age_s)

    def route(self, job: Mapping[str, Any]) -> Route:
        """
        Raises:
            InvalidRequest: the job's s3Config cannot be used.
        """
        # What RunPod allows for /openai routes is not documented, so they have the smaller limit.
        is_sync = str(job.get("id", "")).startswith("sync-")
        limit = self._settings.runsync_limit_bytes if is_sync else self._settings.payload_limit_bytes
        config = job.get("s3Config")
        private = self._settings.allow_private_urls
        return Route(limit, None if config is None else Bucket.of_job(config, allow_private=private))

    def check(self, request: SpeechRequest, route: Route) -> None:
        """Before anything is spoken: whether the output asked for exists at all.

        Raises:
            InvalidRequest: it does not.
        """
        if request.output == "s3" and not self._buckets(route):
            raise InvalidRequest(
                'output is "s3", but the job has no s3Config and this worker no BUCKET_ENDPOINT_URL', field="output"
            )
        if request.output == "volume" and not self._volume.is_there:
            raise InvalidRequest('output is "volume", but no network volume is attached', field="output")

    def deliver(self, recording: Recording, request: SpeechRequest, route: Route) -> dict[str, Any]:
        """
        Raises:
            AnswerTooLarge: it fits no way there is.
        """
        failed: list[str] = []
        for way in self._ways(request, route):
            try:
                answer = way(_warned(recording, failed))
            except NotDelivered as failure:
                log.warning("%s", failure)
                failed.append(str(failure))
                continue
            if answer is not None:
                note(recording)
                return answer
        size = inline_bytes(recording, facts(recording))
        tried = "".join(f", {failure}" for failure in failed)
        raise too_large(size, route.limit_bytes, tried)

    def store(self, recording: Recording, route: Route) -> tuple[dict[str, Any], list[str]]:
        """Where the audio was put outside an answer (nothing if there is nowhere), and what failed on the way."""
        failed: list[str] = []
        for way in [*self._bucket_ways(route), *self._volume_ways()]:
            try:
                return way(recording), failed
            except NotDelivered as failure:
                failed.append(str(failure))
        return {}, failed

    def _ways(self, request: SpeechRequest, route: Route) -> Iterator[_Way]:
        def whole(way: Callable[[Recording], dict[str, Any]]) -> _Way:
            return lambda recording: _if_fits(way(recording) | facts(recording), route)

        def inside(recording: Recording) -> dict[str, Any] | None:
            if inline_bytes(recording, facts(recording)) > route.limit_bytes:
                return None
            return inline(recording, as_url=request.as_url, limit_bytes=route.limit_bytes)

        buckets = [whole(way) for way in self._bucket_ways(route)]
        volume = [whole(way) for way in self._volume_ways()]
        ways: Mapping[str, list[_Way]] = {
            "auto": [inside, *buckets, *volume],
            "inline": [inside],
            "s3": [*buckets, inside, *volume],
            "volume": [*volume, inside, *buckets],
        }
        yield from ways[request.output]
        for name in request.smaller_formats:
            yield lambda recording, name=name: inside(_reencoded(recording, name))  # type: ignore[misc]

    def _buckets(self, route: Route) -> list[Bucket]:
        return [bucket for bucket in (route.bucket, self._bucket) if bucket is not None]

    def _bucket_ways(self, route: Route) -> list[Callable[[Recording], dict[str, Any]]]:
        def through(bucket: Bucket) -> Callable[[Recording], dict[str, Any]]:
            def put(recording: Recording) -> dict[str, Any]:
                about = recording.about
                url = bucket.put(recording.audio, mimetype=about["mimetype"], suffix=about["format"])
                return {"audio_url": url, "expires_s": EXPIRES_S}

            return put

        return [through(bucket) for bucket in self._buckets(route)]

    def _volume_ways(self) -> list[Callable[[Recording], dict[str, Any]]]:
        return [self._on_volume] if self._volume.is_there else []

    def _on_volume(self, recording: Recording) -> dict[str, Any]:
        path = self._volume.put(recording.audio, suffix=recording.about["format"])
        return {"audio_path": str(path), "expires_s": self._volume.max_age_s}


def note(recording: Recording) -> None:
    """One line for a job that was answered, with nothing that was said in it."""
    about, timings = recording.about, recording.timings
    log.info(
        "%s in %d chunks, %.1f s of audio in %.2f s%s",
        about.get("model"), len(about["chunks"]), about["duration_s"], timings["total_s"],
        ", from the cache" if recording.hit else "",
    )  # fmt: skip


def _if_fits(answer: dict[str, Any], route: Route) -> dict[str, Any] | None:
    return answer if serialized_bytes(answer) <= route.limit_bytes else None


def _warned(recording: Recording, failed: list[str]) -> Recording:
    warnings = [*recording.about["warnings"], *(f"{failure}; delivered another way" for failure in failed)]
    return replace(recording, about={**recording.about, "warnings": warnings})


def _reencoded(recording: Recording, name: str) -> Recording:
    """A wav recording in another format, at its own rate."""
    rate = recording.about["sample_rate"]
    audio = audio_of_pcm(recording.audio[WAV_HEAD_BYTES:], rate)
    about = {**recording.about, "format": name, "mimetype": FORMATS[name].mimetype}
    return replace(recording, audio=encode(audio, name, rate), about=about)


def audio_of_pcm(pcm: bytes, sample_rate: int) -> Audio:
    """What `Audio.pcm16` gave, to the bit."""
    return Audio((np.frombuffer(pcm, "<i2") / np.float32(32767.0)).astype(np.float32), sample_rate)
