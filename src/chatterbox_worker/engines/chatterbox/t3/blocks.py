"""T3's two transformer bodies, Llama and GPT-2, as blocks that differ only in names, norms and activation.

Keys and values go to a cache of static shape; see `model.T3.forward`. The arithmetic is that of Hugging Face's
LlamaModel and GPT2Model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import TensorProvider
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.engines.chatterbox.t3.kernels.operators import Norm
from chatterbox_worker.engines.chatterbox.t3.linear import Linear, Precision, Source, linear

_EPSILON = 1e-5  # rms_norm_eps and layer_norm_epsilon of upstream's llama_configs.py

# Llama 3.1's rotary embedding, upstream llama_configs.py
_THETA = 500_000.0
_FACTOR, _LOW, _HIGH, _ORIGINAL_LENGTH = 8.0, 1.0, 4.0, 8192
_CONSTANTS = 8  # columns of the rotary table after cosines and sines: a 1, and 0 up to the alignment of tensor cores


class Block(Protocol):
    def qkv(self, x: Tensor) -> Tensor:
        """(rows, n, width) -> (rows, n, 3 * width): query, key and value, heads within each."""

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """Everything after the attention, residuals included; (rows, n, width) both."""

    @property
    def norm_weights(self) -> Norm:
        """Of the first norm."""

    def norm(self, x: Tensor) -> Tensor:
        """The first norm, of which `project` takes the result."""

    def project(self, hidden: Tensor) -> Tensor:
        """(rows, width) -> (rows, 3 * width), as `qkv` after its norm."""

    def finish(self, x: Tensor, attended: Tensor, following: Norm) -> tuple[Tensor, Tensor]:
        """`after_attention` by `kernels`, and `following`, the next layer's norm, of its result; (rows, width) all."""

    @property
    def inner_width(self) -> int:
        """Of the feed-forward."""

    def project_few(self, x: Tensor, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor) -> Tensor:
        """`qkv`, rotated and stored by one kernel, as `operators.project`; for a few rows x (rows, width)."""

    def finish_few(self, x: Tensor, attended: Tensor) -> Tensor:
        """`after_attention` by kernels that read each weight once, for a few rows; (rows, width) all."""


@dataclass(frozen=True, slots=True)
class LlamaBlock:
    norm_1: Tensor
    """(width,) of an RMS norm."""
    attention_in: Linear
    attention_out: Linear
    norm_2: Tensor
    gate_up: Linear
    down: Linear

    def qkv(self, x: Tensor) -> Tensor:
        return self.attention_in(rms_norm(x, self.norm_1))

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.attention_out.add_to(x, attended)
        gate, up = self.gate_up(rms_norm(x, self.norm_2)).chunk(2, -1)
        return self.down.add_to(x, F.silu(gate) * up)

    @property
    def norm_weights(self) -> Norm:
        return (self.norm_1,)

    def norm(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.norm_1)

    def project(self, hidden: Tensor) -> Tensor:
        return self.attention_in(hidden)

    def finish(self, x: Tensor, attended: Tensor, following: Norm) -> tuple[Tensor, Tensor]:
        x = self.attention_out.add_to(x, attended)
        x = self.down.add_to(x, operators.swiglu(self.gate_up(rms_norm(x, self.norm_2))))
        return x, rms_norm(x, following[0])

    @property
    def inner_width(self) -> int:
        return self.down.affine.weight.shape[1]

    def project_few(self, x: Tensor, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor) -> Tensor:
        return operators.project(x, self.attention_in.affine, (self.norm_1,), table, positions, starts, layer)

    def finish_few(self, x: Tensor, attended: Tensor) -> Tensor:
        x = operators.multiply(attended, self.attention_out.affine, residual=x)
        inner = operators.multiply_gated(x, self.gate_up.affine, self.norm_2)
        return operators.multiply(inner, self.down.affine, residual=x)


@dataclass(frozen=True, slots=True)
class Gpt2Block:
    norm_1: tuple[Tensor, Tensor]
    attention_in: Linear
    attention_out: Linear
    norm_2: tuple[Tensor, Tensor]
    up: Linear
    down: Linear

    def qkv(self, x: Tensor) -> Tensor:
        return self.attention_in(layer_norm(x, self.norm_1))

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.attention_out.add_to(x, attended)
        return self.down.add_to(x, self.up.gelu(layer_norm(x, self.norm_2)))  # "gelu_new"

    @property
    def norm_weights(self) -> Norm:
        return self.norm_1

    def norm(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.norm_1)

    def project(self, hidden: Tensor) -> Tensor:
        return self.attention_in(hidden)

    def finish(self, x: Tensor, attended: Tensor, following: Norm) -> tuple[Tensor, Tensor]:
        y, bias = self.attention_out.product_and_bias(attended)
        x, hidden = operators.add_norm(x, y, bias, *self.norm_2)
        y, bias = self.down.product_and_bias(self.up.gelu(hidden))
        return operators.add_norm(x, y, bias, following[0], following[1])

    @property
    def inner_width(self) -> int:
        return self.down.affine.weight.shape[1]

    def project_few(self, x: Tensor, table: Tensor | None, positions: Tensor, starts: Tensor, layer: Tensor) -> Tensor:
        return operators.project(x, self.attention_in.affine, self.norm_1, table, positions, starts, layer)

    def finish_few(self, x: Tensor, attended: Tensor) -> Tensor:
        x = operators.multiply(attended, self.attention_out.affine, residual=x)
        inner = operators.multiply(x, self.up.affine, norm=self.norm_2, gelu=True)
        return operators.multiply(inner, self.down.affine, residual=x)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, weight.shape, weight, _EPSILON)


