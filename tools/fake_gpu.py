"""A simulated GPU: modules whose tensors have shapes, types and strides on a GPU, and no values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

CUDA = torch.device("cuda:0")


def on_cuda(thing: Any, mode: FakeTensorMode, seen: dict[int, Any] | None = None) -> Any:
    """`thing` with all its tensors, at any depth in objects of this project, on the GPU.

    Its objects are changed, not copied.
    """
    seen = {} if seen is None else seen
    if id(thing) in seen:
        return seen[id(thing)]
    moved = thing
    if isinstance(thing, Tensor):
        plain = thing.to_dense() if thing.is_mkldnn else thing  # a CPU's own layout
        moved = FakeTensor(mode, plain.detach().to("meta"), CUDA)
    elif isinstance(thing, torch.device):
        moved = CUDA
    elif isinstance(thing, tuple):
        parts = [on_cuda(part, mode, seen) for part in thing]
        moved = type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    elif isinstance(thing, list):
        moved = [on_cuda(part, mode, seen) for part in thing]
    elif isinstance(thing, Mapping):
        moved = {name: on_cuda(part, mode, seen) for name, part in thing.items()}
    elif type(thing).__module__.startswith("chatterbox_worker") and not isinstance(thing, type) and not _is_enum(thing):
        seen[id(thing)] = thing
        for name in [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]:
            object.__setattr__(thing, name, on_cuda(getattr(thing, name), mode, seen))
    seen[id(thing)] = moved
    return moved


def _is_enum(thing: object) -> bool:
    return hasattr(thing, "_value_")
