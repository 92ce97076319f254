"""Replay a function of static shapes as one CUDA graph per variant; on other devices simply call it.

A captured function must not wait for the device or copy to the host (`item`, boolean indices, `nonzero`), bring a
tensor from the host, draw from a generator or keep a tensor that it created. Tests check this with fake tensors of a
GPU. Constants and cuBLAS workspaces that a first call creates are created in the warm-up, before the capture.

Graphs of one recorder share one memory pool, because they never run at once. The allocator shares it within one stream
only, so a recorder always captures on the same stream, on which nothing else happens (`streams`). A process captures
one graph at a time, and meanwhile nothing may wait for the whole device: both hold `CAPTURE_LOCK`. Other threads may
continue on their own streams (capture mode "thread_local").

Nothing in this engine may draw from torch's default CUDA generator: after a capture that failed in torch 2.11 it
refuses to draw outside graphs.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.failures import (
    CAPTURE_LOCK,
    device_works,
    free_memory,
    is_out_of_memory,
    run,
)
from chatterbox_worker.engines.chatterbox.device.memory import graph_memory
from chatterbox_worker.engines.chatterbox.device.streams import Purpose, stream_of

log = logging.getLogger(__name__)

Variant = TypeVar("Variant", bound=Hashable)

_MOST_FAILURES = 3  # of captures, after which a function is only called; one may be another thread's doing
_WARM_UPS = 2  # cuBLAS selects kernels and workspaces in the first call; the second runs with everything in place


class Recorder(Protocol):
    """Captures work. For one thread and one stream."""

    def has_memory(self) -> bool:
        """Whether there is enough free memory for one more graph."""

    def is_usable(self) -> bool:
        """Whether the device still works, after a capture that failed."""

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        """A function that replays `work`. `work` runs a few times here, each time undone, and has no effect yet."""


class CudaRecorder:
    def __init__(self, device: torch.device, purpose: Purpose) -> None:
        """`purpose`: of the stream on which the graphs are replayed."""
        self._device = device
        self._memory = graph_memory(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = stream_of(device, purpose, captures=True)

    def has_memory(self) -> bool:
        return self._memory.has_room()

    def is_usable(self) -> bool:
        return device_works(self._device)

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        current, graph = torch.cuda.current_stream(self._device), torch.cuda.CUDAGraph()
        with CAPTURE_LOCK, torch.cuda.device(self._device):
            if self._memory.is_tight():
                torch.cuda.empty_cache()
            self._stream.wait_stream(current)
            try:
                with torch.cuda.stream(self._stream):
                    for _ in range(_WARM_UPS):
                        work()
                        undo()
                    before, _ = torch.cuda.mem_get_info(self._device)
                    self._capture(graph, work)
            finally:
                current.wait_stream(self._stream)
            self._memory.add(before - torch.cuda.mem_get_info(self._device)[0], owner=self)
        return graph.replay

    def _capture(self, graph: torch.cuda.CUDAGraph, work: Callable[[], None]) -> None:
        """`torch.cuda.graph` without its `empty_cache`, which waits for the whole device, and with a way back."""
        try:
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
        except BaseException:
            self._abandon(graph)
            raise

    def _abandon(self, graph: torch.cuda.CUDAGraph) -> None:
        """Undo a capture that has failed at any point, on its own stream, so that the process can capture again.

        torch 2.11 leaves the allocator in the capture (pytorch #180395), and `empty_cache` fails from then on. If the
        allocator still has it, its pool has one graph too many as well; if not, the graph's own reset takes it off.
        The pool cannot be shared again once no graph uses it, so the next graphs get another.
        """
        _abandoned.append(graph)
        if torch.cuda.is_current_stream_capturing():
            with contextlib.suppress(RuntimeError):
                graph.capture_end()
        with contextlib.suppress(RuntimeError):
            graph.reset()
        with contextlib.suppress(RuntimeError):
            torch._C._cuda_endAllocateToPool(_index(self._device), self._pool)
            torch._C._cuda_releasePool(_index(self._device), self._pool)
        self._pool = torch.cuda.graph_pool_handle()


_abandoned: list[torch.cuda.CUDAGraph] = []
"""Graphs whose capture failed: the allocator of pinned memory may still ask them whether they are being captured."""


def _index(device: torch.device) -> int:
    return device.index or 0


def recorder_of(device: torch.device, purpose: Purpose) -> Recorder | None:
    """None if the device has no graphs."""
    return CudaRecorder(device, purpose) if device.type == "cuda" else None


class Arena:
    """Shared memory for buffers that are never in use at once: per name, the longest buffer so far."""

    def __init__(self) -> None:
        self._buffers: dict[Hashable, Tensor] = {}

    def like(self, name: Hashable, tensor: Tensor) -> Tensor:
        """A contiguous buffer of the tensor's shape, dtype and device. Its content is undefined."""
        return self.get(name, tensor.shape, tensor.dtype, tensor.device)

    def get(self, name: Hashable, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        size = math.prod(shape) * dtype.itemsize
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:  # earlier, shorter buffers stay in use, so grow by at least half
            capacity = max(size, 0 if buffer is None else len(buffer) * 3 // 2)
            buffer = self._buffers[name] = torch.empty(capacity, dtype=torch.uint8, device=device)
        return buffer[:size].view(dtype).view(tuple(shape))


class Graphed(Generic[Variant]):
    """`graphed(variant, *tensors)` runs `function(variant, *tensors)`, as a graph if the variant was captured.

    The function writes its results to tensors that it closes over and follows the rules above. Its arguments are copied
    into buffers of the graph; their shapes and dtypes are fixed per variant. Capturing runs the function before the
    first real run: `state` are the closed-over tensors that must not change by it; they are restored. For one thread at
    a time.

    A call never captures: `wanted` names what was called twice without a graph, and the owner captures it when that
    delays no one for long. What cannot be captured on this device, or does not fit into memory, is called instead.
    """

    def __init__(self, function: Callable[..., None], recorder: Recorder | None, state: Sequence[Tensor] = ()) -> None:
        self._function, self._recorder, self._state = function, recorder, state
        self._name = getattr(function, "__name__", "a function")
        self._failures = 0  # of captures, without those for memory
        self._arena = Arena()
        self._captured: dict[Variant, tuple[Callable[[], None], tuple[Tensor, ...]]] = {}
        self._calls: Counter[Variant] = Counter()  # without a graph
        self._wanted: dict[Variant, None] = {}  # in order

    def __call__(self, variant: Variant, *tensors: Tensor) -> None:
        if variant not in self._captured or not self._replay(variant, *tensors):
            self._count(variant)
            self._function(variant, *tensors)

    def is_ready(self, variant: Variant) -> bool:
        """Whether a call of this variant runs at full speed."""
        return self._recorder is None or variant in self._captured

    @property
    def wanted(self) -> list[Variant]:
        """The variants that should be captured next, the one that was first called twice first."""
        return list(self._wanted)

    def capture(self, variant: Variant, *tensors: Tensor) -> bool:
        """Prepare calls of this variant, if there is memory for it. Returns whether it is ready now.

        Raises the failure if the device does not work any more.
        """
        if self.is_ready(variant):
            return True
        self._wanted.pop(variant, None)
        recorder = self._recorder
        if recorder is None or self._has_given_up() or not recorder.has_memory():
            return False
        failure = self._try_to_capture(recorder, variant, tensors)
        if failure is None:
            return True
        if is_out_of_memory(failure):
            log.info("there is not enough memory to capture %s %s as a CUDA graph", self._name, variant)
            free_memory()
            return False
        if not recorder.is_usable():
            raise failure
        log.warning(
            "%s %s cannot be captured as a CUDA graph and runs without one", self._name, variant, exc_info=failure
        )
        self._failures += 1
        if self._has_given_up():
            self._wanted.clear()
        return False

    def _has_given_up(self) -> bool:
        return self._failures >= _MOST_FAILURES

    def close(self) -> None:
        """Free the graphs and let go of the function, whose owner would otherwise live until the next collection."""
        self._captured.clear()
        self._function = _closed

    def _try_to_capture(self, recorder: Recorder, variant: Variant, tensors: Sequence[Tensor]) -> Exception | None:
        """Returns the failure; if it is out of memory, it no longer keeps the capture's tensors alive."""
        before: list[Tensor] = []

        def undo() -> None:
            for tensor, value in zip(self._state, before, strict=True):
                tensor.copy_(value)

        def capture() -> None:
            inputs = tuple(self._arena.like(index, tensor) for index, tensor in enumerate(tensors))
            for buffer, tensor in zip(inputs, tensors, strict=True):
                buffer.copy_(tensor)
            before.extend(tensor.clone() for tensor in self._state)
            try:
                replay = recorder.record(lambda: self._function(variant, *inputs), undo)
            except BaseException:
                undo()
                raise
            self._captured[variant] = replay, inputs

        return run(capture)

    def _replay(self, variant: Variant, *tensors: Tensor) -> bool:
        """Returns False, and forgets the graph, if there is no memory to launch it."""
        replay, inputs = self._captured[variant]
        for buffer, tensor in zip(inputs, tensors, strict=True):
            buffer.copy_(tensor)
        failure = run(replay)
        if failure is None:
            return True
        if not is_out_of_memory(failure):
            raise failure
        del self._captured[variant]
        return False

    def _count(self, variant: Variant) -> None:
        """A variant is wanted after 2 calls, and if it could not be captured, again after 4, 8, 16 and so on."""
        self._calls[variant] += 1
        calls = self._calls[variant]
        if self._recorder is not None and not self._has_given_up() and calls > 1 and calls & (calls - 1) == 0:
            self._wanted[variant] = None


def _closed(*_: object) -> None:
    raise AssertionError("a function was called after it had been closed")
