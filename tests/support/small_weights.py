"""The weights that small ones stand for, to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.quantize import (
    dequantize_int8,
    dequantize_nf4,
    quantize_int8,
    quantize_nf4,
)
from support.checkpoints import linked

ROUND: Mapping[Precision, Callable[[Tensor], Tensor]] = {
    Precision.INT8_WEIGHTS: lambda weight: dequantize_int8(*quantize_int8(weight)),
    Precision.NF4: lambda weight: dequantize_nf4(*quantize_nf4(weight)),
}
"""(outputs, inputs) to the same in float32, as its small form states it."""


def dequantized_state(weights: Mapping[str, Tensor], precision: Precision) -> dict[str, Tensor]:
    """The weights of the blocks as their small form says, one published matrix at a time: rows keep their scales when
    matrices are stacked.
    """
    rounded = dict(weights)
    for name, weight in weights.items():
        if name.startswith(("tfmr.layers.", "tfmr.h.")) and weight.ndim == 2:
            turned = weight.t() if name.startswith("tfmr.h.") else weight  # GPT-2 stores (inputs, outputs)
            whole = ROUND[precision](turned)
            rounded[name] = (whole.t() if name.startswith("tfmr.h.") else whole).contiguous()
    return rounded


def write_dequantized(model: str, precision: Precision, folder: Path) -> Path:
    """The model's tiny checkpoint with those weights in T3's file, in `folder`/`model`; returns `folder`."""
    own = linked(model, folder) / model / LAYOUTS[model].t3
    source = load_file(own)
    own.unlink()
    save_file(dequantized_state(source, precision), own)
    return folder
