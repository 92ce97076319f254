"""The batch: takes join, wait, fail and leave, also where memory is short."""

from __future__ import annotations

import collections.abc
import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Voice
from chatterbox_worker.engines.chatterbox.serving import scheduler as scheduler_module
from chatterbox_worker.engines.chatterbox.serving.queue_policy import BatchLimit
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.scheduler import Errand, Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import Cancelled, DeviceFailed, InvalidRequest, SynthesisFailed
from support.short_memory import limit_memory
from support.tiny_engine import encoded_voice, parts, say, sound_of, tiny_engine

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


@pytest.fixture(params=[0, 1], ids=["read at once", "read one step late, as on a GPU"])
def batch(request: pytest.FixtureRequest) -> Iterator[Batch]:
    batch = Batch()
    batch.scheduler._lag = request.param
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
        assert batch.at_gate.acquire(timeout=60)
        batch.gate.release()
    assert batch.at_gate.acquire(timeout=60)
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


def test_a_voice_that_cannot_be_used_fails_its_own_take(gated: Batch) -> None:
    gated.submit(1, tokens=1000)
    allow(gated, 1)
    unusable: Future[EncodedVoice] = Future()
    unusable.set_exception(InvalidRequest("the reference audio is silent"))
    take = gated.submit(2, voice=unusable)
    allow(gated, 1)
    with pytest.raises(InvalidRequest, match="silent"):
        list(take)
    assert gated.scheduler.active == 1


