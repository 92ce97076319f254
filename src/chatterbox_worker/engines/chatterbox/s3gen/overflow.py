"""A flow in another float type, for the mels that overflow the first one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]


def with_dtype(thing: T, dtype: torch.dtype) -> T:
    """A copy of an object of this package in which all float16 tensors have `dtype`, at any depth; others are shared.

    `thing` is a tree of objects, lists, tuples and mappings; float32 tensors are kept, since they are so on purpose.
    """
    return _cast(thing, dtype)  # type: ignore[no-any-return]


def _cast(thing: Any, dtype: torch.dtype) -> Any:
    cast = thing
    if isinstance(thing, Tensor):
        cast = thing.to(dtype) if thing.dtype is torch.float16 else thing
    elif isinstance(thing, tuple):
        parts = [_cast(part, dtype) for part in thing]
        cast = type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
    elif isinstance(thing, list):
        cast = [_cast(part, dtype) for part in thing]
    elif isinstance(thing, Mapping):
        cast = {name: _cast(part, dtype) for name, part in thing.items()}
    elif thing is torch.float16:
        cast = dtype
    elif type(thing).__module__.partition(".")[0] == _PACKAGE and not isinstance(thing, type):
        cast = copy.copy(thing)
        for name in [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())]:
            object.__setattr__(cast, name, _cast(getattr(thing, name), dtype))
    return cast
