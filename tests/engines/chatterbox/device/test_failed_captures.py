"""A capture that fails at any point leaves the process able to capture, to allocate and to speak."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
import torch

from chatterbox_worker.engines.chatterbox.device import failures, memory, streams
from chatterbox_worker.engines.chatterbox.device.failures import (
    answer_to,
    free_memory,
    is_device_failure,
    is_out_of_memory,
)
from chatterbox_worker.engines.chatterbox.device.graphs import CudaRecorder, Graphed, recorder_of
from chatterbox_worker.engines.chatterbox.device.memory import GraphMemory
from chatterbox_worker.engines.chatterbox.device.streams import Purpose, stream_of, work_on_stream
from chatterbox_worker.errors import DeviceFailed, SynthesisFailed
from support.fake_cuda_runtime import POINTS, FakeRuntime, FakeStream
from support.tiny_engine import CPU, parts, say

GPU = torch.device("cuda:0")
PURPOSES: list[Purpose] = ["tokens", "sound", "watermark", "voices", "adapters"]


class Work:
    """Work that fails in a warm-up or while it is captured, if the runtime says so."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self.runtime, self.runs = runtime, 0

    def __call__(self) -> None:
        self.runs += 1
        self.runtime.fail_at("warm-up" if self.runtime.capturing is None else "work")


