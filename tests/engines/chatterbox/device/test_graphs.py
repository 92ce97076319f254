"""Graphs without a GPU: a fake recorder replaces CUDA's and has the same rules."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Arena, Graphed, recorder_of
from support.fake_cuda import FakeRecorder
from support.tiny_engine import CPU


class Counter:
    """A function with a state and a result that it closes over."""

    def __init__(self) -> None:
        self.total, self.answer = torch.zeros(()), torch.zeros(8)
        self.inputs: set[int] = set()

    def add(self, size: int, given: Tensor) -> None:
        assert given.shape == (size,)
        self.inputs.add(given.data_ptr())
        self.total += given.sum()
        self.answer[:size] = given * 2


def test_without_a_recorder_a_function_is_called() -> None:
    counter = Counter()
    graphed = Graphed[int](counter.add, recorder_of(CPU, "sound"), [counter.total])
    for _ in range(5):
        graphed(3, torch.ones(3))
    assert graphed.is_ready(99)
    assert not graphed.wanted
    assert counter.total == 15


def test_a_variant_is_captured_once_and_replayed_on_its_own_memory() -> None:
    counter, recorder = Counter(), FakeRecorder()
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    graphed(3, torch.ones(3))
    assert recorder.recorded == 0
    assert graphed.capture(3, torch.zeros(3))
    assert graphed.capture(3, torch.zeros(3))
    assert counter.total == 3
    counter.inputs.clear()
    for value in (1.0, 2.0):
        graphed(3, torch.full((3,), value))
        assert counter.answer[:3].tolist() == [2 * value] * 3
    graphed(2, torch.ones(2))

    assert counter.total == 14
    assert (recorder.recorded, recorder.replayed) == (1, 2)
    assert len(counter.inputs) == 2  # without a graph a call has its own tensors


def test_what_runs_twice_without_a_graph_is_wanted_and_if_it_cannot_have_one_ever_less_often() -> None:
    counter, recorder = Counter(), FakeRecorder(capacity=0)
    graphed, wanted_at = Graphed[int](counter.add, recorder, [counter.total]), []
    for call in range(1, 20):
        graphed(3, torch.ones(3))
        if graphed.wanted:
            assert graphed.wanted == [3]
            assert not graphed.capture(3, torch.zeros(3))
            wanted_at.append(call)
    assert wanted_at == [2, 4, 8, 16]
    assert counter.total == 19 * 3


def test_closing_lets_go_of_the_graphs_and_of_the_function() -> None:
    counter = Counter()
    graphed = Graphed[int](counter.add, FakeRecorder(), [counter.total])
    graphed.capture(3, torch.zeros(3))
    alive = weakref.ref(counter)
    graphed.close()
    assert not graphed.is_ready(3)
    del counter
    graphed._state = ()
    assert alive() is None


class FailingRecorder(FakeRecorder):
    def __init__(self, error: Exception, *, is_healthy: bool) -> None:
        super().__init__(is_healthy=is_healthy)
        self.error = error

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        work()
        raise self.error


def test_what_cannot_be_captured_three_times_is_only_called_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    """One failure may be another thread's doing, which waited for the whole device."""
    counter = Counter()
    recorder = FailingRecorder(
        torch.AcceleratorError("operation not permitted when stream is capturing"), is_healthy=True
    )
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    with caplog.at_level(logging.WARNING):
        for size in (2, 3, 4, 5):
            assert not graphed.capture(size, torch.ones(size))
            for _ in range(4):
                graphed(size, torch.ones(size))
    assert counter.total == 56
    assert not graphed.wanted
    assert len(caplog.records) == recorder.recorded == 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_what_runs_out_of_memory_while_it_is_captured_runs_without_a_graph(error: Exception) -> None:
    counter, recorder = Counter(), FailingRecorder(error, is_healthy=True)
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    assert not graphed.capture(2, torch.ones(2))
    assert counter.total == 0
    graphed(2, torch.ones(2))
    assert counter.total == 2
    recorder.record = FakeRecorder().record  # type: ignore[method-assign]
    assert graphed.capture(2, torch.ones(2)), "the memory is free again, and nothing may have given up"


def test_a_graph_that_there_is_no_memory_to_launch_is_called_without_one() -> None:
    counter, recorder = Counter(), FakeRecorder()
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    assert graphed.capture(2, torch.ones(2))

    def launch() -> None:
        raise torch.AcceleratorError("CUDA error: out of memory")

    graphed._captured[2] = launch, graphed._captured[2][1]
    graphed(2, torch.ones(2))
    assert counter.total == 2
    assert not graphed.is_ready(2)


def test_a_graph_whose_launch_fails_otherwise_raises_its_failure() -> None:
    counter, recorder = Counter(), FakeRecorder()
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    assert graphed.capture(2, torch.ones(2))

    def launch() -> None:
        raise torch.AcceleratorError("illegal access")

    graphed._captured[2] = launch, graphed._captured[2][1]
    with pytest.raises(torch.AcceleratorError, match="illegal access"):
        graphed(2, torch.ones(2))
    assert counter.total == 0


def test_a_dead_device_is_raised_to_the_caller() -> None:
    counter, error = Counter(), torch.AcceleratorError("illegal access")
    graphed = Graphed[int](counter.add, FailingRecorder(error, is_healthy=False), [counter.total])
    with pytest.raises(torch.AcceleratorError):
        graphed.capture(2, torch.ones(2))


def test_an_arena_shares_memory_and_grows_if_it_is_too_short() -> None:
    arena = Arena()
    first = arena.like("a", torch.zeros(4, 5))
    second = arena.like("a", torch.zeros(5, 4, dtype=torch.int32))
    assert first.data_ptr() == second.data_ptr()
    assert (second.shape, second.dtype) == ((5, 4), torch.int32)
    longer = arena.like("a", torch.zeros(21))
    assert longer.data_ptr() != first.data_ptr()
    assert arena.like("a", torch.zeros(30)).data_ptr() == longer.data_ptr()  # it grew by half
    assert arena.like("b", torch.zeros(4, 5)).data_ptr() != longer.data_ptr()
