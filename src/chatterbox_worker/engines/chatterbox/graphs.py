"""Replay a function of static shapes as one CUDA graph for each variant; on other devices simply call it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

Variant = TypeVar("Variant", bound=Hashable)

_WARM_UPS = (
    2  # cuBLAS picks its kernels and workspaces in the first call; the second shows that nothing is left to settle
)


class Graphed(Generic[Variant]):
    """`graphed(variant, *tensors)` runs `function(variant, *tensors)`, on a GPU from a graph captured at the variant's first call.

    The function leaves its results in tensors that it closes over, and must not synchronise with the host. Its arguments are copied
    into buffers of the graph; their shapes and dtypes belong to the variant. Capturing runs the function before the first real run:
    `state` are the closed-over tensors for which once more would be once too often, and they are put back. One thread at a time.
    """

    def __init__(self, function: Callable[..., None], device: torch.device, state: Sequence[Tensor] = ()) -> None:
        self._function = function
        self._device = device
        self._state = state
        self._pool = (
            torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        )  # graphs that never run at once share memory
        self._captured: dict[Variant, tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...]]] = {}

    def __call__(self, variant: Variant, *tensors: Tensor) -> None:
        if self._device.type != "cuda":
            self._function(variant, *tensors)
            return
        self.capture(variant, *tensors)
        graph, inputs = self._captured[variant]
        for held, tensor in zip(inputs, tensors, strict=True):
            held.copy_(tensor)
        graph.replay()

    def capture(self, variant: Variant, *tensors: Tensor) -> None:
        """Get ready for calls of this variant, if it is not yet; nothing that the function does is seen afterwards."""
        if self._device.type != "cuda" or variant in self._captured:
            return
        inputs = tuple(tensor.clone() for tensor in tensors)
        before = [tensor.clone() for tensor in self._state]
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._function(variant, *inputs)
                for tensor, value in zip(self._state, before, strict=True):
                    tensor.copy_(value)
        torch.cuda.current_stream(self._device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Another thread's allocations must not spoil the capture: the vocoder may be at work beside it.
        with torch.cuda.graph(graph, pool=self._pool, stream=side, capture_error_mode="thread_local"):
            self._function(variant, *inputs)
        self._captured[variant] = (graph, inputs)
