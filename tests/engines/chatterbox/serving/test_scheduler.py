"""The batch: takes join, wait, fail and leave, also where memory is short."""

from __future__ import annotations

import collections.abc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Voice
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.scheduler import Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import Cancelled, DeviceFailed, SynthesisFailed
from support.tiny_engine import encoded_voice, parts, say, sound_of, tiny_engine

TOKENS = 12
SAMPLING = Sampling(temperature=0.8)


class Batch:
    """A scheduler over tiny slots, whose takes end when their tokens are complete."""

    def __init__(self, slots: int = 4, *, is_gated: bool = False) -> None:
        self.slots = Slots(parts("turbo").t3, slots, 500)
        self.whole: dict[int, list[int]] = {}
        self.hops: list[tuple[int, int]] = []
        self.admitted: list[int] = []
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
        observe: bool = False,
    ) -> None:
        self._prefill(slot, prefix, text_ids, sampling, seed, observe=observe)
        self.admitted.append(seed)

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
        text = [40 + seed % 50, *range(5, 5 + seed % 7)]
        self.scheduler.submit(Sequence(take, text, SAMPLING, voice or default_voice(), tokens, stream))
        return take


@cache
def default_voice() -> Future[EncodedVoice]:
    return encoded_voice("turbo")


@pytest.fixture
def batch() -> Iterator[Batch]:
    batch = Batch()
    yield batch
    batch.scheduler.close()


@pytest.fixture
def gated() -> Iterator[Batch]:
    batch = Batch(slots=2, is_gated=True)
    yield batch
    assert batch.gate is not None
    batch.gate.release(10**6)
    batch.scheduler.close()


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
        assert batch.at_gate.acquire(timeout=10)
        batch.gate.release()
    assert batch.at_gate.acquire(timeout=10)
    batch.at_gate.release()


def test_a_cancelled_take_frees_its_slot_at_the_next_step(gated: Batch) -> None:
    takes = [gated.submit(seed, tokens=1000) for seed in range(3)]
    allow(gated, 5)
    assert sorted(gated.admitted) == [0, 1]
    steps = gated.steps

    takes[0].cancel()
    allow(gated, 1)

    assert gated.steps == steps + 1
    assert sorted(gated.admitted) == [0, 1, 2]
    assert len(gated.slots.active) == 2


def test_a_failed_take_frees_its_slot_too(gated: Batch) -> None:
    takes = [gated.submit(seed, tokens=1000) for seed in range(2)]
    allow(gated, 2)
    takes[0].fail(SynthesisFailed("its audio could not be generated"))
    allow(gated, 1)
    assert gated.scheduler.active == 1


def test_a_long_text_does_not_starve_a_later_short_one(gated: Batch) -> None:
    for turn in range(150):
        gated.submit(turn, turn=turn)
    allow(gated, 2 * TOKENS)  # two rounds of two slots
    gated.submit(1000)
    allow(gated, 2 * TOKENS)

    assert len(gated.admitted) < 12
    assert 1000 in gated.admitted


def test_a_slow_voice_does_not_delay_others(batch: Batch) -> None:
    slow: Future[EncodedVoice] = Future()
    late = batch.submit(1, voice=slow)
    list(batch.submit(2))
    slow.set_result(default_voice().result())
    list(late)
    assert batch.admitted == [2, 1]


def test_takes_join_and_leave_at_any_step_with_the_tokens_they_have_alone(batch: Batch) -> None:
    takes = [batch.submit(seed, turn=seed % 3) for seed in range(9)]
    for take in takes:
        list(take)
    tokens = {seed: tuple(tokens) for seed, tokens in batch.whole.items()}
    assert tokens == {seed: tokens_alone(seed) for seed in range(9)}


def test_a_stream_is_rendered_at_every_hop_and_at_its_end(batch: Batch) -> None:
    list(batch.submit(3, tokens=60, stream=Stream()))
    codes = [code for code in batch.whole[3] if code < 6561]
    assert len(codes) == 60
    assert batch.hops == [(3, 15), (3, 27), (3, 52)]


# Out of memory


