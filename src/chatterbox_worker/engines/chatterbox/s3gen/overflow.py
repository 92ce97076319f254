"""A flow in another float type, for the mels that overflow the first one."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine

T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]


def with_dtype(thing: T, dtype: torch.dtype) -> T:
    """A copy of an object of this package in which all float16 tensors have `dtype`, at any depth; others are shared.

    `thing` is a tree of objects and lists; float32 tensors are kept, since they are so on purpose.
    """
    return _cast(thing, dtype)  # type: ignore[no-any-return]


def _cast(thing: Any, dtype: torch.dtype) -> Any:
    cast = thing
    if isinstance(thing, Tensor):
        cast = thing.to(dtype) if thing.dtype is torch.float16 else thing
    elif isinstance(thing, Affine):
        cast = Affine(*(_cast(part, dtype) for part in thing))
    elif isinstance(thing, list):
        cast = [_cast(part, dtype) for part in thing]
    elif thing is torch.float16:
        cast = dtype
    elif type(thing).__module__.partition(".")[0] == _PACKAGE:
        cast = copy.copy(thing)
        for name, value in vars(thing).items():
            setattr(cast, name, _cast(value, dtype))
    return cast
