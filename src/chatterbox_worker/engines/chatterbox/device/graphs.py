"""Replay a function of static shapes as one CUDA graph for each variant; on other devices simply call it.

What a captured function must not do: wait for the device or copy to the host (`item`, boolean indices, `nonzero`), bring a tensor
from the host, draw from a generator, keep a tensor that it made. Tests hold the functions to that on tensors that only pretend to
be on a GPU. Constants and cuBLAS workspaces that are made in a first call are made in the warm-up, before the capture.

Graphs of one recorder share one pool of memory, for they never run at once; the allocator shares it within one stream only, so a
recorder captures on one stream for good. In a process one graph is captured at a time, and nothing that waits for the whole device
may happen meanwhile: both hold `ALONE`. Other threads may go on with their own streams (capture mode "thread_local").
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.failures import ALONE, is_out_of_memory

log = logging.getLogger(__name__)

Variant = TypeVar("Variant", bound=Hashable)

_WARM_UPS = (
    2  # cuBLAS picks its kernels and workspaces in the first call; the second shows that nothing is left to settle
)
_SPARE = 1 / 16  # of the device's memory: what batches that are larger than any before will want


class Recorder(Protocol):
    """Captures work. For one thread, and one stream of work."""

    def has_room(self) -> bool:
        """Whether there is memory to spare for one more graph."""

    def is_well(self) -> bool:
        """Whether the device still works, after a capture that failed."""

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        """What replays `work`, which is run and undone a few times before. Nothing that it did is seen afterwards."""


class CudaRecorder:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def has_room(self) -> bool:
        free, total = torch.cuda.mem_get_info(self._device)
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return free + kept > _SPARE * total

    def is_well(self) -> bool:
        try:
            with ALONE:
                torch.cuda.synchronize(self._device)
        except RuntimeError:
            return False
        return True

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        own, side = torch.cuda.current_stream(self._device), self._stream
        graph = torch.cuda.CUDAGraph()
        with ALONE, torch.cuda.device(self._device):
            side.wait_stream(own)
            try:
                with torch.cuda.stream(side):
                    for _ in range(_WARM_UPS):
                        work()
                        undo()
            finally:
                own.wait_stream(side)
            with torch.cuda.graph(graph, pool=self._pool, stream=side, capture_error_mode="thread_local"):
                work()
        return graph.replay


def recorder_of(device: torch.device) -> Recorder | None:
    """None where nothing is captured."""
    return CudaRecorder(device) if device.type == "cuda" else None


class Arena:
    """Buffers that are never in use at once share memory: each name's longest so far."""

    def __init__(self) -> None:
        self._held: dict[Hashable, Tensor] = {}

    def like(self, name: Hashable, tensor: Tensor) -> Tensor:
        """A buffer of the tensor's shape, dtype and device, contiguous. What it holds is anyone's."""
        return self.buffer(name, tensor.shape, tensor.dtype, tensor.device)

    def buffer(self, name: Hashable, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        size = math.prod(shape) * dtype.itemsize
        held = self._held.get(name)
        if held is None or len(held) < size:  # whoever has a shorter one keeps it, so they grow by half at least
            room = max(size, 0 if held is None else len(held) * 3 // 2)
            held = self._held[name] = torch.empty(room, dtype=torch.uint8, device=device)
        return held[:size].view(dtype).view(tuple(shape))


class Graphed(Generic[Variant]):
    """`graphed(variant, *tensors)` runs `function(variant, *tensors)`, by a graph where there is a recorder.

    The function leaves its results in tensors that it closes over and keeps the rules above. Its arguments are copied into
    buffers of the graph; their shapes and dtypes belong to the variant. Capturing runs the function before the first real run:
    `state` are the closed-over tensors for which once more would be once too often, and they are put back. One thread at a time.

    Should it not be capturable on this device after all, no more variants are captured and it is called instead.
    """

    def __init__(
        self,
        function: Callable[..., None],
        recorder: Recorder | None,
        state: Sequence[Tensor] = (),
        *,
        at_once: bool = False,
    ) -> None:
        """`at_once`: a variant that is new is captured when it is called, since it will be called again and again."""
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
        for held, tensor in zip(inputs, tensors, strict=True):
            held.copy_(tensor)
        replay()

    def is_ready(self, variant: Variant) -> bool:
        """Whether a call of this variant captures nothing and is no slower than it can be."""
        return self._recorder is None or variant in self._captured

    def capture(self, variant: Variant, *tensors: Tensor) -> bool:
        """Get ready for calls of this variant, if there is room. Whether they are, now.

        Raises:
            torch.OutOfMemoryError: there was less room than it looked.
        """
        if self.is_ready(variant):
            return True
        recorder = self._recorder
        if recorder is None or self._gave_up or not recorder.has_room():
            return False
        inputs = tuple(self._arena.like(place, tensor) for place, tensor in enumerate(tensors))
        for held, tensor in zip(inputs, tensors, strict=True):
            held.copy_(tensor)
        before = [tensor.clone() for tensor in self._state]

        def undo() -> None:
            for tensor, value in zip(self._state, before, strict=True):
                tensor.copy_(value)

        try:
            replay = recorder.record(lambda: self._function(variant, *inputs), undo)
        except Exception as error:
            if not recorder.is_well():
                raise
            undo()
            if is_out_of_memory(error):
                raise
            log.warning("%s %s cannot be captured and runs without", self._name, variant, exc_info=error)
            self._gave_up = True
            return False
        self._captured[variant] = replay, inputs
        return True
