"""The torch library of the project's own operators, known to fake tensors and replayed by graphs as torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

LIBRARY: Any = torch.library.Library("chatterbox_worker", "DEF")  # type: ignore[no-untyped-call]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def fake(name: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Registers a function that makes the operator's result on fake tensors."""

    def register(function: Callable[_P, _T]) -> Callable[_P, _T]:
        torch.library.register_fake(f"chatterbox_worker::{name}", function, lib=LIBRARY)
        return function

    return register
