"""Linear layers for one to a few rows, where reading the weights is the whole cost, in several precisions.

Weights are cast once, here, and never by autocast. float32 on a CPU has a layout of its own (`cpu_products`).
For one row, `torch.ops.quantized.linear_dynamic` reads 8-bit weights at 16 to 27 GB/s (2 cores, AVX-512), a
weight-only product with bfloat16 activations at 13 to 20. It shares one activation scale among the rows of a call, so
every row is a call of its own: otherwise a row would depend on its neighbours.

On a GPU, small weights are for memory: each product first unpacks its layer's weights, into memory that the next layer
uses again. That waits for nothing and allocates what a graph's capture may, so steps are captured as in bfloat16.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, TensorProvider
from chatterbox_worker.engines.chatterbox.device.cpu_products import product, product_add
from chatterbox_worker.engines.chatterbox.t3.quantize import (
    check_nf4,
    dequantize_int8,
    dequantize_nf4,
    quantize_int8,
    quantize_nf4,
    squared_error,
)
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
    INT8_WEIGHTS = "int8-weights"
    """The same 8-bit weights in products with unchanged activations; all else as in FAST, on a CPU as in EXACT."""
    NF4 = "nf4"
    """The same with 4-bit weights (`quantize`)."""

    def dtype_on(self, device: torch.device) -> torch.dtype:
        """Of activations, embeddings and the key-value cache."""
        is_half = self is Precision.FAST or (self in _SMALL and device.type != "cpu")
        return torch.bfloat16 if is_half else torch.float32


_SMALL = (Precision.INT8_WEIGHTS, Precision.NF4)


def precision_of(profile: str, device: torch.device) -> Precision:
    """T3's precision in a profile: "exact", "fast", "int8" or "nf4". The meta device stands for a GPU.

    Raises:
        NotReady: nf4 on a CPU.
    """
    if profile == "nf4" and device.type == "cpu":
        raise NotReady(
            "nf4 is for GPUs: set CHATTERBOX_PROFILE to int8, the smallest on a CPU, or to auto, exact or fast"
        )
    return Precision.INT8_WEIGHTS if profile == "int8" and device.type != "cpu" else Precision(profile)


@dataclass(frozen=True, slots=True)
class SmallWeights:
    stored_bytes: int
    """Of T3's tensors."""
    unquantized_bytes: int
    """What they would take in the type of the activations."""
    relative_error: float
    """Of the quantised weights: the root of their squared differences' sum over their squares' sum."""


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
        """The product x W^T and the bias apart, for an operator that adds both and more; only layers of a GPU do it."""
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


class Small(Linear):
    """Small weights with activations of any float dtype: the layer's weights are unpacked for each product."""

    def __init__(self, codes: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        self._codes, self._scale, self._bias = codes, scale, bias

    @abstractmethod
    def _product(self, x: Tensor) -> Tensor:
        """A new tensor, (..., outputs)."""

    def __call__(self, x: Tensor) -> Tensor:
        y = self._product(x)
        return y if self._bias is None else y.add_(self._bias)

    def product_and_bias(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self._bias is None:
            raise ValueError("this layer has no bias")
        return self._product(x), self._bias


class Int8Weights(Small):
    """Codes (outputs, inputs) int8, scale (outputs,) float32."""

    def _product(self, x: Tensor) -> Tensor:
        # 8-bit integers are exact in bfloat16, and scaling the result rounds less than scaling the weights
        return F.linear(x, self._codes.to(x.dtype)).mul_(self._scale)


class Nf4Weights(Small):
    """Codes and scales as from `quantize_nf4`."""

    def _product(self, x: Tensor) -> Tensor:
        return F.linear(x, dequantize_nf4(self._codes, self._scale, x.dtype))


@dataclass(frozen=True, slots=True)
class _Form:
    """How a precision stores a weight: names of codes and scales, and the functions that write and read them."""

    names: tuple[str, str]
    quantize: Callable[[Tensor], tuple[Tensor, Tensor]]
    dequantize: Callable[[Tensor, Tensor], Tensor]
    layer: type[Int8 | Small]


_INT8 = _Form(("int8", "scale"), quantize_int8, dequantize_int8, Int8)
_FORMS: Mapping[Precision, _Form] = {
    Precision.INT8: _INT8,
    Precision.INT8_WEIGHTS: replace(_INT8, layer=Int8Weights),
    Precision.NF4: _Form(("nf4", "nf4 scale"), quantize_nf4, dequantize_nf4, Nf4Weights),
}
_ERROR = " error"  # the end of the name of `squared_error`'s sums


def linear(source: Source, precision: Precision, device: torch.device) -> Linear:
    """The layer of `source` in this precision, on `device`.

    Raises:
        NotReady: int8 with 8-bit activations on a device that is not a CPU, or nf4 where `check_nf4` refuses it.
    """
    dtype = precision.dtype_on(device)
    bias = None if source.bias is None else source.bias.to(device, dtype)
    if precision in _FORMS:
        return _quantized(source, precision, device, bias)
    weight = source.provide(f"{source.name} {dtype}", lambda: source.weight().to(dtype).contiguous()).to(device)
    return Packed(weight, bias) if weight.is_mkldnn else Dense(weight, bias)


def _quantized(source: Source, precision: Precision, device: torch.device, bias: Tensor | None) -> Linear:
    if precision is Precision.INT8 and device.type != "cpu":
        raise NotReady(f"int8 precision with 8-bit activations runs on CPUs only, not on {device}.")
    if precision is Precision.NF4 and device.type == "cuda":
        check_nf4(device)
    form = _FORMS[precision]
    pair = functools.cache(lambda: form.quantize(source.weight()))
    codes = source.provide(f"{source.name} {form.names[0]}", lambda: pair()[0])
    scales = source.provide(f"{source.name} {form.names[1]}", lambda: pair()[1])
    if precision in _SMALL:
        source.provide(
            f"{source.name} {form.names[0]}{_ERROR}", lambda: squared_error(source.weight(), form.dequantize(*pair()))
        )
    return form.layer(codes, scales, bias)


def small_weights(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> SmallWeights | None:
    """Of `T3.tensors`; `dtype` is that of the activations."""
    sums = [tensor for name, tensor in tensors.items() if name.endswith(_ERROR)]
    if not sums:
        return None
    difference, square = torch.stack(sums).sum(0).tolist()
    stored = sum(tensor.nbytes for tensor in tensors.values())
    codes = {name.removesuffix(_ERROR) for name in tensors if name.endswith(_ERROR)}
    scales = {f"{name.rpartition(' ')[0]} {form.names[1]}" for name in codes for form in _FORMS.values()}
    whole = sum(_numel(name, tensors[name]) for name in codes) * dtype.itemsize
    small = sum(tensor.nbytes for name, tensor in tensors.items() if name in codes | scales)
    return SmallWeights(stored, stored - small + whole, math.sqrt(difference / square))


def _numel(name: str, codes: Tensor) -> int:
    return codes.numel() * (2 if name.endswith(" nf4") else 1)
