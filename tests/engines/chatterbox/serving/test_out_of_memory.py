"""The batch where memory is short: it shrinks, and takes go on later."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from chatterbox_worker.engines.chatterbox.serving.queue_policy import BatchLimit
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import SynthesisFailed
from support.batch import SAMPLING, TOKENS, Batch, default_voice, text_of, tokens_alone
from support.short_memory import limit_memory
from support.tiny_engine import parts, say


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
