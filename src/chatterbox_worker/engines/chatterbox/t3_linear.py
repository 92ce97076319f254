"""Linear layers for one to a few rows, where reading the weights is the whole cost, in three precisions.

Weights are cast once, here, and never by autocast. Measured on 2 cores of an AVX2 CPU (EPYC 7003) with float32 weights of 1024 x 3072:
`F.linear` on 2 rows reads them at 11 GB/s, the same product as `W @ x.T` at 23 GB/s, and 4 rows cost no more than 2 or 3.
One row costs 20 GB/s either way, unless it is padded to 4 rows (24 GB/s), except where the layer narrows.
int8 weights with bfloat16 activations take 0.3 of float32's time for one row; `torch.ops.quantized.linear_dynamic` is faster still,
but shares one activation scale among all rows, so that a row would hear its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.errors import NotReady

_FULL_ROWS = 4  # as many rows as MKL's product computes for the price of one
_FEW_ROWS = 16  # up to here int8 is read as it is; beyond, unpacking it once is cheaper


class Precision(Enum):
    EXACT = "exact"
    """float32 throughout."""
    FAST = "fast"
    """bfloat16 weights, activations and cache; float32 inside norms, in the speech head and in sampling."""
    INT8 = "int8"
    """8-bit weights with one scale per output channel, float32 between the layers. CPUs only."""

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, embeddings and the key-value cache."""
        return torch.bfloat16 if self is Precision.FAST else torch.float32


class Linear(ABC):
    """y = x W^T + b, over the last dimension."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), in x's dtype."""

    def onto(self, residual: Tensor, x: Tensor) -> Tensor:
        """The sum of the residual and `self(x)`."""
        return residual + self(x)


class Dense(Linear):
    """Any float dtype, any device."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def onto(self, residual: Tensor, x: Tensor) -> Tensor:
        if self.bias is not None or not x.is_cuda:  # a CPU's fast path for one row is in F.linear only
            return residual + self(x)
        inputs, outputs = x.shape[-1], residual.shape[-1]
        return torch.addmm(residual.reshape(-1, outputs), x.reshape(-1, inputs), self.weight.t()).view(residual.shape)


class CpuDense(Linear):
    """float32 on a CPU."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self.narrows = weight.shape[0] < weight.shape[1]

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        count = rows.shape[0]
        if count == 1 and self.narrows:
            return F.linear(x, self.weight, self.bias)
        if count < _FULL_ROWS:
            rows = F.pad(rows, (0, 0, 0, _FULL_ROWS - count))
        y = (self.weight @ rows.t()).t()[:count]
        y = y.contiguous() if self.bias is None else y + self.bias
        return y.reshape(*x.shape[:-1], -1)


class Int8(Linear):
    """8-bit weights, scaled per output channel so that the largest weight of each is 127."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        self.weight = (weight / scale[:, None]).round().to(torch.int8).contiguous()
        self.scale, self.bias = scale.bfloat16(), bias

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        if rows.shape[0] > _FEW_ROWS:
            y = F.linear(rows, self.weight.to(x.dtype)) * self.scale.to(x.dtype)
        else:
            y = torch.ops.aten._weight_int8pack_mm(rows.bfloat16(), self.weight, self.scale).to(x.dtype)
        return (y if self.bias is None else y + self.bias).reshape(*x.shape[:-1], -1)


def linear(weight: Tensor, bias: Tensor | None, precision: Precision, device: torch.device) -> Linear:
    """A layer from its float weight (outputs, inputs) and bias (outputs,).

    Raises:
        NotReady: int8 was asked for on a device that is not a CPU.
    """
    if precision is Precision.INT8:
        if device.type != "cpu":
            raise NotReady(f"int8 precision runs on CPUs only, not on {device}.")
        return Int8(weight.float(), None if bias is None else bias.float())
    weight = weight.to(device, precision.dtype).contiguous()
    bias = None if bias is None else bias.to(device, precision.dtype)
    return CpuDense(weight, bias) if device.type == "cpu" and precision is Precision.EXACT else Dense(weight, bias)
