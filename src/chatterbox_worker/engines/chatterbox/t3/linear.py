"""Linear layers for one to a few rows, where reading the weights is the whole cost, in three precisions.

Weights are cast once, here, and never by autocast. float32 on a CPU has a layout of its own (`cpu_products`).
For one row, `torch.ops.quantized.linear_dynamic` reads 8-bit weights at 16 to 27 GB/s (2 cores, AVX-512), a
weight-only product with bfloat16 activations at 13 to 20. It shares one activation scale among the rows of a call, so
every row is a call of its own: otherwise a row would depend on its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, TensorProvider
from chatterbox_worker.engines.chatterbox.device.cpu_products import product, product_add
from chatterbox_worker.errors import NotReady

_FEW_ROWS = 16  # up to this count int8 is multiplied row by row; beyond it, unpacking once is cheaper


class Precision(Enum):
    EXACT = "exact"
    """float32 throughout."""
    FAST = "fast"
    """bfloat16 weights, activations and cache; float32 inside norms, in the speech head and in sampling."""
    INT8 = "int8"
    """8-bit weights with one scale per output channel, 8-bit activations with one scale per row, float32 between the
    layers. CPUs only.
    """

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, embeddings and the key-value cache."""
        return torch.bfloat16 if self is Precision.FAST else torch.float32


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where a layer's parameters come from."""

    name: str
    weight: Callable[[], Tensor]
    """(outputs, inputs), any float dtype."""
    bias: Tensor | None
    """(outputs,)."""
    provide: TensorProvider
    """Returns the weight ready for the product: on the device and, on a CPU, possibly packed by
    `cpu_products.pack_weight`.
    """


class Linear(ABC):
    """y = x W^T + b, over the last dimension."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), in x's dtype."""

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """The sum of the residual and `self(x)`."""
        return residual + self(x)

    def gelu(self, x: Tensor) -> Tensor:
        """GELU of `self(x)`, in its approximation by tanh."""
        return F.gelu(self(x), approximate="tanh")

    def product_and_bias(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The product and the bias apart; only `Dense` layers have them so."""
        raise NotImplementedError

    @property
    def affine(self) -> Affine:
        """Weight (outputs, inputs) and bias, for `kernels`; only `Dense` layers have them so."""
        raise NotImplementedError


class Dense(Linear):
    """Any float dtype, any device."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    @property
    def affine(self) -> Affine:
        return Affine(self.weight, self.bias)

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        if self.bias is not None or not x.is_cuda:  # a CPU's fast path for one row is in F.linear only
            return residual + self(x)
        inputs, outputs = x.shape[-1], residual.shape[-1]
        return torch.addmm(residual.reshape(-1, outputs), x.reshape(-1, inputs), self.weight.t()).view(residual.shape)

    def product_and_bias(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The product x W^T and the bias apart, for an operator that adds both and more."""
        if self.bias is None:
            raise ValueError("this layer has no bias")
        return F.linear(x, self.weight), self.bias

    def gelu(self, x: Tensor) -> Tensor:
        # On a GPU this operator is the product's own epilogue, by tanh; on a CPU it would be by erf. Not in float32:
        # how exactly the epilogue computes tanh is not documented.
        if self.bias is None or not x.is_cuda or x.dtype is torch.float32:
            return super().gelu(x)
        y = torch._addmm_activation(self.bias, x.reshape(-1, x.shape[-1]), self.weight.t(), use_gelu=True)
        return y.view(*x.shape[:-1], -1)


class Packed(Linear):
    """float32 on a CPU, in oneDNN's layout."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """`weight`: from `cpu_products.pack_weight`."""
        self.weight, self.bias = weight, bias

    def __call__(self, x: Tensor) -> Tensor:
        return product(x, self.weight, self.bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return product_add(residual, x, self.weight, self.bias)


class Int8(Linear):
    """8-bit weights (outputs, inputs), scaled per output channel (outputs,) float32."""

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        self._weight, self._scale, self._bias = weight, scale, bias
        with torch.inference_mode(False):
            zeros = torch.zeros(len(scale), dtype=torch.int64)
            quantized = torch._make_per_channel_quantized_tensor(weight, scale.double(), zeros, 0)
            self._packed = torch.ops.quantized.linear_prepack(quantized, bias)
        self._reduce_range = not torch.cpu._is_vnni_supported()  # without VNNI, sums of 8-bit products overflow 16 bits

    def __call__(self, x: Tensor) -> Tensor:
        count = x.numel() // x.shape[-1]
        if count == 1:
            return self._multiply_row(x)
        rows = x.reshape(count, -1)
        y = (
            self._multiply_rows(rows)
            if count > _FEW_ROWS
            else torch.cat([self._multiply_row(row) for row in torch.split(rows, 1)])
        )
        return y.reshape(*x.shape[:-1], -1)

    def _multiply_row(self, row: Tensor) -> Tensor:
        y: Tensor = torch.ops.quantized.linear_dynamic(row, self._packed, self._reduce_range)
        return y

    def _multiply_rows(self, rows: Tensor) -> Tensor:
        if self._reduce_range:
            y = F.linear(rows, self._weight.to(rows.dtype)) * self._scale
        else:
            scale = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / 127
            products = torch._int_mm((rows / scale).round_().to(torch.int8), self._weight.t())
            y = products.to(rows.dtype).mul_(scale).mul_(self._scale)
        return y if self._bias is None else y.add_(self._bias)


def linear(source: Source, precision: Precision, device: torch.device) -> Linear:
    """The layer of `source` in this precision, on `device`.

    Raises:
        NotReady: int8 on a device that is not a CPU.
    """
    if precision is Precision.INT8:
        if device.type != "cpu":
            raise NotReady(f"int8 precision runs on CPUs only, not on {device}.")
        weight = source.provide(f"{source.name} int8", lambda: _quantize(source.weight())[0])
        scale = source.provide(f"{source.name} scale", lambda: _quantize(source.weight())[1])
        return Int8(weight, scale, None if source.bias is None else source.bias.float())
    bias = None if source.bias is None else source.bias.to(device, precision.dtype)
    weight = source.provide(
        f"{source.name} {precision.dtype}", lambda: source.weight().to(precision.dtype).contiguous()
    ).to(device)
    return Packed(weight, bias) if weight.is_mkldnn else Dense(weight, bias)


def _quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs, inputs) to 8 bits, and the scale of each output, (outputs,), that maps its largest weight to 127."""
    weight = weight.float()
    scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (weight / scale[:, None]).round().to(torch.int8).contiguous(), scale
