"""An adapter of random numbers, as fine-tuning would make it, for a T3 of random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chatterbox_worker.engine import Adapter, Factors

LLAMA = ("self_attn.q_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj")
GPT2 = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


def random_adapter(
    weights: Mapping[str, Any],
    *,
    model: str,
    base: str = "0" * 64,
    seed: int = 0,
    rank: int = 4,
    strength: float = 0.5,
    dtype: Any = np.float32,
    names: Sequence[str] = (*LLAMA, *GPT2),
) -> Adapter:
    """An adapter for every layer of a T3 state dict whose name ends with one of `names`."""
    draw, factors = np.random.default_rng(seed), {}
    for weight in sorted(weights):
        module = weight.removesuffix(".weight")
        if module == weight or not module.endswith(tuple(names)):
            continue
        outputs, inputs = weights[weight].shape if module.startswith("tfmr.layers.") else weights[weight].shape[::-1]
        down = draw.standard_normal((rank, inputs)) / inputs**0.5
        factors[module] = Factors(down.astype(dtype), (strength * draw.standard_normal((outputs, rank))).astype(dtype))
    return Adapter(model, base, rank, 2.0 * rank, factors)
