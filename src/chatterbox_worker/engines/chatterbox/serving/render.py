"""Tokens to sound: flow, vocoder, fade, upstream's silence and cut, and the watermark; in batches, whole or in hops.

Whole utterances and hops of streams share the flow; each kind shares the vocoder. The watermark follows one sound at a
time, on a GPU on a thread and a stream of its own, while the next batch is rendered. A job that fails, fails only its
own take; a batch that does not fit into memory is rendered in parts. For one thread. `render_queue` decides when a job
is rendered.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE, SPEECH_CODES, TOKEN_RATE, Layout
from chatterbox_worker.engines.chatterbox.device.failures import CAPTURE_LOCK, answer_to, attempt, in_parts
from chatterbox_worker.engines.chatterbox.device.streams import finish_stream, work_on_stream
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow, Prompt
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise, SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HopClock, StreamedVocoder
from chatterbox_worker.engines.chatterbox.serving.background import Worker
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.watermark.stream import Marker, StreamMark
from chatterbox_worker.engines.device import work_on
from chatterbox_worker.errors import NoSpeech, WorkerError

log = logging.getLogger(__name__)

_TOKEN_SAMPLES = SAMPLE_RATE // TOKEN_RATE


@dataclass(frozen=True, slots=True, eq=False)
class StreamedSound:
    """A stream's state on the device."""

    noise: SeededNoise
    vocoder: StreamedVocoder
    mark: StreamMark


@dataclass(slots=True, eq=False)
class Stream:
    """The state of a streamed take between its hops."""

    clock: HopClock = field(default_factory=HopClock)
    hops_requested: int = 0
    hops_rendered: int = 0
    sound: StreamedSound | None = None
    """Created with the first hop."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderJob:
    """Tokens of one take, to be rendered."""

    take: ChatterboxTake
    prompt: Prompt
    tokens: Sequence[int]
    """All so far; special ones are left out of the sound."""
    last: bool
    stream: Stream | None = None
    """None: the whole utterance at once."""
    hop: int = 0
    """The hop's number in its stream, from 0."""
    verbatim: bool = False
    """Whether the sound is that of the tokens alone, as for a recording's: without upstream's silence and cut."""

    @property
    def length(self) -> int:
        """Length of the flow's row in tokens, including the reference."""
        return len(self.prompt.tokens) + len(self.tokens)

    @property
    def is_ready(self) -> bool:
        """Whether the hops before it are rendered."""
        return self.stream is None or self.hop == self.stream.hops_rendered


@dataclass(slots=True, eq=False)
class _Work:
    """A job and its intermediate results."""

    job: RenderJob
    row: FlowRow
    noise: Noise | None
    """None for a stream, whose noise comes from its bank."""
    mel: Tensor | None = None
    sound: Tensor | None = None


