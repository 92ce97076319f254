"""The kernels as torch operators: known to fake tensors, and replayed by graphs as torch's own.

On a GPU they launch `sources`' kernels; on other devices they have no implementation, because the plain path is used.
Shapes: B rows of a batch, T frames or samples, C channels. All tensors are contiguous.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.kernels.launch import Kernel
from chatterbox_worker.engines.chatterbox.kernels.library import LIBRARY, fake

_EPSILON = 1e-5  # of `frames.norm`
_BLOCK = 64  # rows and outputs of a program of a product
_BLOCK_BYTES = 128  # of the inputs of each row that it multiplies at once
_SAMPLES = 1024  # of a program of Snake


def _source(name: str) -> Any:
    from chatterbox_worker.engines.chatterbox.s3gen.kernels import sources  # noqa: PLC0415 - imports Triton

    return getattr(sources, name)


_norm_product = Kernel(lambda: _source("norm_product"), warps=4)
_norm_mish_add = Kernel(lambda: _source("norm_mish_add"), warps=1)
_snake = Kernel(lambda: _source("snake"), warps=4)
LIBRARY.define("norm_product(Tensor x, Tensor gain, Tensor offset, Tensor weight, Tensor? bias, bool gelu) -> Tensor")
LIBRARY.define("norm_mish_add(Tensor x, Tensor gain, Tensor offset, Tensor added, int frames) -> Tensor")
LIBRARY.define("snake(Tensor x, Tensor? alpha, Tensor? mask) -> Tensor")


def norm_product(x: Tensor, before: Affine, affine: Affine, *, gelu: bool) -> Tensor:
    """(..., C) to (..., outputs): a layer norm, a product with the weight (outputs, C), and GELU if it is wanted."""
    return torch.ops.chatterbox_worker.norm_product(x, *before, *affine, gelu)  # type: ignore[no-any-return]


def norm_mish_add(x: Tensor, norm: Affine, added: Tensor, frames: int) -> Tensor:
    """Mish of the layer norm of x (B, >= frames, C), plus `added`, (C,) or (B, >= frames, C): (B, frames, C)."""
    return torch.ops.chatterbox_worker.norm_mish_add(x, *norm, added, frames)  # type: ignore[no-any-return]


def snake(x: Tensor, alpha: Tensor | None, mask: Tensor | None) -> Tensor:
    """Snake, y + sin²(y), of y = x (B, C, 1, T) times alpha (C, 1, 1) times the boolean mask (B, 1, 1, T)."""
    return torch.ops.chatterbox_worker.snake(x, alpha, mask)  # type: ignore[no-any-return]


@torch.library.impl(LIBRARY, "norm_product", "CUDA")
def _multiply_normed(
    x: Tensor, gain: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None, gelu: bool
) -> Tensor:
    outputs, width = weight.shape
    rows = x.numel() // width
    out = x.new_empty(*x.shape[:-1], outputs)
    _norm_product(
        (-(-rows // _BLOCK), -(-outputs // _BLOCK), 1),
        x, gain, offset, weight, weight if bias is None else bias, out, rows,
        width=width, outputs=outputs, biased=bias is not None, gelu=gelu, eps=_EPSILON,
        block_rows=_BLOCK, block_outputs=_BLOCK, block_width=_BLOCK_BYTES // x.element_size(),
    )  # fmt: skip
    return out


@torch.library.impl(LIBRARY, "norm_mish_add", "CUDA")
def _activate(x: Tensor, gain: Tensor, offset: Tensor, added: Tensor, frames: int) -> Tensor:
    rows, x_frames, width = x.shape
    out = x.new_empty(rows, frames, width)
    each_frame = added.ndim > 1
    _norm_mish_add(
        (frames, rows, 1), x, gain, offset, added, out, x_frames, added.shape[1] if each_frame else 1,
        each_frame=each_frame, width=width, block=1 << (width - 1).bit_length(), eps=_EPSILON,
    )  # fmt: skip
    return out


@torch.library.impl(LIBRARY, "snake", "CUDA")
def _bend(x: Tensor, alpha: Tensor | None, mask: Tensor | None) -> Tensor:
    rows, channels, _, size = x.shape
    out = torch.empty_like(x)
    _snake(
        (-(-size // _SAMPLES), channels, rows),
        x, x if alpha is None else alpha, x if mask is None else mask, out, size,
        scaled=alpha is not None, masked=mask is not None, block=_SAMPLES,
    )  # fmt: skip
    return out


@fake("norm_product")
def _(x: Tensor, _gain: Tensor, _offset: Tensor, weight: Tensor, _bias: Tensor | None, _gelu: bool) -> Tensor:
    return _contiguous(x).new_empty(*x.shape[:-1], len(_contiguous(weight)))


@fake("norm_mish_add")
def _(x: Tensor, _gain: Tensor, _offset: Tensor, added: Tensor, frames: int) -> Tensor:
    return _contiguous(x).new_empty(len(x), frames, _contiguous(added).shape[-1])


@fake("snake")
def _(x: Tensor, _alpha: Tensor | None, _mask: Tensor | None) -> Tensor:
    return torch.empty_like(_contiguous(x))


def _contiguous(x: Tensor) -> Tensor:
    """Raises ValueError if a kernel would read this tensor wrongly: there are no strides in it."""
    if not x.is_contiguous():
        raise ValueError(f"a kernel's tensor must be contiguous; its strides are {x.stride()}")
    return x
