"""float32 matrix products on a CPU, with weights in the layout that oneDNN reads fastest.

The layout is oneDNN's own and opaque: such a tensor has its shape, but only the products here can use it. It costs a
copy of the weights at start-up. Measured on 2 cores of an AVX-512 CPU, against `F.linear` and MKL: 217 to 229 GFLOP/s
for 750 rows instead of 187 to 206; for 1 to 7 rows, where reading the weights is the whole cost, 15 to 30 GB/s instead
of 5 to 20. The operators are those that torch's own compiler emits; torch is pinned.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Then = Literal["none", "gelu", "gelu_tanh", "swish"]

_POST_OPS: dict[Then, tuple[str, str]] = {
    "none": ("none", ""),
    "gelu": ("gelu", "none"),
    "gelu_tanh": ("gelu", "tanh"),
    "swish": ("swish", ""),
}

_LINE = 64  # bytes of a cache line, to which torch aligns what it allocates


def align(tensor: Tensor) -> Tensor:
    """The tensor at the start of a cache line; a copy if it is elsewhere, as in a mapped file. For tensors on a CPU.

    MKL's products with one row or one output, and attention for one query, round differently from an address that 16
    bytes do not divide (AVX2; 1e-7 of the result). safetensors aligns to 8 bytes, so the same weights gave another
    sound from a checkpoint than from its pack.
    """
    is_there = tensor.device.type != "cpu" or tensor.is_mkldnn or tensor.data_ptr() % _LINE == 0
    return tensor if is_there else tensor.clone()


def zeros_on_demand(shape: tuple[int, ...]) -> Tensor:
    """float32 zeros at the start of a cache line that cost no memory and no time until they are written to."""
    count, step = math.prod(shape), np.dtype(np.float32).itemsize
    memory = np.zeros(count + _LINE // step, np.float32)  # numpy aligns to 16 bytes only
    start = -memory.ctypes.data % _LINE // step
    return torch.from_numpy(memory[start : start + count].reshape(shape))


def _can_pack(weight: Tensor) -> bool:
    """Whether `pack_weight` has a layout for such a weight on this machine."""
    is_kind = weight.ndim == 2 and weight.device.type == "cpu" and weight.dtype == torch.float32
    return is_kind and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def pack_weight(weight: Tensor) -> Tensor:
    """A weight (outputs, inputs) in oneDNN's layout; if it is so already or cannot be, the weight by `align`."""
    if weight.is_mkldnn or not _can_pack(weight):
        return align(weight)
    with torch.inference_mode(False):
        return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)  # type: ignore[no-any-return]


def product(x: Tensor, weight: Tensor, bias: Tensor | None, then: Then = "none") -> Tensor:
    """then(x W^T + b) over the last dimension, for a weight from `pack_weight`."""
    if weight.is_mkldnn:
        op, variant = _POST_OPS[then]
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, op, [], variant)  # type: ignore[no-any-return]
    y = F.linear(x, weight, bias)
    if then == "none":
        return y
    if then == "swish":
        return F.silu(y)
    return F.gelu(y, approximate="tanh" if then == "gelu_tanh" else "none")


def product_add(residual: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Residual + x W^T + b, for a weight from `pack_weight`."""
    if weight.is_mkldnn:
        return torch.ops.mkldnn._linear_pointwise.binary(x, residual, weight, bias, "add")  # type: ignore[no-any-return]
    return residual + F.linear(x, weight, bias)
