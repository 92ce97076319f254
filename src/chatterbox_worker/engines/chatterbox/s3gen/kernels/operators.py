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
from chatterbox_worker.engines.chatterbox.kernels.proven import Family

_EPSILON = 1e-5  # of `frames.norm`
_SAMPLES = 1024  # of a program of Snake
_WIDENING = 4  # of the flow's feed-forward
FOLDED_UNITS = 8
"""Hidden units of a feed-forward after its own, of which the first one stands for a bias: as many, so that tensor cores
can be used."""


_SOURCES = "chatterbox_worker.engines.chatterbox.s3gen.kernels.sources"
_norm_mish_add, _snake, _feed_forward = (
    Kernel(_SOURCES, "norm_mish_add", warps=1), Kernel(_SOURCES, "snake", warps=4),
    Kernel(_SOURCES, "feed_forward", warps=4),
)  # fmt: skip
# of a program of the feed-forward; compiled with 4 warps: 96 KB, 255 registers, and some spilled before the loop, on
# sm_120 within it, where 8 warps spill none
_FRAMES, _UNITS = 64, 32
LEAST_FRAMES = 112 * _FRAMES
"""Of a feed-forward by `feed_forward`: four guided rows of 896; fewer would leave multiprocessors of an H100 idle."""
LIBRARY.define("norm_mish_add(Tensor x, Tensor gain, Tensor offset, Tensor added, int frames) -> Tensor")
LIBRARY.define("snake(Tensor x, Tensor? alpha, Tensor? mask) -> Tensor")
LIBRARY.define(
    "feed_forward(Tensor x, Tensor gain, Tensor offset, Tensor wide, Tensor wide_bias, Tensor narrow, float unit)"
    " -> Tensor"
)


def compile_kernels(width: int, dtype: torch.dtype, chosen: frozenset[Family]) -> None:
    """Compile what a flow of this width and type and its vocoder run of these families, without a GPU."""
    if Family.FEED_FORWARD in chosen:
        x, one = (torch.empty(*size, device="meta", dtype=dtype) for size in ((1, 1, width), (width,)))
        inner = _WIDENING * width
        wide, narrow = x.new_empty(inner + FOLDED_UNITS, width), x.new_empty(width, inner + FOLDED_UNITS)
        _feed(x, one, one, wide, wide[:, 0].contiguous(), narrow, 0.0)
    if Family.SOUND not in chosen:
        return
    x, one, sound = (torch.empty(*size, device="meta") for size in ((1, 1, width), (width,), (1, 1, 1, 1)))
    x, one, mask = x.to(dtype), one.to(dtype), sound.bool()
    for added in (one, x):
        _activate(x, one, one, added, 1)
    for alpha in (sound[0], None):
        _bend(sound, alpha, mask)


def norm_mish_add(x: Tensor, norm: Affine, added: Tensor, frames: int) -> Tensor:
    """Mish of the layer norm of x (B, >= frames, C), plus `added`, (C,) or (B, >= frames, C): (B, frames, C)."""
    return torch.ops.chatterbox_worker.norm_mish_add(x, *norm, added, frames)  # type: ignore[no-any-return]


def snake(x: Tensor, alpha: Tensor | None, mask: Tensor | None) -> Tensor:
    """Snake, y + sin²(y), of y = x (B, C, 1, T) times alpha (C, 1, 1) times the boolean mask (B, 1, 1, T)."""
    return torch.ops.chatterbox_worker.snake(x, alpha, mask)  # type: ignore[no-any-return]


def has_feed_forward(x: Tensor, wide: Tensor) -> bool:
    """Whether `feed_forward` is for these frames (B, T, C) and weights (H + 8, C): many, in half precision."""
    sizes = x.shape[2], wide.shape[0] - FOLDED_UNITS
    return (
        x.dtype in (torch.float16, torch.bfloat16)
        and x.shape[0] * x.shape[1] >= LEAST_FRAMES
        and all(size & (size - 1) == 0 and size >= _UNITS for size in sizes)
    )


def feed_forward(x: Tensor, norm: Affine, wide: Affine, narrow: Tensor, unit: float) -> Tensor:
    """X (B, T, C) plus the feed-forward of its layer norm, of the weights (H + 8, C) and `narrow` (C, H + 8).

    The first of the last 8 hidden units is `unit` for every frame: its weights are those of a bias.
    """
    return torch.ops.chatterbox_worker.feed_forward(x, *norm, *wide, narrow, unit)  # type: ignore[no-any-return]


@torch.library.impl(LIBRARY, "feed_forward", "CUDA")
def _feed(
    x: Tensor, gain: Tensor, offset: Tensor, wide: Tensor, wide_bias: Tensor, narrow: Tensor, unit: float
) -> Tensor:
    width, stride = narrow.shape
    count, out = x.numel() // width, torch.empty_like(x)
    _feed_forward(
        (-(-count // _FRAMES), 1, 1), x, gain, offset, wide, wide_bias, narrow, out, count,
        frames=_FRAMES, width=width, inner=stride - FOLDED_UNITS, stride=stride, block=_UNITS, unit=unit, eps=_EPSILON,
    )  # fmt: skip
    return out


@fake("feed_forward")
def _(x: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(_contiguous(x))


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
