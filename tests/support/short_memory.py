"""A T3 whose passes run out of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.model import T3


def limit_memory(monkeypatch: pytest.MonkeyPatch, fits: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """T3's pass runs out of memory unless `fits(rows, tokens)`. Returns the refused passes."""
    real, refused = T3.forward, []

    def forward(t3: T3, x: Tensor, cache: Tensor, positions: Tensor, *args: Any, **options: Any) -> Tensor:
        rows, tokens = positions.shape
        if not fits(rows, tokens):
            refused.append((rows, tokens))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(t3, x, cache, positions, *args, **options)

    monkeypatch.setattr(T3, "forward", forward)
    return refused
