"""A scheduler of takes in tests: a batch over tiny slots, with a gate before each step if a test wants one."""

from __future__ import annotations

import collections.abc
import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache

from torch import Tensor

from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.scheduler import Errand, Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.model import Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.tiny_engine import encoded_voice, parts, say

TOKENS = 12
SAMPLING = Sampling(temperature=0.8)


class Batch:
    """A scheduler over tiny slots, whose takes end when their tokens are complete."""

    def __init__(self, slots: int = 4, *, is_gated: bool = False) -> None:
        default_voice()  # before a test makes the model fail
        self.slots = Slots(parts("turbo").t3, slots, 500)
        self.whole: dict[int, list[int]] = {}
        self.hops: list[tuple[int, int]] = []
        self.admitted: list[int] = []
        self.given: list[list[int]] = []
        """The tokens that each admitted take had before."""
        self.steps = 0
        self.gate = threading.Semaphore(0) if is_gated else None
        self.at_gate = threading.Semaphore(0)
        self._step, self._prefill = self.slots.step, self.slots.prefill
        self.slots.step, self.slots.prefill = self.step, self.prefill  # type: ignore[method-assign]
        self.scheduler = Scheduler(self.slots, self.render, name="test")

    def step(self) -> Tensor:
        if self.gate is not None:
            self.at_gate.release()
            self.gate.acquire()
        self.steps += 1
        return self._step()

    def prefill(
        self,
        slot: int,
        prefix: Prefix,
        text_ids: collections.abc.Sequence[int],
        sampling: Sampling | BlockSampling,
        seed: int,
        *,
        tokens: collections.abc.Sequence[int] = (),
        observe: bool = False,
    ) -> None:
        self._prefill(slot, prefix, text_ids, sampling, seed, tokens=tokens, observe=observe)
        self.admitted.append(seed)
        self.given.append(list(tokens))

    def render(self, sequence: Sequence, is_whole: bool) -> None:
        seed = sequence.take.utterance.seed
        if is_whole:
            self.whole[seed] = list(sequence.tokens)
            sequence.take.end()
        else:
            self.hops.append((seed, len(sequence.tokens)))

    def submit(
        self,
        seed: int,
        *,
        turn: int = 0,
        tokens: int = TOKENS,
        stream: Stream | None = None,
        voice: Future[EncodedVoice] | None = None,
    ) -> ChatterboxTake:
        take = ChatterboxTake(say("turbo", seed=seed, turn=turn), self.scheduler.wake)
        self.scheduler.submit(Sequence(take, text_of(seed), SAMPLING, voice or default_voice(), tokens, stream))
        return take

    def submit_errand(self, work: Callable[[ChatterboxTake], None]) -> ChatterboxTake:
        take = ChatterboxTake(say("turbo"), self.scheduler.wake)
        self.scheduler.submit_errand(Errand(take, functools.partial(work, take)))
        return take


def text_of(seed: int) -> list[int]:
    return [40 + seed % 50, *range(5, 5 + seed % 7)]


@cache
def default_voice() -> Future[EncodedVoice]:
    return encoded_voice("turbo")


@cache
def tokens_alone(seed: int) -> tuple[int, ...]:
    batch = Batch(slots=1)
    list(batch.submit(seed))
    batch.scheduler.close()
    return tuple(batch.whole[seed])


def allow(batch: Batch, steps: int) -> None:
    """Let `steps` steps happen, and wait until the next one is requested."""
    assert batch.gate is not None
    for _ in range(steps):
        assert batch.at_gate.acquire(timeout=60)
        batch.gate.release()
    assert batch.at_gate.acquire(timeout=60)
    batch.at_gate.release()
