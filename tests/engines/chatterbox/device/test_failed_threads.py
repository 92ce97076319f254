"""A capture, a batch or a thread that fails answers every take, and what runs in the background works on."""

from __future__ import annotations

import collections.abc
import contextlib
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest
import torch

from chatterbox_worker.engines.chatterbox.serving.background import Worker
from chatterbox_worker.engines.chatterbox.serving.render import RenderJob
from chatterbox_worker.engines.chatterbox.serving.render_queue import RenderQueue
from chatterbox_worker.engines.chatterbox.serving.scheduler import Scheduler
from chatterbox_worker.engines.chatterbox.serving.sequence import Sequence
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed
from support.fake_cuda import FakeRecorder
from support.fake_cuda_runtime import FakeRuntime
from support.tiny_engine import CPU, encoded_voice, parts, prompt, say


def take_of(scheduler: Scheduler, seed: int = 1) -> ChatterboxTake:
    take = ChatterboxTake(say("turbo", seed=seed), scheduler.wake)
    scheduler.submit(Sequence(take, [40, 5], Sampling(temperature=0.8), encoded_voice("turbo"), 5))
    return take


def end(sequence: Sequence, _: bool) -> None:
    sequence.take.end()


def answer_of(take: ChatterboxTake) -> BaseException | None:
    """The take's failure; fails the test if it is never answered."""
    answers: list[BaseException | None] = []

    def read() -> None:
        try:
            list(take)
        except Exception as error:  # noqa: BLE001 - compared by the caller
            answers.append(error)
        else:
            answers.append(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(60)
    assert answers, "the take hangs"
    return answers[0]


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), torch.AcceleratorError("dead"), KeyError("a bug")]
)
def test_a_capture_that_fails_in_a_poisoned_process_does_not_end_the_batch(
    runtime: FakeRuntime, error: Exception
) -> None:
    runtime.allocating.append((0, 99))  # `empty_cache` asserts from here on

    def capture() -> bool:
        raise error

    captures = CaptureQueue([capture], [capture])
    scheduler = Scheduler(Slots(parts("turbo").t3, 2, 500), end, name="test", captures=captures)
    assert captures.wait_all(10)
    assert answer_of(take_of(scheduler)) is None
    scheduler.close()


def test_captures_whose_list_is_broken_do_not_end_the_batch() -> None:
    class Broken(CaptureQueue):
        def __bool__(self) -> bool:
            return self.calls < 2

        calls = 0

        def capture_next(self) -> None:
            self.calls += 1
            raise RuntimeError("a bug")

    scheduler = Scheduler(Slots(parts("turbo").t3, 2, 500), end, name="test", captures=Broken())
    assert answer_of(take_of(scheduler)) is None
    scheduler.close()


def test_a_busy_batch_captures_its_own_steps_between_two_of_them() -> None:
    recorder = FakeRecorder()
    slots = Slots(parts("turbo").t3, 2, 500, context_step=128)
    for graphed in (slots._step, slots._prefill):
        graphed._recorder = recorder
    scheduler = Scheduler(slots, end, name="test", captures=CaptureQueue(wanted=slots.wanted, clock=lambda: 0.0))
    takes = [take_of(scheduler, seed) for seed in range(4)]
    assert [answer_of(take) for take in takes] == [None] * 4
    scheduler.close()
    assert recorder.recorded >= 1
    assert recorder.replayed >= 1


def test_a_batch_that_cannot_even_be_emptied_answers_all_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: something new")

    monkeypatch.setattr(Slots, "step", fail)
    monkeypatch.setattr(Slots, "release_all", fail)
    scheduler = Scheduler(Slots(parts("turbo").t3, 1, 500), end, name="test")
    takes = [take_of(scheduler, seed) for seed in range(3)]
    assert type(answer_of(takes[0])) is SynthesisFailed
    for take in takes[1:]:
        assert isinstance(answer_of(take), DeviceFailed)
    assert isinstance(answer_of(take_of(scheduler)), DeviceFailed)
    scheduler.close()


def test_a_batch_whose_thread_cannot_start_answers_all_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    from chatterbox_worker.engines.chatterbox.serving import scheduler as module

    def fail(_: object) -> None:
        raise torch.AcceleratorError("CUDA error: initialization error")

    monkeypatch.setattr(module, "work_on", fail)
    scheduler = Scheduler(Slots(parts("turbo").t3, 1, 500), end, name="test")
    assert isinstance(answer_of(take_of(scheduler)), DeviceFailed)
    scheduler.close()


def test_a_render_queue_whose_thread_cannot_start_answers_all_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    from chatterbox_worker.engines.chatterbox.serving import render_queue as module

    has_work = threading.Event()

    def fail(*_: object) -> None:
        assert has_work.wait(60)
        raise torch.AcceleratorError("CUDA error: initialization error")

    monkeypatch.setattr(module, "work_on_stream", fail)
    queue = RenderQueue(lambda _: None, CPU, in_background=True, more_to_come=lambda: False)
    for _ in range(2):
        take = ChatterboxTake(say("turbo"), lambda: None)
        queue.submit(RenderJob(take, prompt("turbo"), [1, 2, 3], last=True))
        has_work.set()
        assert isinstance(answer_of(take), DeviceFailed)
    queue.close()


def test_a_background_thread_works_in_its_stream() -> None:
    is_entered, seen = threading.Event(), list[bool]()

    @contextlib.contextmanager
    def enter() -> Iterator[None]:
        is_entered.set()
        yield
        is_entered.clear()

    worker = Worker("test", enter)
    worker.submit(lambda: seen.append(is_entered.is_set()))
    worker.close()
    assert seen == [True]
    assert not is_entered.is_set()


def test_a_background_thread_works_on_without_its_stream_and_after_work_that_fails() -> None:
    def fail() -> NoReturn:
        raise torch.AcceleratorError("CUDA error: initialization error")

    worker, done = Worker("test", fail), list[int]()
    for work in (lambda: done.append(1), fail, lambda: done.append(2)):
        worker.submit(work)
    worker.close()
    assert done == [1, 2]


def test_a_render_queue_that_is_never_idle_captures_what_it_runs_often() -> None:
    done: list[int] = []

    def capture() -> bool:
        done.append(1)
        return True

    def render(jobs: collections.abc.Sequence[RenderJob]) -> None:
        for each in jobs:
            each.take.end()

    captures = CaptureQueue(wanted=lambda: None if done else capture, clock=lambda: 7.0)
    queue = RenderQueue(render, CPU, in_background=True, more_to_come=lambda: True, captures=captures)
    take = ChatterboxTake(say("turbo"), lambda: None)
    queue.submit(RenderJob(take, prompt("turbo"), [1, 2, 3], last=True))
    assert answer_of(take) is None
    queue.close()
    assert done == [1]
    assert captures._busy_s == 7.0, "captures in idle time wait for some quiet after a batch"


def test_a_voice_on_a_cpu_needs_no_event() -> None:
    voice = encoded_voice("turbo").result()
    voice.use()
    voice.wait()
    assert isinstance(voice, EncodedVoice)
    assert voice.ready is None