def layer_norm(x: Tensor, weight_bias: tuple[Tensor, Tensor]) -> Tensor:
    weight, bias = weight_bias
    return F.layer_norm(x, weight.shape, weight, bias, _EPSILON)


def llama_block(
    weights: Mapping[str, Tensor], layer: int, precision: Precision, device: torch.device, provide: TensorProvider
) -> LlamaBlock:
    at = f"tfmr.layers.{layer}."

    def fuse(*names: str) -> Linear:
        parts = [weights[f"{at}{name}.weight"] for name in names]
        source = Source("+".join(f"{at}{name}" for name in names), lambda: torch.cat(parts), None, provide)
        return linear(source, precision, device)

    def norm(name: str) -> Tensor:
        return weights[f"{at}{name}.weight"].to(device, precision.dtype_on(device))

    return LlamaBlock(
        norm_1=norm("input_layernorm"),
        attention_in=fuse("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        attention_out=fuse("self_attn.o_proj"),
        norm_2=norm("post_attention_layernorm"),
        gate_up=fuse("mlp.gate_proj", "mlp.up_proj"),
        down=fuse("mlp.down_proj"),
    )


def gpt2_block(
    weights: Mapping[str, Tensor], layer: int, precision: Precision, device: torch.device, provide: TensorProvider
) -> Gpt2Block:
    at = f"tfmr.h.{layer}."

    def transpose(name: str) -> Linear:  # Conv1D stores (inputs, outputs)
        weight, bias = weights[f"{at}{name}.weight"], weights[f"{at}{name}.bias"]
        return linear(Source(f"{at}{name}", weight.t, bias, provide), precision, device)

    def norm(name: str) -> tuple[Tensor, Tensor]:
        weight, bias = (
            weights[f"{at}{name}.{part}"].to(device, precision.dtype_on(device)) for part in ("weight", "bias")
        )
        return weight, bias

    return Gpt2Block(
        norm_1=norm("ln_1"),
        attention_in=transpose("attn.c_attn"),
        attention_out=transpose("attn.c_proj"),
        norm_2=norm("ln_2"),
        up=transpose("mlp.c_fc"),
        down=transpose("mlp.c_proj"),
    )


class Rotary:
    """Llama 3.1's rotary position embedding, as matrices.

    x cos + rotate_half(x) sin is x R for a matrix R of one cosine and one sine in each column, so a layer rotates its
    queries and keys with one product instead of three operations. The value's R is the identity: all three stay one
    tensor.
    """

    def __init__(self, head_dim: int, length: int, dtype: torch.dtype, device: torch.device) -> None:
        """`length`: positions 0 to length - 1."""
        frequencies = 1.0 / _THETA ** (torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim)
        wavelengths = 2 * math.pi / frequencies
        # 0: slow, stretched; 1: fast, unchanged
        smooth = ((_ORIGINAL_LENGTH / wavelengths - _LOW) / (_HIGH - _LOW)).clamp(0.0, 1.0)
        frequencies = (1 - smooth) * frequencies / _FACTOR + smooth * frequencies
        angles = torch.arange(length).float()[:, None] * frequencies
        constant = torch.zeros(length, _CONSTANTS)
        constant[:, 0] = 1.0
        self.table = torch.cat([angles.cos(), angles.sin(), constant], 1).to(device, dtype)
        """(length, head_dim + _CONSTANTS): cosines, then sines, then constants."""
        self._basis = _rotation_basis(head_dim).flatten(1).to(device, dtype)
        self._head_dim = head_dim

    def at(self, positions: Tensor) -> Tensor:
        """The matrices for positions (rows, n): (rows * n * 3, head_dim, head_dim), for query, key and value."""
        # every entry is one product with 1 or -1, so the matrices are exact
        return (self.table.index_select(0, positions.flatten()) @ self._basis).view(-1, self._head_dim, self._head_dim)

    def rotate(self, qkv: Tensor, matrices: Tensor) -> Tensor:
        """Rotate queries and keys in (rows, n, 3, heads, head_dim)."""
        return torch.bmm(qkv.view(-1, *qkv.shape[3:]), matrices).view(qkv.shape)


def _rotation_basis(head_dim: int) -> Tensor:
    """(head_dim + _CONSTANTS, 3, head_dim, head_dim): what each cosine, each sine and 1 contribute to the matrices."""
    half = head_dim // 2
    basis = torch.zeros(head_dim + _CONSTANTS, 3, head_dim, head_dim)
    first = torch.arange(half)
    second = first + half
    for part in (0, 1):
        basis[first, part, first, first] = basis[first, part, second, second] = 1.0
        basis[second, part, first, second] = 1.0  # rows of the basis from `half` on: the sines
        basis[second, part, second, first] = -1.0
    basis[head_dim, 2] = torch.eye(head_dim)
    return basis