class Renderer:
    def __init__(self, s3gen: S3Gen, layout: Layout, marker: Marker, *, in_background: bool = False) -> None:
        """`in_background`: the watermark is embedded on a thread of its own."""
        self._s3gen, self._layout, self._marker = s3gen, layout, marker
        self._deliveries = Worker("watermark", self._watermark_stream) if in_background else None

    def close(self) -> None:
        """Deliver what was rendered, and end the thread."""
        if self._deliveries is not None:
            self._deliveries.close()

    def warm_up(self) -> None:
        """Embed a mark once in the background: the device's first transform takes 0.4 s (H100)."""
        if self._deliveries is not None:
            self._deliveries.submit(self._mark_noise)

    def _mark_noise(self) -> None:
        noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
        with CAPTURE_LOCK:
            self._marker.mark(Audio(0.1 * noise, SAMPLE_RATE))

    @torch.inference_mode()
    def render(self, jobs: Sequence[RenderJob]) -> None:
        """Put each job's sound into its take, or fail the take. Of one stream, a single hop at a time and in order."""
        works = [work for job in jobs if not job.take.is_over and (work := self._prepare_or_fail(job)) is not None]
        works = self._stage("s3gen_s", self._to_mel, works)
        for is_hop, vocode in ((True, self._to_hops), (False, self._to_sounds)):
            for work in self._stage("vocoder_s", vocode, [work for work in works if (work.noise is None) == is_hop]):
                self._deliver(work)
        for job in jobs:
            if job.stream is not None:
                job.stream.hops_rendered += 1

    def _prepare_or_fail(self, job: RenderJob) -> _Work | None:
        try:
            return self._prepare(job)
        except Exception as error:  # noqa: BLE001 - a thread's edge: an unanswered take would leave its reader waiting
            _fail(job.take, error)
            return None

    def _prepare(self, job: RenderJob) -> _Work:
        seed, prompt, stream, device = job.take.seed, job.prompt, job.stream, self._s3gen.device
        codes = [token for token in job.tokens if token < SPEECH_CODES]
        if not codes:
            raise NoSpeech("the model generated no speech for this text; try another seed or a longer text")
        tail = self._layout.silence_tail if job.last and not job.verbatim else ()
        tokens = torch.tensor([*codes, *tail])
        if stream is None:
            noise = SeededNoise(seed, device).whole(prompt, len(tokens))
            return _Work(job, FlowRow(tokens, prompt, noise.mel), noise)
        if stream.sound is None:
            own = SeededNoise(seed, device)
            stream.sound = StreamedSound(own, StreamedVocoder(own), StreamMark(self._marker, SAMPLE_RATE))
        frames = FRAMES_PER_TOKEN * (len(prompt.tokens) + len(tokens))
        return _Work(job, FlowRow(tokens, prompt, stream.sound.noise.mel(frames), finalize=job.last), None)

    def _stage(self, name: str, run: Callable[[Sequence[_Work]], None], works: Sequence[_Work]) -> list[_Work]:
        """Run a stage and return the works that succeeded.

        Its time is divided equally among the works, so that the takes' times add up.
        """

        def run_and_wait(some: Sequence[_Work]) -> None:
            run(some)
            self._wait()

        started_s = time.perf_counter()
        failures = in_parts(run_and_wait, works)
        share_s = (time.perf_counter() - started_s) / max(1, len(works))
        for work, failure in zip(works, failures, strict=True):
            work.job.take.add_time(name, share_s)
            if failure is not None:
                _fail(work.job.take, failure)
        return [work for work, failure in zip(works, failures, strict=True) if failure is None]

    def _wait(self) -> None:
        """So that the device's errors are raised here and the time measured is true."""
        finish_stream(self._s3gen.device)

    def _to_mel(self, works: Sequence[_Work]) -> None:
        for work, mel in zip(works, self._s3gen.mels([work.row for work in works]), strict=True):
            work.mel = mel

    def _to_sounds(self, works: Sequence[_Work]) -> None:
        mels = [work.mel for work in works if work.mel is not None]
        noises = [work.noise for work in works if work.noise is not None]
        for work, sound in zip(works, self._s3gen.sounds(mels, noises), strict=True):
            work.sound = self._s3gen.fade_in(sound).cpu()

    def _to_hops(self, works: Sequence[_Work]) -> None:
        """One vocoder batch for all streams. Their states change only after everything that can fail."""
        rows = [
            (work, work.mel, work.job.stream.sound.vocoder)
            for work in works
            if work.mel is not None and work.job.stream is not None and work.job.stream.sound is not None
        ]
        hops = self._s3gen.vocode_hops([vocoder.hop(mel) for _, mel, vocoder in rows])
        accepted = []
        for (work, mel, vocoder), made in zip(rows, hops, strict=True):
            sound, state = vocoder.accept(mel, made, last=work.job.last)
            accepted.append(((sound if vocoder.has_begun else self._s3gen.fade_in(sound)).cpu(), state))
        self._wait()
        for (work, _, vocoder), (sound, state) in zip(rows, accepted, strict=True):
            work.sound = sound
            vocoder.commit(state)

    def _deliver(self, work: _Work) -> None:
        def deliver() -> None:
            failure = attempt(lambda: self._to_reader(work))
            if failure is not None:
                _fail(work.job.take, failure)

        if self._deliveries is None:
            deliver()
        else:
            self._deliveries.submit(deliver)

    def _to_reader(self, work: _Work) -> None:
        """Apply upstream's cut of the last token and the watermark, and put the sound into the take."""
        if work.sound is None:
            raise AssertionError("a job without sound reached the watermark")
        job, samples = work.job, work.sound.numpy()
        cuts = job.last and self._layout.cuts_last_token and not job.verbatim
        if cuts and len(samples) > _TOKEN_SAMPLES:
            samples = samples[:-_TOKEN_SAMPLES]
        started_s = time.perf_counter()
        if job.stream is None or job.stream.sound is None:
            marked = self._marker.mark(Audio(samples, SAMPLE_RATE))
        else:
            marked = Audio(job.stream.sound.mark.push(samples, last=job.last), SAMPLE_RATE)
        job.take.add_time("watermark_s", time.perf_counter() - started_s)  # before the reader can read the timings
        if len(marked.samples):
            job.take.put(marked)
        if job.last:
            job.take.end()

    def _watermark_stream(self) -> contextlib.AbstractContextManager[object]:
        device = self._s3gen.device
        work_on(device)
        return work_on_stream(device, "watermark", self._layout.name)


def _fail(take: ChatterboxTake, error: Exception) -> None:
    if not isinstance(error, WorkerError):
        log.error("a take could not be rendered", exc_info=error)
    take.fail(answer_to(error, "generating audio"))
