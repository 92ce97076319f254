"""Tokens to sound: flow, vocoder, fade, upstream's silence and cut, and the watermark; in batches, whole or in hops.

Whole utterances share the flow and the vocoder; hops of streams share the flow. A job that fails, fails only its own
take; a batch that does not fit into memory is rendered in parts. For one thread. `render_queue` decides when a job is
rendered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE, SPEECH_CODES, TOKEN_RATE, Layout
from chatterbox_worker.engines.chatterbox.device.failures import answer_to, in_parts
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow, Prompt
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.model import Noise, S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.streaming import HopClock, NoiseBank, StreamedVocoder
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.watermark.stream import Marker, StreamMark
from chatterbox_worker.errors import SynthesisFailed, WorkerError

log = logging.getLogger(__name__)

_TOKEN_SAMPLES = SAMPLE_RATE // TOKEN_RATE


@dataclass(frozen=True, slots=True, eq=False)
class StreamedSound:
    """A stream's state on the device."""

    bank: NoiseBank
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
    def __init__(self, s3gen: S3Gen, layout: Layout, marker: Marker) -> None:
        self._s3gen, self._layout, self._marker = s3gen, layout, marker

    @torch.inference_mode()
    def render(self, jobs: Sequence[RenderJob]) -> None:
        """Put each job's sound into its take, or fail the take. Of one stream, a single hop at a time and in order."""
        works = [work for job in jobs if not job.take.is_over and (work := self._prepare_or_fail(job)) is not None]
        works = self._stage("s3gen_s", self._to_mel, works)
        whole = self._stage("vocoder_s", self._to_sound, [work for work in works if work.noise is not None])
        hops = [self._stage("vocoder_s", self._to_hop, [work]) for work in works if work.noise is None]
        for work in (*whole, *(work for each in hops for work in each)):
            self._stage(None, self._to_reader, [work])
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
        seed, prompt, stream, device = job.take.utterance.seed, job.prompt, job.stream, self._s3gen.device
        codes = [token for token in job.tokens if token < SPEECH_CODES]
        if not codes:
            raise SynthesisFailed("the model generated no speech for this text; try another seed or a longer text")
        tokens = torch.tensor([*codes, *self._layout.silence_tail] if job.last else codes)
        if stream is None:
            noise = self._s3gen.draw(len(tokens), prompt, torch.Generator(device).manual_seed(seed))
            return _Work(job, FlowRow(tokens, prompt, noise.mel), noise)
        if stream.sound is None:
            bank = NoiseBank(len(prompt.tokens), seed, device)
            stream.sound = StreamedSound(
                bank, StreamedVocoder(self._s3gen.vocoder, bank), StreamMark(self._marker, SAMPLE_RATE)
            )
        stream.sound.bank.extend_to(FRAMES_PER_TOKEN * (len(prompt.tokens) + len(tokens)))
        return _Work(job, FlowRow(tokens, prompt, stream.sound.bank.mel, finalize=job.last), None)

    def _stage(self, name: str | None, run: Callable[[Sequence[_Work]], None], works: Sequence[_Work]) -> list[_Work]:
        """Run a stage and return the works that succeeded.

        The time of a named stage is divided equally among the works, so that the takes' times add up.
        """

        def run_and_wait(some: Sequence[_Work]) -> None:
            run(some)
            if self._s3gen.device.type == "cuda":  # raises the device's errors, and makes the time measured true
                torch.cuda.current_stream(self._s3gen.device).synchronize()

        started_s = time.perf_counter()
        failures = in_parts(run_and_wait, works)
        share_s = (time.perf_counter() - started_s) / max(1, len(works))
        for work, failure in zip(works, failures, strict=True):
            if name is not None:
                work.job.take.add_time(name, share_s)
            if failure is not None:
                _fail(work.job.take, failure)
        return [work for work, failure in zip(works, failures, strict=True) if failure is None]

    def _to_mel(self, works: Sequence[_Work]) -> None:
        for work, mel in zip(works, self._s3gen.mels([work.row for work in works]), strict=True):
            work.mel = mel

    def _to_sound(self, works: Sequence[_Work]) -> None:
        mels = [work.mel for work in works if work.mel is not None]
        noises = [work.noise for work in works if work.noise is not None]
        for work, (sound, _) in zip(works, self._s3gen.sounds(mels, noises), strict=True):
            work.sound = self._s3gen.fade_in(sound)

    def _to_hop(self, works: Sequence[_Work]) -> None:
        for work in works:
            stream = work.job.stream
            if stream is None or stream.sound is None or work.mel is None:
                raise AssertionError("a hop reached the vocoder without a stream or a mel")
            is_first = not stream.sound.vocoder.has_begun
            sound = stream.sound.vocoder(work.mel, last=work.job.last)
            work.sound = self._s3gen.fade_in(sound) if is_first else sound

    def _to_reader(self, works: Sequence[_Work]) -> None:
        """Apply upstream's cut of the last token and the watermark, and put the sound into the take."""
        for work in works:
            if work.sound is None:
                raise AssertionError("a job without sound reached the watermark")
            job, samples = work.job, work.sound.cpu().numpy()
            if job.last and self._layout.cuts_last_token and len(samples) > _TOKEN_SAMPLES:
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


def _fail(take: ChatterboxTake, error: Exception) -> None:
    if not isinstance(error, WorkerError):
        log.error("a take could not be rendered", exc_info=error)
    take.fail(answer_to(error, "generating audio"))
