"""A checkpoint as its modules read it: names under a prefix, cast, folded and placed on the way out.

Knows nothing about files. Shapes come from the tensors, so a narrower checkpoint makes a narrower model. Everything a module
holds for good is made on the checkpoint's own device and passes a `Keep`, which may remember it (`pack`); only then is it placed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.cpu_products import packed

Keep = Callable[[str, Callable[[], Tensor]], Tensor]
"""Gives the tensor of this name, by the function that makes it or from memory. A name stands for one tensor of one checkpoint."""


def made(_name: str, make: Callable[[], Tensor]) -> Tensor:
    """A `Keep` that remembers nothing."""
    return make()


class Affine(NamedTuple):
    """The parameters of a linear map, a convolution or a normalisation."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class StateDict:
    """The part of a state dict under `prefix`; `state[name]` is that tensor on `device` in `dtype`."""

    tensors: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype
    prefix: str = ""
    keep: Keep = made

    def scope(self, name: str) -> StateDict:
        return replace(self, prefix=f"{self.prefix}{name}.")

    def cast(self, dtype: torch.dtype) -> StateDict:
        return replace(self, dtype=dtype)

    def __contains__(self, name: object) -> bool:
        return f"{self.prefix}{name}" in self.tensors

    def __getitem__(self, name: str) -> Tensor:
        """Raises KeyError with the full name where the checkpoint lacks it."""
        source = self.tensors[self.prefix + name]
        return self._kept(name, lambda: source.detach().to(self.dtype))

    def optional(self, name: str) -> Tensor | None:
        return self[name] if self.prefix + name in self.tensors else None

    def children(self, name: str) -> list[StateDict]:
        """The scopes `name.0`, `name.1`, ... as far as the checkpoint has them."""
        start = f"{self.prefix}{name}."
        count = len({key.removeprefix(start).partition(".")[0] for key in self.tensors if key.startswith(start)})
        return [self.scope(f"{name}.{index}") for index in range(count)]

    def affine(self, name: str) -> Affine:
        return Affine(self[f"{name}.weight"], self.optional(f"{name}.bias"))

    def matrix(self, name: str) -> Affine:
        """A linear map, its weight laid out for `cpu_products.product` where the device has a layout for it."""
        return Affine(packed(self[f"{name}.weight"]), self.optional(f"{name}.bias"))

    def conv(self, name: str) -> Affine:
        """A convolution; weight norm, g·v/|v| over all dimensions but the first, is folded in (arXiv:1602.07868, eq. 2)."""
        return Affine(self._kept(f"{name}.folded", lambda: self._folded(name)), self.optional(f"{name}.bias"))

    def taps(self, name: str) -> Affine:
        """A convolution (out, in, k) as one matrix (out, k·in) for channels-last frames; see `frames.conv`. Laid out as in `matrix`."""
        weight = self._kept(f"{name}.taps", lambda: self._folded(name).permute(0, 2, 1).flatten(1))
        return Affine(packed(weight), self.optional(f"{name}.bias"))

    def image(self, name: str, layout: torch.memory_format) -> Affine:
        """A convolution (out, in, k) as one over images one pixel high, (out, in, 1, k), laid out as they are."""
        if layout is not torch.channels_last:
            weight, bias = self.conv(name)
            return Affine(weight[:, :, None], bias)
        weight = self._kept(f"{name}.image", lambda: self._folded(name)[:, :, None].permute(0, 2, 3, 1))
        return Affine(weight.permute(0, 3, 1, 2), self.optional(f"{name}.bias"))

    def stacked(self, *names: str) -> Affine:
        """Several linear maps of one input as one, laid out as in `matrix`."""
        joined = "+".join(names)
        weights, biases = (
            [self.tensors[key] for name in names if (key := f"{self.prefix}{name}.{part}") in self.tensors]
            for part in ("weight", "bias")
        )
        if len(weights) < len(names):
            raise KeyError(f"{self.prefix}{joined}.weight")
        return Affine(
            packed(self._kept(f"{joined}.weight", lambda: torch.cat(weights).detach().to(self.dtype))),
            self._kept(f"{joined}.bias", lambda: torch.cat(biases).detach().to(self.dtype)) if biases else None,
        )

    def _folded(self, name: str) -> Tensor:
        """A convolution's weight, not kept: its parts are of no use but here."""
        start = f"{self.prefix}{name}."
        gain = self.tensors.get(f"{start}parametrizations.weight.original0")
        if gain is None:
            return self.tensors[f"{start}weight"].detach().to(self.dtype)
        direction = self.tensors[f"{start}parametrizations.weight.original1"]
        return torch._weight_norm(direction.detach().float(), gain.detach().float(), 0).to(self.dtype)

    def _kept(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        kept = self.keep(f"{self.prefix}{name} {self.dtype}", lambda: make().contiguous())
        return kept.to(self.device)
