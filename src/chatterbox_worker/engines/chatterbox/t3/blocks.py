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
from chatterbox_worker.engines.chatterbox.t3.linear import Linear, Precision, Source, linear

_EPSILON = 1e-5  # rms_norm_eps and layer_norm_epsilon of upstream's llama_configs.py

# Llama 3.1's rotary embedding, upstream llama_configs.py
_THETA = 500_000.0
_FACTOR, _LOW, _HIGH, _ORIGINAL_LENGTH = 8.0, 1.0, 4.0, 8192


class Block(Protocol):
    def qkv(self, x: Tensor) -> Tensor:
        """(rows, n, width) -> (rows, n, 3 * width): query, key and value, heads within each."""

    def after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        """Everything after the attention, residuals included; (rows, n, width) both."""


@dataclass(frozen=True, slots=True)
class LlamaBlock:
    norm_1: Tensor
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
        return self.down.add_to(x, F.gelu(self.up(layer_norm(x, self.norm_2)), approximate="tanh"))  # "gelu_new"


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
        return weights[f"{at}{name}.weight"].to(device, precision.dtype)

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
        weight, bias = (weights[f"{at}{name}.{part}"].to(device, precision.dtype) for part in ("weight", "bias"))
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
    """Llama 3.1's rotary position embedding, from a table."""

    def __init__(self, head_dim: int, length: int, dtype: torch.dtype, device: torch.device) -> None:
        """`length`: positions 0 to length - 1."""
        frequencies = 1.0 / _THETA ** (torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim)
        wavelengths = 2 * math.pi / frequencies
        # 0: slow, stretched; 1: fast, unchanged
        smooth = ((_ORIGINAL_LENGTH / wavelengths - _LOW) / (_HIGH - _LOW)).clamp(0.0, 1.0)
        frequencies = (1 - smooth) * frequencies / _FACTOR + smooth * frequencies
        angles = torch.arange(length).float()[:, None] * frequencies
        cos, sin = angles.cos(), angles.sin()
        # For query, key and value at once: the value is rotated by 0, so that all three stay one tensor.
        ones, zeros = torch.ones(length, head_dim), torch.zeros(length, head_dim)
        rotated_cos, rotated_sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        self._cos = torch.stack([rotated_cos, rotated_cos, ones], 1).to(device, dtype)  # (length, 3, head_dim)
        self._sin = torch.stack([rotated_sin, rotated_sin, zeros], 1).to(device, dtype)
        self._half = head_dim // 2

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines for positions (rows, n), each (rows, n, 3, 1, head_dim)."""
        return self._cos[positions].unsqueeze(3), self._sin[positions].unsqueeze(3)

    def rotate(self, qkv: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
        """Rotate queries and keys in (rows, n, 3, heads, head_dim)."""
        cos, sin = angles
        return torch.addcmul(qkv * cos, qkv.roll(self._half, -1), sin)
