"""A checkpoint as its modules read it: names under a prefix, cast and placed on the way out.

Knows nothing about files. Shapes come from the tensors, so a narrower checkpoint makes a narrower model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor


class Affine(NamedTuple):
    """The parameters of a linear map, a convolution or a normalisation."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class State:
    """The part of a state dict under `prefix`; `state[name]` is that tensor on `device` in `dtype`."""

    tensors: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype
    prefix: str = ""

    def scope(self, name: str) -> State:
        return replace(self, prefix=f"{self.prefix}{name}.")

    def cast(self, dtype: torch.dtype) -> State:
        return replace(self, dtype=dtype)

    def __contains__(self, name: object) -> bool:
        return f"{self.prefix}{name}" in self.tensors

    def __getitem__(self, name: str) -> Tensor:
        """Raises KeyError with the full name where the checkpoint lacks it."""
        return self.tensors[self.prefix + name].detach().to(self.device, self.dtype).contiguous()

    def optional(self, name: str) -> Tensor | None:
        return self[name] if self.prefix + name in self.tensors else None

    def children(self, name: str) -> list[State]:
        """The scopes `name.0`, `name.1`, ... as far as the checkpoint has them."""
        start = f"{self.prefix}{name}."
        count = len({key.removeprefix(start).partition(".")[0] for key in self.tensors if key.startswith(start)})
        return [self.scope(f"{name}.{index}") for index in range(count)]

    def affine(self, name: str) -> Affine:
        return Affine(self[f"{name}.weight"], self.optional(f"{name}.bias"))

    def conv(self, name: str) -> Affine:
        """A convolution; weight norm, g·v/|v| over all dimensions but the first, is folded in (arXiv:1602.07868, eq. 2)."""
        gain = f"{name}.parametrizations.weight.original0"
        if gain not in self:
            return self.affine(name)
        exact = self.cast(torch.float32)
        weight = torch._weight_norm(exact[f"{name}.parametrizations.weight.original1"], exact[gain], 0)
        return Affine(weight.to(self.dtype), self[f"{name}.bias"])

    def taps(self, name: str) -> Affine:
        """A convolution (out, in, k) as one matrix (out, k·in) for channels-last frames; see `frames.conv`."""
        weight, bias = self.conv(name)
        return Affine(weight.permute(0, 2, 1).flatten(1).contiguous(), bias)

    def stacked(self, *names: str) -> Affine:
        """Several linear maps of one input as one."""
        parts = [self.affine(name) for name in names]
        biases = [part.bias for part in parts if part.bias is not None]
        return Affine(torch.cat([part.weight for part in parts]), torch.cat(biases) if biases else None)
