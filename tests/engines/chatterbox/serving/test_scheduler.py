"""The batch: takes join, wait, fail and leave."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engine import Voice
from chatterbox_worker.engines.chatterbox.serving import scheduler as scheduler_module
from chatterbox_worker.engines.chatterbox.serving.render import Stream
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.errors import Cancelled, DeviceFailed, InvalidRequest, SynthesisFailed
from support.batch import SAMPLING, TOKENS, Batch, allow, default_voice, tokens_alone
from support.tiny_engine import say, sound_of, tiny_engine


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