@pytest.mark.parametrize("has_graphs", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_after_a_failure_at_any_point_the_process_captures_and_allocates(
    runtime: FakeRuntime, point: str, *, has_graphs: bool
) -> None:
    recorder, before = CudaRecorder(GPU, "tokens"), []
    if has_graphs:
        before = [recorder.record(Work(runtime), lambda: None)]
    runtime.fails_at = point
    with pytest.raises(torch.AcceleratorError):
        recorder.record(Work(runtime), lambda: None)
    runtime.fails_at = None

    assert runtime.current is runtime.default, "the thread goes on with its own stream"
    assert recorder.is_usable()
    runtime.empty_cache()
    assert sum(runtime.users.values()) == len(before), "only whole graphs keep their pool"
    for _ in range(3):
        before.append(recorder.record(Work(runtime), lambda: None))
    for replay in before:
        replay()
    assert sum(runtime.users.values()) == len(before)
    assert not runtime.allocating


@pytest.mark.parametrize("point", POINTS)
def test_a_function_whose_capture_fails_is_called_with_its_state_unchanged(runtime: FakeRuntime, point: str) -> None:
    work, total = Work(runtime), torch.zeros(())

    def function(_: str, amount: torch.Tensor) -> None:
        work()
        total.add_(amount)

    graphed = Graphed[str](function, CudaRecorder(GPU, "tokens"), [total])
    runtime.fails_at = point
    assert not graphed.capture("a", torch.ones(()))
    runtime.fails_at = None
    assert total == 0
    graphed("a", torch.ones(()))
    assert total == 1


def test_a_capture_does_not_wait_for_the_whole_device_unless_memory_is_tight(runtime: FakeRuntime) -> None:
    recorder = CudaRecorder(GPU, "sound")
    recorder.record(Work(runtime), lambda: None)
    assert runtime.emptied == 0
    runtime.free = 5
    recorder.record(Work(runtime), lambda: None)
    assert runtime.emptied == 1


def test_a_capture_waits_for_what_its_stream_needs_and_the_stream_for_the_capture(runtime: FakeRuntime) -> None:
    recorder = recorder_of(GPU, "sound")
    assert isinstance(recorder, CudaRecorder)
    stream: Any = recorder._stream
    recorder.record(Work(runtime), lambda: None)
    assert stream.waits == ["default"]
    assert runtime.default.waits == [stream.handle]
    runtime.fails_at = "work"
    with pytest.raises(torch.AcceleratorError):
        recorder.record(Work(runtime), lambda: None)
    assert runtime.default.waits == [stream.handle] * 2


def test_freeing_memory_never_raises(runtime: FakeRuntime) -> None:
    runtime.allocating.append((0, 99))
    free_memory()
    assert runtime.emptied == 0
    runtime.allocating.clear()
    free_memory()
    assert runtime.emptied == 1


def test_a_device_works_as_long_as_it_can_be_waited_for(runtime: FakeRuntime) -> None:
    assert failures.device_works(GPU)
    runtime.capturing = runtime.current
    assert not failures.device_works(GPU)


def test_only_a_failure_for_memory_loses_its_frames_and_is_tried_again_with_memory_freed(runtime: FakeRuntime) -> None:
    def run_out() -> NoReturn:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def capture() -> None:
        try:
            run_out()
        except torch.OutOfMemoryError as error:
            raise torch.AcceleratorError("capture was invalidated") from error

    failure, bug = failures.attempt(capture), failures.attempt({}.popitem)
    assert runtime.emptied == 1
    assert failure is not None
    assert failure.__cause__ is not None
    assert failure.__traceback__ is failure.__cause__.__traceback__ is None
    assert bug is not None
    assert bug.__traceback__ is not None, "for the log"


# Memory


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. 9.00 GiB allowed"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("CUDA driver error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    NotImplementedError("GET was unable to find an engine to execute this computation"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
    MemoryError(),
]
OTHERS = [
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    torch.AcceleratorError("CUDA error: unspecified launch failure"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    ValueError("out of memory"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:40])
def test_memory_that_is_short_is_no_dead_device(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "device_works", lambda: pytest.fail("nothing to try out"))
    assert is_out_of_memory(error)
    assert not is_device_failure(error)
    assert type(answer_to(error, "speaking")) is SynthesisFailed


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("error", OTHERS, ids=lambda error: str(error)[:40])
def test_a_device_is_dead_if_it_does_not_answer_any_more(
    error: Exception, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    monkeypatch.setattr(failures, "device_works", lambda: works)
    is_of_cuda = "CUDA" in str(error) or "CUDNN" in str(error)
    assert runtime.emptied == 0
    assert not is_out_of_memory(error)
    assert is_device_failure(error) == (is_of_cuda and not works)
    assert isinstance(answer_to(error, "speaking"), DeviceFailed) == (is_of_cuda and not works)


@pytest.mark.parametrize(
    ("free", "reserved", "cached", "fraction", "has_room"),
    [
        (60, 10, 0, 1.0, True), (6, 10, 0, 1.0, False), (6, 10, 1, 1.0, True), (60, 48, 0, 0.5, False),
        (60, 44, 0, 0.5, True),
    ],
)  # fmt: skip
def test_room_for_a_graph_is_what_this_process_may_use(
    runtime: FakeRuntime, free: int, reserved: int, cached: int, fraction: float, *, has_room: bool
) -> None:
    runtime.free, runtime.reserved, runtime.cached, runtime.fraction = free, reserved, cached, fraction
    assert CudaRecorder(GPU, "tokens").has_memory() == has_room


def test_graphs_take_their_share_of_the_memory_and_no_more(runtime: FakeRuntime) -> None:
    account = memory.graph_memory(GPU)
    account.share = 0.2
    recorders = [CudaRecorder(GPU, "tokens"), CudaRecorder(GPU, "sound")]
    captured = 0
    while recorders[captured % 2].has_memory():

        def take() -> None:
            if runtime.capturing is not None:
                runtime.free -= 5

        recorders[captured % 2].record(take, lambda: None)
        captured += 1
    assert captured == 4
    assert account.used_bytes == 20
    del recorders[0]
    assert account.used_bytes == 10, "what leaves gives its share back"
    assert recorders[0].has_memory()
    assert GraphMemory(GPU, share=0.5).has_room()


# Streams


def test_adapters_may_come_and_go_without_a_capture_on_a_stream_in_use(runtime: FakeRuntime) -> None:
    live = [stream_of(GPU, purpose, owner) for purpose in PURPOSES for owner in ("multilingual", "turbo")]
    used: set[Any] = {handle(stream) for stream in live}
    for _ in range(100):
        for purpose in ("tokens", "sound"):
            assert handle(CudaRecorder(GPU, purpose)._stream) not in used
        with work_on_stream(GPU, "adapters"):
            assert runtime.current.handle == handle(stream_of(GPU, "adapters"))
    assert sum(FakeStream.created.values()) < 16
    assert len({handle(CudaRecorder(GPU, "tokens")._stream) for _ in range(40)}) == 1


def handle(stream: object) -> str:
    assert isinstance(stream, FakeStream)
    return stream.handle


@pytest.mark.parametrize(("highest", "expected"), [(-5, [-2, -1, -1, 0, 0]), (-1, [-1, 0, 0, 0, 0]), (0, [0] * 5)])
def test_tokens_go_before_sound_and_sound_before_voices(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch, highest: int, expected: list[int]
) -> None:
    assert runtime.capturing is None
    monkeypatch.setattr(FakeStream, "priority_range", staticmethod(lambda: (0, highest)))
    assert [stream_of(GPU, purpose).priority for purpose in PURPOSES] == expected
    assert stream_of(GPU, "tokens", captures=True).priority == expected[0]
    assert stream_of(GPU, "tokens", captures=True) is not stream_of(GPU, "tokens")


def test_a_stream_is_finished_where_it_is_worked_on(runtime: FakeRuntime) -> None:
    with work_on_stream(GPU, "sound"):
        streams.finish_stream(CPU)
        assert stream_of(GPU, "sound").synchronized == 0  # type: ignore[attr-defined]
        streams.finish_stream(GPU)
    assert stream_of(GPU, "sound").synchronized == 1  # type: ignore[attr-defined]
    assert runtime.default.synchronized == 0


class Block:
    """In a prefix's place: a tensor that knows which streams its memory waits for."""

    device = GPU

    def __init__(self) -> None:
        self.streams: list[object] = []

    def record_stream(self, stream: object) -> None:
        self.streams.append(stream)


def test_a_voice_is_encoded_on_a_stream_of_its_own_and_tokens_wait_on_the_device_only(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatterbox_worker.engines.chatterbox.serving.voices import VoiceCache
    from chatterbox_worker.engines.chatterbox.t3.model import Prefix
    from chatterbox_worker.voices.conditioning import ConditioningStore

    block, encoded_on = Block(), []

    class Model:
        device = GPU

        def encode(self, *_: object) -> Prefix:
            encoded_on.append(runtime.current)
            return Prefix(block)  # type: ignore[arg-type]

    own = parts("turbo")
    monkeypatch.setattr(ConditioningStore, "__init__", lambda *_: None)
    voices = VoiceCache(
        Model(),  # type: ignore[arg-type]
        own.encoders,
        ConditioningStore(),  # type: ignore[call-arg]
        layout=own.layout,
        default_voice=own.default_voice,
        revision="test",
    )
    voice = voices.encode(say("turbo").voice, None).result(timeout=60)
    voices_stream, tokens = stream_of(GPU, "voices"), stream_of(GPU, "tokens")
    assert encoded_on == [voices_stream]
    assert voices_stream.synchronized == 0  # type: ignore[attr-defined]
    assert voices_stream.waits == ["default"], "the weights are there"  # type: ignore[attr-defined]
    with work_on_stream(GPU, "tokens"):
        voice.use()
    assert voice.ready in tokens.waits  # type: ignore[attr-defined]
    assert block.streams == [tokens]
    assert tokens.synchronized == 0  # type: ignore[attr-defined]
    ready: Any = voice.ready
    assert not ready.synchronized
    voices.close()
    assert ready.synchronized, "until then the device reads the model"