def limit_memory(monkeypatch: pytest.MonkeyPatch, fits: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """T3's pass runs out of memory unless `fits(rows, tokens)`. Returns the refused passes."""
    real, refused = T3.forward, []

    def forward(t3: T3, x: Tensor, cache: Tensor, positions: Tensor, *args: Any, **options: Any) -> Tensor:
        rows, tokens = positions.shape
        if not fits(rows, tokens):
            refused.append((rows, tokens))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(t3, x, cache, positions, *args, **options)

    monkeypatch.setattr(T3, "forward", forward)
    return refused


def test_a_step_that_does_not_fit_shrinks_the_batch_and_fails_no_take(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {seed: tokens_alone(seed) for seed in range(7)}
    refused = limit_memory(monkeypatch, lambda rows, tokens: rows <= 2 or tokens > 1)

    takes = [batch.submit(seed) for seed in range(7)]
    for take in takes:
        list(take)

    assert {seed: tuple(tokens) for seed, tokens in batch.whole.items()} == expected
    assert refused == [(4, 1), (4, 1)]  # it tried, tried again with all memory freed, and then not again


def test_a_stream_that_starts_again_requests_no_hop_twice(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    long_enough = threading.Event()
    limit_memory(monkeypatch, lambda rows, tokens: not (rows > 1 and tokens == 1 and long_enough.is_set()))
    real = Sequence.add_token

    def add_token(sequence: Sequence, token: int) -> bool:
        if len(sequence.tokens) >= 20:
            long_enough.set()
        return real(sequence, token)

    monkeypatch.setattr(Sequence, "add_token", add_token)
    takes = [batch.submit(seed, tokens=40, stream=Stream()) for seed in range(2)]
    for take in takes:
        list(take)

    assert sorted(batch.hops) == [(0, 15), (0, 27), (1, 15), (1, 27)]
    assert [len(batch.whole[seed]) for seed in range(2)] == [40, 40]
    assert len(batch.admitted) == 3


def test_a_text_that_does_not_fit_next_to_others_waits_for_them(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {seed: tokens_alone(seed) for seed in range(3)}
    limit_memory(monkeypatch, lambda rows, tokens: tokens == 1 or batch.scheduler.active == 0)

    takes = [batch.submit(seed) for seed in range(3)]
    for take in takes:
        list(take)

    assert {seed: tuple(tokens) for seed, tokens in batch.whole.items()} == expected


def test_a_text_that_does_not_fit_even_alone_fails_and_the_next_is_spoken(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        limit_memory(patch, lambda rows, tokens: tokens > 1)
        with pytest.raises(SynthesisFailed, match="not enough memory"):
            list(batch.submit(1))
    list(batch.submit(2))
    assert tuple(batch.whole[2]) == tokens_alone(2)


def test_a_step_that_ran_out_of_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, tokens = Slots(parts("turbo").t3, 1, 500), []
    slots.prefill(0, default_voice().result().prefix, [40], SAMPLING, 0)
    for step in range(TOKENS):
        if step % 3 == 1:
            with monkeypatch.context() as patch:
                limit_memory(patch, lambda rows, tokens: False)
                with pytest.raises(torch.OutOfMemoryError):
                    slots.step()
        tokens.append(int(slots.step()[0]))
    assert tuple(tokens) == tokens_alone(0)


def test_a_failed_device_fails_running_waiting_and_later_takes(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("an illegal memory access was encountered")

    monkeypatch.setattr(T3, "logits", fail)
    takes = [batch.submit(seed) for seed in range(7)]
    for take in takes:
        with pytest.raises(DeviceFailed):
            list(take)
    with pytest.raises(DeviceFailed):
        list(batch.submit(8))


def test_closing_cancels_all_takes() -> None:
    batch = Batch(slots=1)
    takes = [batch.submit(seed, tokens=400) for seed in range(3)]
    batch.scheduler.close()
    takes.append(batch.submit(3))
    for take in takes:
        with pytest.raises(Cancelled):
            list(take)


# The whole engine, for a long time


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_flat_over_300_mixed_requests_with_50_voices(tmp_path: Path) -> None:
    def buzz(number: int) -> Voice:
        time = np.arange(6 * 24_000) / 24_000
        wave = 0.2 * np.sign(np.sin(2 * np.pi * (90 + 3 * number) * time)) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
        return Voice("reference", f"buzz-{number}", Audio(wave.astype(np.float32), 24_000))

    engine, draw, after_50 = tiny_engine("turbo", tmp_path, slots=4, max_tokens=40), np.random.default_rng(0), 0
    for number in range(0, 300, 6):
        takes = []
        for seed in range(number, number + 6):
            text = "word " * int(draw.integers(1, 30))
            takes.append(engine.submit(say("turbo", text, seed=seed, voice=buzz(seed % 50), streaming=seed % 3 == 0)))
        takes[draw.integers(6)].cancel()
        for take in takes:
            if not take.is_over:
                sound_of(take)
        if number == 48:
            after_50 = resident_bytes()
    engine.close()
    assert resident_bytes() < 1.03 * after_50
