"""The noise of any seed and step by its formula, to compare with that of `CounterNoise`, which has its keys ahead."""

from __future__ import annotations

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.counter import keys, uniform


def counter_noise(seeds: Tensor, steps: Tensor, vocabulary: int) -> Tensor:
    """(n, V) for seeds below 2**63 and steps from 0, both (n,) int64."""
    return -torch.log(uniform(keys(seeds, steps), vocabulary))
