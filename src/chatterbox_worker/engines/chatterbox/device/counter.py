"""Random numbers as a pure function of a key and an index, the same on every device.

torch's own generators depend on the device: on a GPU even on its number of multiprocessors. Here a number depends on
nothing but its key and its index: not on the batch, the order of drawing or how many are drawn at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 2**64 / golden ratio as a signed integer: splitmix64's increment (Steele et al. 2014)
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9, splitmix64's first multiplier
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB, its second


def keys(seeds: Tensor, streams: Tensor) -> Tensor:
    """A key for each seed and stream, all int64 of one shape. `seeds` below 2**63; streams are any numbers."""
    return _mix(_mix(seeds * _GOLDEN) + streams * _GOLDEN)


def counters(count: int, start: int = 0, *, device: torch.device) -> Tensor:
    """The counters (count,) int64 of the numbers from `start` on, for `uniform_at`."""
    return torch.arange(start + 1, start + count + 1, device=device) * _GOLDEN


def uniform_at(key: Tensor, counters: Tensor) -> Tensor:
    """Each key's (...,) numbers at `counters` (count,): (..., count) float32 between 0 and 1, exclusive.

    splitmix64 over a counter, keyed; its top 23 bits become a number in the middle of its cell, so that it is exact in
    float32 and never 0 or 1. Integer arithmetic wraps the same way on a CPU and on a GPU.
    """
    x = key[..., None] + counters
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2  # the hash's last step is left out, because it does not reach the top 31 bits
    return _shift(x, 64 - 23) * 2.0**-23 + 2.0**-24


def uniform(key: Tensor, count: int, start: int = 0) -> Tensor:
    """`uniform_at` for numbers `start` to `start + count - 1` of each key."""
    return uniform_at(key, counters(count, start, device=key.device))


def normal(key: Tensor, count: int, start: int = 0) -> Tensor:
    """The same with mean 0 and variance 1: sqrt(2) erfinv(2u - 1). At most 5.2; devices differ in the last bits."""
    return torch.erfinv(uniform(key, count, start) * 2 - 1) * math.sqrt(2)


def _mix(x: Tensor) -> Tensor:
    """splitmix64's finaliser, a bijection of the 64-bit integers."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right of signed 64-bit integers."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
