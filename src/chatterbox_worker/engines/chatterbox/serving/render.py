"""Tokens to sound that may leave: flow, vocoder, fade, upstream's silence and cut, watermark; in batches, whole or in hops.

Whole utterances share the flow and the vocoder; hops of streams share the flow. A job that cannot be made fails its own
take; a batch that does not fit into memory is made in parts. For one thread. When a job is made, `render_queue` decides.
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
    """What is kept of a streamed take between its hops."""

    clock: HopClock = field(default_factory=HopClock)
    hops_asked: int = 0
    hops_made: int = 0
    sound: StreamedSound | None = None
    """Made with the first hop."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderJob:
    """Tokens of one take, to be made sound."""

    take: ChatterboxTake
    prompt: Prompt
    tokens: Sequence[int]
    """All so far; special ones are not spoken."""
    last: bool
    stream: Stream | None = None
    """None: the whole utterance at once."""
    hop: int = 0
    """Which of its stream's."""

    @property
    def length(self) -> int:
        """Of the flow's row, in tokens, the reference included."""
        return len(self.prompt.tokens) + len(self.tokens)

    @property
    def is_ready(self) -> bool:
        """Whether the hops before it are made."""
        return self.stream is None or self.hop == self.stream.hops_made


@dataclass(slots=True, eq=False)
class _Work:
    """A job on its way."""

    job: RenderJob
    row: FlowRow
    noise: Noise | None
    """None for a stream, which has a bank."""
    mel: Tensor | None = None
    sound: Tensor | None = None


class Renderer:
    def __init__(self, s3gen: S3Gen, layout: Layout, marker: Marker) -> None:
        self._s3gen, self._layout, self._marker = s3gen, layout, marker

    @torch.inference_mode()
    def make(self, jobs: Sequence[RenderJob]) -> None:
        """Give the takes what can be heard of them, or their failure. Of a stream one hop at a time, in order."""
        works = [work for job in jobs if not job.take.is_over and (work := self._begun(job)) is not None]
        works = self._stage("s3gen_s", self._to_mel, works)
        whole = self._stage("vocoder_s", self._to_sound, [work for work in works if work.noise is not None])
        hops = [self._stage("vocoder_s", self._to_hop, [work]) for work in works if work.noise is None]
        for work in (*whole, *(work for each in hops for work in each)):
            self._stage(None, self._to_reader, [work])
        for job in jobs:
            if job.stream is not None:
                job.stream.hops_made += 1

    def _begun(self, job: RenderJob) -> _Work | None:
        try:
            return self._work(job)
        except Exception as error:  # noqa: BLE001 - a thread's edge: an unanswered take would leave its reader waiting
            _fail(job.take, error)
            return None

    def _work(self, job: RenderJob) -> _Work:
        seed, prompt, stream, device = job.take.utterance.seed, job.prompt, job.stream, self._s3gen.device
        codes = [token for token in job.tokens if token < SPEECH_CODES]
        if not codes:
            raise SynthesisFailed("the model had nothing to say for this text; try another seed or a longer text")
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

    def _stage(self, name: str | None, make: Callable[[Sequence[_Work]], None], works: Sequence[_Work]) -> list[_Work]:
        """Those that got through it. Each is charged its share of a named stage's time, so that takes' times add up."""

        def made(some: Sequence[_Work]) -> None:
            make(some)
            if self._s3gen.device.type == "cuda":  # what went wrong on the device shows here, and the time is known
                torch.cuda.current_stream(self._s3gen.device).synchronize()

        started_s = time.perf_counter()
        failures = in_parts(made, works)
        share_s = (time.perf_counter() - started_s) / max(1, len(works))
        for work, failure in zip(works, failures, strict=True):
            if name is not None:
                work.job.take.spent(name, share_s)
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
                raise AssertionError("a hop has a stream and a mel by now")
            begins = not stream.sound.vocoder.has_begun
            sound = stream.sound.vocoder(work.mel, last=work.job.last)
            work.sound = self._s3gen.fade_in(sound) if begins else sound

    def _to_reader(self, works: Sequence[_Work]) -> None:
        """Upstream's cut of the last token, the watermark, and away."""
        for work in works:
            if work.sound is None:
                raise AssertionError("whoever got here has sound")
            job, samples = work.job, work.sound.cpu().numpy()
            if job.last and self._layout.cuts_last_token and len(samples) > _TOKEN_SAMPLES:
                samples = samples[:-_TOKEN_SAMPLES]
            started_s = time.perf_counter()
            if job.stream is None or job.stream.sound is None:
                marked = self._marker.mark(Audio(samples, SAMPLE_RATE))
            else:
                marked = Audio(job.stream.sound.mark.push(samples, last=job.last), SAMPLE_RATE)
            job.take.spent("watermark_s", time.perf_counter() - started_s)  # before the reader can ask
            if len(marked.samples):
                job.take.put(marked)
            if job.last:
                job.take.end()


def _fail(take: ChatterboxTake, error: Exception) -> None:
    if not isinstance(error, WorkerError):
        log.error("a take could not be rendered", exc_info=error)
    take.fail(answer_to(error, "making sound"))
