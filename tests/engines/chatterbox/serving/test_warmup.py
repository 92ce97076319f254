"""Captures in advance, without a GPU: in which order, when, and that requests do not wait for them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from chatterbox_worker.engines.chatterbox import engine
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS, HOP_BUCKETS
from chatterbox_worker.engines.chatterbox.serving.render import RenderJob
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.serving.scheduler import Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue, sound_captures, speech_captures
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.tiny_engine import CPU, encoded_voice, graphed_s3gen, parts, prompt, say

MODELS = ["turbo", "multilingual"]


def numbered_capture(done: list[int], number: int, *, is_done: bool = True) -> Callable[[], bool]:
    def capture() -> bool:
        done.append(number)
        return is_done

    return capture


def test_hot_captures_come_first_and_waiting_callers_continue_after_them() -> None:
    done: list[int] = []
    captures = CaptureQueue([numbered_capture(done, 0), numbered_capture(done, 1)], [numbered_capture(done, 2)])
    assert not captures.wait_hot(0)
    captures.capture_next()
    captures.capture_next()
    assert captures.wait_hot(0)
    assert not captures.wait_all(0)
    captures.capture_next()
    assert captures.wait_all(0)
    assert (done, bool(captures)) == ([0, 1, 2], False)


def test_requests_that_follow_each_other_closely_wait_for_no_capture() -> None:
    now, done = [0.0], list[int]()
    captures = CaptureQueue([numbered_capture(done, 0)], [numbered_capture(done, 1)], clock=lambda: now[0])
    captures.mark_busy()
    assert captures.wait_s == 0  # the hot ones are what a start waits for
    captures.capture_next()
    assert captures.wait_s == 0.25
    now[0] = 0.2
    assert captures.wait_s == pytest.approx(0.05)
    captures.mark_busy()
    assert captures.wait_s == 0.25
    now[0] = 0.5
    assert captures.wait_s == 0
    captures.capture_next()
    assert captures.wait_s == math.inf
    assert done == [0, 1]


def test_captures_end_when_memory_is_short_and_when_one_fails() -> None:
    def fails() -> bool:
        raise torch.OutOfMemoryError("CUDA out of memory")

    for bad in (numbered_capture([], 0, is_done=False), fails):
        captures = CaptureQueue([bad, numbered_capture([], 1)], [numbered_capture([], 2)])
        captures.capture_next()
        assert not captures
        assert captures.wait_hot(0)
        assert captures.wait_all(0)


def test_nothing_waits_for_an_empty_queue() -> None:
    assert CaptureQueue().wait_hot(0)
    assert CaptureQueue().wait_all(0)


def list_captures(captures: CaptureQueue) -> list[Any]:
    """The queued captures, in order, by name and variant."""
    queued: list[Any] = captures._remaining[::-1]
    return [(f"{type(each.func.__self__).__name__}.{each.func.__name__}", each.args[0]) for each in queued]


def test_the_hottest_graphs_are_a_single_callers_and_all_are_listed_once() -> None:
    slots = Slots(parts("turbo").t3, 4, 700, context_step=128)
    captures = speech_captures(slots, 101, sorts=True)
    every = list_captures(captures)
    hot, later = every[: -captures._later], every[-captures._later :]
    assert hot == [
        ("Slots.warm_text", (256, 32)), ("Slots.warm_text", (256, 64)),
        ("Slots.warm_step", (1, 128, True)), ("Slots.warm_step", (1, 256, True)), ("Slots.warm_step", (1, 384, True)),
    ]  # fmt: skip
    assert len(set(every)) == len(every)
    assert ("Slots.warm_step", (4, 700, False)) in later
    assert all(shape[1] > 101 for name, shape in every if name == "Slots.warm_step")

    sounds = sound_captures(graphed_s3gen("turbo", None, BUCKETS), 250)
    every = list_captures(sounds)
    assert every[: -sounds._later] == [
        ("FlowGraphs.warm", (1, 256)), ("FlowGraphs.warm", (1, 320)),
        ("FlowGraphs.warm", (1, 384)), ("FlowGraphs.warm", (1, 448)),
        ("VocoderGraphs.warm", (1, 64)), ("VocoderGraphs.warm", (1, 128)), ("VocoderGraphs.warm", (1, 192)),
        *[("VocoderGraphs.warm_hops", (1, length)) for length in HOP_BUCKETS],
    ]  # fmt: skip
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("model", MODELS)
def test_an_engines_captures_begin_with_its_own_voice(model: str) -> None:
    own, prefix = parts(model), encoded_voice(model).result().prefix.length
    speech, sound = engine._captures(own, Slots(own.t3, 2, 900, context_step=128))
    assert list_captures(speech)[0] == ("Slots.warm_text", (-(-(prefix + 32) // 128) * 128, 32))
    assert ("Slots.warm_step", (1, -(-(prefix + 1) // 128) * 128, own.layout.is_gpt)) in list_captures(speech)
    assert not sound  # on a CPU there are no buckets


class SlowCaptures:
    """Captures that signal when one starts, and wait for permission to continue."""

    def __init__(self, count: int) -> None:
        self.started, self.may_continue = threading.Semaphore(0), threading.Semaphore(0)
        self.done = 0
        self.captures = CaptureQueue([], [self.one] * count)

    def one(self) -> bool:
        self.started.release()
        assert self.may_continue.acquire(timeout=60)
        self.done += 1
        return True


def sequence_of(scheduler: Scheduler, seed: int) -> Sequence:
    take = ChatterboxTake(say("turbo", seed=seed), scheduler.wake)
    return Sequence(take, [40, 5], Sampling(temperature=0.8), encoded_voice("turbo"), 5)


def test_a_request_waits_for_one_capture_at_most_and_the_others_are_done_afterwards() -> None:
    slow, done_at_end = SlowCaptures(3), []

    def render(sequence: Sequence, is_whole: bool) -> None:
        done_at_end.append(slow.done)
        sequence.take.end()

    scheduler = Scheduler(Slots(parts("turbo").t3, 2, 500), render, name="test", captures=slow.captures)
    assert slow.started.acquire(timeout=60)
    one = sequence_of(scheduler, 1)
    scheduler.submit(one)
    slow.may_continue.release()
    list(one.take)
    slow.may_continue.release(2)

    assert slow.captures.wait_all(10)
    assert done_at_end == [1]
    scheduler.close()


def test_closing_skips_the_captures_that_are_left() -> None:
    slow = SlowCaptures(1000)
    scheduler = Scheduler(Slots(parts("turbo").t3, 1, 500), lambda *_: None, name="test", captures=slow.captures)
    assert slow.started.acquire(timeout=60)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    slow.may_continue.release()
    closing.join(60)
    assert not closing.is_alive()
    assert slow.done == 1


def test_sound_captures_pause_while_more_work_is_coming_or_waiting() -> None:
    slow, is_busy, rendered = SlowCaptures(2), threading.Event(), []

    def make(jobs: Any) -> None:
        rendered.append(slow.done)
        for each in jobs:
            each.take.end()

    is_busy.set()
    queue = RenderQueue(make, CPU, in_background=True, more_to_come=is_busy.is_set, captures=slow.captures)
    assert not slow.started.acquire(timeout=0.5)
    is_busy.clear()
    assert slow.started.acquire(timeout=60)
    take = ChatterboxTake(say("turbo"), lambda: None)
    queue.submit(RenderJob(take, prompt("turbo"), [1, 2, 3], last=True))
    slow.may_continue.release()
    list(take)
    slow.may_continue.release()
    assert slow.captures.wait_all(10)
    assert rendered == [1]
    queue.close()


def test_captures_under_load_take_a_tenth_of_the_time_at_most() -> None:
    now, done = [0.0], []

    def capture() -> bool:
        now[0] += 0.35
        done.append(now[0])
        return True

    captures = CaptureQueue(wanted=lambda: capture, clock=lambda: now[0])
    while now[0] < 100:
        captures.capture_wanted()
        now[0] += 0.01  # a step
    assert sum(0.35 for _ in done) < 0.11 * now[0]
    assert len(done) > 25
    before = len(done)
    captures.capture_next()  # nobody waits
    captures.capture_next()
    assert len(done) == before + 2
    captures.stop()
    assert not captures
    captures.capture_next()
    captures.capture_wanted()
    assert len(done) == before + 2


def test_a_wanted_capture_that_fails_again_and_again_is_left_alone() -> None:
    calls = []

    def capture() -> bool:
        calls.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    captures = CaptureQueue(wanted=lambda: capture)
    for _ in range(100):
        if captures:
            captures.capture_next()
    assert len(calls) < 10
