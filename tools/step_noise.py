"""Noise for T3's slots by a function of the step, whatever the slot and the seed are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class StepNoise:
    """A `sampling.Noise`."""

    function: Callable[[Tensor, int], Tensor]
    """(steps (n,), vocabulary size V) -> (n, V)."""
    vocabulary: int

    def seed(self, slot: int, seed: int) -> None:
        pass

    def __call__(self, steps: Tensor) -> Tensor:
        return self.function(steps, self.vocabulary)
