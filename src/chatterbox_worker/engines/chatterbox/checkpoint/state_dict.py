"""A checkpoint as its modules read it: names under a prefix; tensors are cast, folded and moved to the device.

Independent of files. Shapes come from the tensors, so a narrower checkpoint builds a narrower model. Every tensor that
a module stores is computed on the checkpoint's own device by a `TensorProvider`, which may have it saved already
(`pack`), and is moved to the module's device after that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.cpu_products import align, pack_weight

TensorProvider = Callable[[str, Callable[[], Tensor]], Tensor]
"""Returns the tensor of this name, built by the function or loaded from storage.

A name identifies one tensor of one checkpoint.
"""


def build_tensor(_name: str, build: Callable[[], Tensor]) -> Tensor:
    """A `TensorProvider` that always builds."""
    return build()


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
    provide: TensorProvider = build_tensor

    @property
    def stored(self) -> torch.dtype:
        """The type that the provider saves. bfloat16 for a CPU is saved as float32, because CPUs differ in whether they
        multiply it, and a pack is for all of them.
        """
        return torch.float32 if self.dtype is torch.bfloat16 and self.device.type == "cpu" else self.dtype

    def scope(self, name: str) -> StateDict:
        return replace(self, prefix=f"{self.prefix}{name}.")

    def cast(self, dtype: torch.dtype) -> StateDict:
        return replace(self, dtype=dtype)

    def __contains__(self, name: object) -> bool:
        return f"{self.prefix}{name}" in self.tensors

    def __getitem__(self, name: str) -> Tensor:
        """Raises KeyError with the full name if the checkpoint lacks it."""
        return self._get(name, align)

    def _get(self, name: str, place: Callable[[Tensor], Tensor]) -> Tensor:
        source = self.tensors[self.prefix + name]
        return self._provide(name, lambda: source.detach().to(self.stored), place)

    def optional(self, name: str) -> Tensor | None:
        return self[name] if self.prefix + name in self.tensors else None

    def children(self, name: str) -> list[StateDict]:
        """The scopes `name.0`, `name.1`, ..., as many as the checkpoint has."""
        start = f"{self.prefix}{name}."
        count = len({key.removeprefix(start).partition(".")[0] for key in self.tensors if key.startswith(start)})
        return [self.scope(f"{name}.{index}") for index in range(count)]

    def affine(self, name: str) -> Affine:
        return Affine(self[f"{name}.weight"], self.optional(f"{name}.bias"))

    def matrix(self, name: str) -> Affine:
        """A linear map, its weight packed for `cpu_products.product` if the device has a layout for it."""
        return Affine(self._get(f"{name}.weight", pack_weight), self.optional(f"{name}.bias"))

    def conv(self, name: str) -> Affine:
        """A convolution; weight norm, g·v/|v| over all dimensions but the first, is folded in.

        See arXiv:1602.07868, eq. 2.
        """
        return Affine(self._provide(f"{name}.folded", lambda: self._fold(name)), self.optional(f"{name}.bias"))

    def taps(self, name: str) -> Affine:
        """A convolution (out, in, k) as one matrix (out, k·in) for channels-last frames; see `frames.conv`.

        Packed as in `matrix`.
        """
        weight = self._provide(f"{name}.taps", lambda: self._fold(name).permute(0, 2, 1).flatten(1))
        return Affine(pack_weight(weight), self.optional(f"{name}.bias"))

    def image(
        self, name: str, layout: torch.memory_format, change: Callable[[Tensor], Tensor] = lambda weight: weight
    ) -> Affine:
        """A convolution (out, in, k) as one over images one pixel high, (out, in, 1, k), in the images' layout.

        `change` is applied to the weight first; its result must always be the same for a name.
        """
        if layout is not torch.channels_last:
            weight = self._provide(f"{name}.folded", lambda: change(self._fold(name)))
            return Affine(weight[:, :, None], self.optional(f"{name}.bias"))
        weight = self._provide(f"{name}.image", lambda: change(self._fold(name))[:, :, None].permute(0, 2, 3, 1))
        return Affine(weight.permute(0, 3, 1, 2), self.optional(f"{name}.bias"))

    def derive(self, name: str, build: Callable[[], Tensor]) -> Tensor:
        """A tensor that is computed from others of the checkpoint, under a name of its own."""
        return self._provide(name, lambda: build().to(self.dtype))

    def stack(self, *names: str) -> Affine:
        """Several linear maps of one input as one, packed as in `matrix`."""
        joined = "+".join(names)
        weights, biases = (
            [self.tensors[key] for name in names if (key := f"{self.prefix}{name}.{part}") in self.tensors]
            for part in ("weight", "bias")
        )
        if len(weights) < len(names):
            raise KeyError(f"{self.prefix}{joined}.weight")
        return Affine(
            pack_weight(self._provide(f"{joined}.weight", lambda: torch.cat(weights).detach().to(self.stored))),
            self._provide(f"{joined}.bias", lambda: torch.cat(biases).detach().to(self.stored)) if biases else None,
        )

    def _fold(self, name: str) -> Tensor:
        """A convolution's weight, not from the provider: its parts are not used elsewhere."""
        start = f"{self.prefix}{name}."
        gain = self.tensors.get(f"{start}parametrizations.weight.original0")
        if gain is None:
            return self.tensors[f"{start}weight"].detach().to(self.stored)
        direction = self.tensors[f"{start}parametrizations.weight.original1"]
        return torch._weight_norm(direction.detach().float(), gain.detach().float(), 0).to(self.stored)

    def _provide(self, name: str, build: Callable[[], Tensor], place: Callable[[Tensor], Tensor] = align) -> Tensor:
        tensor = self.provide(f"{self.prefix}{name} {self.stored}", lambda: build().contiguous())
        return place(tensor.to(self.device, self.dtype))