def test_the_end_as_the_first_token_is_fed_back_as_upstreams_gpt2_loop_does(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    eos = batch.slots.t3.eos
    drawn = iter([5, 7])
    monkeypatch.setattr(batch.slots, "read", lambda output: [[next(drawn, eos)]] * len(output))
    take = ChatterboxTake(say("turbo", seed=2), batch.scheduler.wake)
    batch.scheduler.submit(
        Sequence(take, [40], SAMPLING, default_voice(), TOKENS, Stream(), tokens=[eos, 5])  # sent back
    )
    list(take)
    assert batch.whole[2] == [eos, 5, 5, 7]
    list(batch.submit(1))
    assert batch.whole[1] == [eos]


def test_takes_join_and_leave_at_any_step_with_the_tokens_they_have_alone(batch: Batch) -> None:
    takes = [batch.submit(seed, turn=seed % 3) for seed in range(9)]
    for take in takes:
        list(take)
    tokens = {seed: tuple(tokens) for seed, tokens in batch.whole.items()}
    assert tokens == {seed: tokens_alone(seed) for seed in range(9)}


def test_a_take_that_fills_its_slot_ends_with_a_warning(batch: Batch) -> None:
    take = batch.submit(1, tokens=1000)
    list(take)
    filled = default_voice().result().prefix.length + 3  # of its text: two tokens and the BOS
    assert len(batch.whole[1]) == 500 - filled
    assert take.facts.hit_limit
    assert take.warnings[0].startswith(f"the model did not stop within {500 - filled} tokens")


def test_a_take_whose_numbers_overflow_fails_and_its_neighbours_do_not(batch: Batch) -> None:
    voice, broken = default_voice().result(), Future[EncodedVoice]()
    broken.set_result(replace(voice, prefix=Prefix(torch.full_like(voice.prefix.keys_values, torch.inf))))
    takes = [batch.submit(1, voice=broken), batch.submit(2)]
    with pytest.raises(SynthesisFailed, match="numbers overflow with this voice"):
        list(takes[0])
    for take in (takes[1], batch.submit(3), batch.submit(4)):
        list(take)
    assert {seed: tuple(tokens) for seed, tokens in batch.whole.items()} == {n: tokens_alone(n) for n in (2, 3, 4)}


def test_a_stream_is_rendered_at_every_hop_and_at_its_end(batch: Batch) -> None:
    list(batch.submit(3, tokens=60, stream=Stream()))
    codes = [code for code in batch.whole[3] if code < 6561]
    assert len(codes) == 60
    assert batch.hops == [(3, 15), (3, 27), (3, 52)]


def test_the_time_of_the_tokens_is_without_that_of_the_sound(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        @staticmethod
        def perf_counter() -> float:
            return 500 + batch.steps + 1000.0 * len(batch.hops)

    monkeypatch.setattr(scheduler_module, "time", Clock)
    take = batch.submit(3, tokens=60, stream=Stream())
    list(take)
    assert len(batch.hops) == 3
    assert take.timings["t3_s"] == 60 + batch.scheduler._lag


# Work without T3


def fail_with(error: Exception, _: ChatterboxTake) -> None:
    raise error


def test_an_errand_that_fails_fails_its_own_take_and_a_failed_device_fails_all(batch: Batch) -> None:
    assert list(batch.submit_errand(ChatterboxTake.end)) == []
    with pytest.raises(SynthesisFailed, match="failed while speaking"):
        list(batch.submit_errand(functools.partial(fail_with, KeyError("a bug"))))
    list(batch.submit(1))
    with pytest.raises(DeviceFailed):
        list(batch.submit_errand(functools.partial(fail_with, torch.AcceleratorError("dead"))))
    with pytest.raises(DeviceFailed):
        list(batch.submit(2))
    with pytest.raises(DeviceFailed):
        list(batch.submit_errand(ChatterboxTake.end))


def test_a_cancelled_errand_is_not_done_and_one_between_two_steps_is(gated: Batch) -> None:
    gated.submit(1, tokens=1000)
    allow(gated, 1)
    done: list[ChatterboxTake] = []
    errands = [gated.submit_errand(done.append) for _ in range(3)]
    errands[0].cancel()
    allow(gated, 3)
    assert done == errands[1:]
    assert not any(take.is_over for take in done)


# Out of memory


def test_a_step_that_does_not_fit_shrinks_the_batch_and_fails_no_take(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {seed: tokens_alone(seed) for seed in range(7)}
    refused = limit_memory(monkeypatch, lambda rows, tokens: rows <= 2 or tokens > 1)
    monkeypatch.setattr(BatchLimit, "GROW_AFTER", 7)

    takes = [batch.submit(seed) for seed in range(7)]
    for take in takes:
        list(take)

    assert {seed: tuple(tokens) for seed, tokens in batch.whole.items()} == expected
    assert refused == [(4, 1), (4, 1)]  # it tried, tried again with all memory freed, and then not again
    assert batch.scheduler._limit.current == 3  # after the seven takes, one more is tried


def test_a_step_that_does_not_fit_fails_no_take_that_is_alone_once_its_neighbour_has_ended(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.scheduler._lag = 1  # as on a GPU: the neighbour's last token is read after the step that does not fit
    limit_memory(monkeypatch, lambda rows, tokens: rows == 1 or tokens > 1 or batch.steps <= TOKENS)

    takes = [batch.submit(0, tokens=2 * TOKENS), batch.submit(1)]
    for take in takes:
        list(take)

    assert [len(batch.whole[seed]) for seed in range(2)] == [2 * TOKENS, TOKENS]
    assert batch.scheduler._limit.current == batch.slots.size


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_take_that_was_sent_back_keeps_its_tokens_and_goes_on_after_them(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, *, is_stream: bool
) -> None:
    """What would be drawn in its next batch differs, as it may by rounding."""
    limit_memory(monkeypatch, lambda rows, tokens: rows == 1 or tokens > 1 or batch.steps <= 5)
    seeded = batch.slots._noise.seed
    monkeypatch.setattr(batch.slots._noise, "seed", lambda slot, seed: seeded(slot, seed + len(batch.admitted)))
    takes = [batch.submit(seed, tokens=40, stream=Stream() if is_stream else None) for seed in range(2)]
    for take in takes:
        list(take)
    assert batch.admitted == [0, 1, 1]
    known, slots = len(batch.given[-1]), Slots(parts("turbo").t3, 1, 500)
    assert known == 5
    for seed, start, end in ((2, 0, known), (3, known, 40)):  # its seeds, by the number of takes admitted before
        slots.prefill(0, default_voice().result().prefix, text_of(1), SAMPLING, seed, tokens=batch.whole[1][:start])
        assert batch.whole[1][start:end] == [int(slots.step()[0]) for _ in range(start, end)]
        slots.release(0)
    assert batch.hops == ([(seed, count) for seed in range(2) for count in (15, 27)] if is_stream else [])


def test_the_wait_of_a_take_that_was_sent_back_counts_once_and_without_its_tokens(batch: Batch) -> None:
    submitted_s = time.perf_counter()
    take = ChatterboxTake(say("turbo", seed=1), batch.scheduler.wake)
    for _ in range(100):
        take.mark_started()
    assert take.timings["queue_s"] <= time.perf_counter() - submitted_s
    take._submitted_s -= 100.0
    take.add_time("t3_s", 40.0)
    take.mark_started()
    assert 60.0 < take.timings["queue_s"] < 61.0 + time.perf_counter() - submitted_s


def test_a_stream_that_was_sent_back_requests_no_hop_twice(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert len(batch.given[2]) > 20


def test_a_text_that_does_not_fit_next_to_others_waits_for_them(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {seed: tokens_alone(seed) for seed in range(3)}
    limit_memory(monkeypatch, lambda rows, tokens: tokens == 1 or batch.scheduler.active == 0)

    takes = [batch.submit(seed) for seed in range(3)]
    for take in takes:
        list(take)

    assert {seed: tuple(tokens) for seed, tokens in batch.whole.items()} == expected


@pytest.mark.parametrize("is_text", [True, False])
def test_a_text_that_does_not_fit_even_alone_fails_and_the_next_is_spoken(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, *, is_text: bool
) -> None:
    with monkeypatch.context() as patch:
        limit_memory(patch, lambda rows, tokens: (tokens == 1) == is_text)
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


def test_without_memory_for_its_attention_a_take_is_spoken_and_a_bug_there_fails_it(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [torch.OutOfMemoryError("CUDA out of memory"), KeyError("a bug")]

    def fail(*_: object) -> None:
        raise errors[0]

    monkeypatch.setattr(batch.slots, "attention", fail)
    list(batch.submit(1))
    assert tuple(batch.whole[1]) == tokens_alone(1)
    del errors[0]
    with pytest.raises(SynthesisFailed, match="failed while speaking"):
        list(batch.submit(2))


@pytest.mark.parametrize("method", ["forward", "logits"])  # the first fails while a take is admitted
def test_a_failed_device_fails_running_waiting_and_later_takes(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.AcceleratorError("an illegal memory access was encountered")

    monkeypatch.setattr(T3, method, fail)
    takes = [batch.submit(seed) for seed in range(7)]
    for take in takes:
        with pytest.raises(DeviceFailed):
            list(take)
    with pytest.raises(DeviceFailed):
        list(batch.submit(8))


def test_closing_cancels_all_takes() -> None:
    batch = Batch(slots=1, is_gated=True)
    takes = [batch.submit(seed, tokens=400) for seed in range(3)]
    allow(batch, 1)
    takes.append(batch.submit_errand(ChatterboxTake.end))
    closing = threading.Thread(target=batch.scheduler.close)
    closing.start()
    while not batch.scheduler._closed:
        closing.join(0.001)
    assert batch.gate is not None
    batch.gate.release(10**6)
    closing.join()
    takes += [batch.submit(3), batch.submit_errand(ChatterboxTake.end)]
    for take in takes:
        with pytest.raises(Cancelled):
            list(take)


# The whole engine, for a long time


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
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
