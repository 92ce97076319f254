"""Replay a function of static shapes as one CUDA graph per variant; on other devices simply call it.

A captured function must not wait for the device or copy to the host (`item`, boolean indices, `nonzero`), bring a
tensor from the host, draw from a generator or keep a tensor that it created. Tests check this with fake tensors of a
GPU. Constants and cuBLAS workspaces that a first call creates are created in the warm-up, before the capture.

Graphs of one recorder share one memory pool, because they never run at once. The allocator shares it within one stream
only, so a recorder always captures on the same stream. A process captures one graph at a time, and meanwhile nothing
may wait for the whole device: both hold `CAPTURE_LOCK`. Other threads may continue on their own streams (capture mode
"thread_local").
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.failures import CAPTURE_LOCK, is_out_of_memory

log = logging.getLogger(__name__)

Variant = TypeVar("Variant", bound=Hashable)

_WARM_UPS = 2  # cuBLAS selects kernels and workspaces in the first call; the second runs with everything in place
_SPARE = 1 / 16  # of the device's memory: for batches that are larger than any before


class Recorder(Protocol):
    """Captures work. For one thread and one stream."""

    def has_memory(self) -> bool:
        """Whether there is enough free memory for one more graph."""

    def is_usable(self) -> bool:
        """Whether the device still works, after a capture that failed."""

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        """A function that replays `work`. `work` runs a few times here, each time undone, and has no effect yet."""


class CudaRecorder:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def has_memory(self) -> bool:
        free, total = torch.cuda.mem_get_info(self._device)
        cached = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return free + cached > _SPARE * total

    def is_usable(self) -> bool:
        try:
            with CAPTURE_LOCK:
                torch.cuda.synchronize(self._device)
        except RuntimeError:
            return False
        return True

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        current, stream = torch.cuda.current_stream(self._device), self._stream
        graph = torch.cuda.CUDAGraph()
        with CAPTURE_LOCK, torch.cuda.device(self._device):
            stream.wait_stream(current)
            try:
                with torch.cuda.stream(stream):
                    for _ in range(_WARM_UPS):
                        work()
                        undo()
            finally:
                current.wait_stream(stream)
            with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
                work()
        return graph.replay


def recorder_of(device: torch.device) -> Recorder | None:
    """None if the device has no graphs."""
    return CudaRecorder(device) if device.type == "cuda" else None


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
    """`graphed(variant, *tensors)` runs `function(variant, *tensors)`, as a graph if there is a recorder.

    The function writes its results to tensors that it closes over and follows the rules above. Its arguments are copied
    into buffers of the graph; their shapes and dtypes are fixed per variant. Capturing runs the function before the
    first real run: `state` are the closed-over tensors that must not change by it; they are restored. For one thread at
    a time.

    If it cannot be captured on this device, no more variants are captured and the function is called instead.
    """

    def __init__(
        self,
        function: Callable[..., None],
        recorder: Recorder | None,
        state: Sequence[Tensor] = (),
        *,
        at_once: bool = False,
    ) -> None:
        """`at_once`: a new variant is captured at its first call, because many more will follow."""
        self._function, self._recorder, self._state, self._at_once = function, recorder, state, at_once
        self._name = getattr(function, "__name__", "a function")
        self._gave_up = False
        self._arena = Arena()
        self._captured: dict[Variant, tuple[Callable[[], None], tuple[Tensor, ...]]] = {}

    def __call__(self, variant: Variant, *tensors: Tensor) -> None:
        if self._at_once:
            self.capture(variant, *tensors)
        if variant not in self._captured:
            self._function(variant, *tensors)
            return
        replay, inputs = self._captured[variant]
        for buffer, tensor in zip(inputs, tensors, strict=True):
            buffer.copy_(tensor)
        replay()

    def is_ready(self, variant: Variant) -> bool:
        """Whether a call of this variant runs at full speed, without capturing first."""
        return self._recorder is None or variant in self._captured

    def capture(self, variant: Variant, *tensors: Tensor) -> bool:
        """Prepare calls of this variant, if there is memory for it. Returns whether it is ready now.

        Raises:
            torch.OutOfMemoryError: there was less free memory than expected.
        """
        if self.is_ready(variant):
            return True
        recorder = self._recorder
        if recorder is None or self._gave_up or not recorder.has_memory():
            return False
        inputs = tuple(self._arena.like(index, tensor) for index, tensor in enumerate(tensors))
        for buffer, tensor in zip(inputs, tensors, strict=True):
            buffer.copy_(tensor)
        before = [tensor.clone() for tensor in self._state]

        def undo() -> None:
            for tensor, value in zip(self._state, before, strict=True):
                tensor.copy_(value)

        try:
            replay = recorder.record(lambda: self._function(variant, *inputs), undo)
        except Exception as error:
            if not recorder.is_usable():
                raise
            undo()
            if is_out_of_memory(error):
                raise
            log.warning(
                "%s %s cannot be captured as a CUDA graph and runs without one", self._name, variant, exc_info=error
            )
            self._gave_up = True
            return False
        self._captured[variant] = replay, inputs
        return True
