"""A simulated GPU: a check of what a captured graph may contain, and a recorder that stands in for a GPU's.

`torch`'s fake tensors carry shape, dtype, strides and device through every operation and compute nothing. An operation
on tensors of two devices fails as it would on a GPU, and so does reading a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tools.fake_gpu import CUDA, on_cuda

__all__ = ["CUDA", "Capturable", "FakeRecorder", "on_cuda"]

_WAITS = {
    "_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal", "masked_select", "unique_consecutive", "_unique2",
    "bincount", "repeat_interleave.Tensor", "allclose", "_pin_memory",
}  # fmt: skip
_NOT_DECOMPOSED = {"scaled_dot_product_attention"}  # the GPU chooses its kernels; none of them waits
_DRAWS = {
    "rand",
    "rand_like",
    "randn",
    "randn_like",
    "randint",
    "normal_",
    "uniform_",
    "exponential_",
    "bernoulli_",
    "multinomial",
    "dropout",
    "native_dropout",
}


class Capturable(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails at operations that a CUDA graph cannot contain: a wait, a random draw, a tensor of the host."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.name().removeprefix("aten::")
        base = name.partition(".")[0]
        if name.startswith("prim::"):  # reads a property of the tensor
            return func(*args, **(kwargs or {}))
        if base not in _NOT_DECOMPOSED and func.has_kernel_for_dispatch_key(
            torch._C.DispatchKey.CompositeImplicitAutograd
        ):
            with self:  # the operations that it consists of, since those run
                return func.decompose(*args, **(kwargs or {}))
        assert not {name, base} & _WAITS, f"{name} waits for the device"
        assert base not in _DRAWS, f"{name} draws from a generator"
        if base in ("index", "index_put_", "index_put"):
            assert not any(each.dtype in (torch.bool, torch.uint8) for each in _tensors(args[1])), (
                f"{name} by a mask waits"
            )
        result = func(*args, **(kwargs or {}))
        for tensor in (*_tensors(args), *_tensors(kwargs), *_tensors(result)):
            assert tensor.device == CUDA, f"{name} has a tensor of {tensor.device}"
        self.calls[base] += 1
        return result


def _tensors(thing: Any) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, tuple | list):
        for part in thing:
            yield from _tensors(part)
    elif isinstance(thing, Mapping):
        yield from _tensors(list(thing.values()))


class FakeRecorder:
    """A `graphs.Recorder` that checks its caller: replaying runs the same work on the same memory."""

    def __init__(self, *, capacity: int = 10**6, is_healthy: bool = True) -> None:
        self.capacity, self.is_healthy = capacity, is_healthy
        self.recorded = self.replayed = 0

    def has_memory(self) -> bool:
        return self.recorded < self.capacity

    def is_usable(self) -> bool:
        return self.is_healthy

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        for _ in range(3):  # twice to warm up, then the capture, which executes nothing, so that its work is undone too
            work()
            undo()
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            work()

        return replay
