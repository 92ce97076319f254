"""The velocity field of the flow: a one-level U-Net of causal convolutions and transformer blocks over mel frames.

Upstream's ConditionalDecoder. The time embedding is the same for every frame and every row, so everything that depends
on it is computed once, when the step schedule is known. Nothing here draws noise or depends on guidance.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.s3gen.frames import Keys, attend, conv, linear, linear_add, norm
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators

HEAD_WIDTH = 64  # upstream's attention_head_dim; the fused projections do not show it

Families = frozenset[Family]
_NONE: Families = frozenset()
_TIME_SCALE = 1000.0  # SinusoidalPosEmb's default
_PARTS = ("weight", "bias")
_UNIT = 8.0  # `_fold_feed_forward`
_LARGEST_SHIFT = 8.0  # of the values of attention, which are about 1 after their norm: three bits of float16's eleven


class Estimator:
    """From `flow.decoder.estimator.*` of a hub checkpoint."""

    def __init__(self, state: StateDict, *, folds_biases: bool | None) -> None:
        """`folds_biases`: see `_Block`; None for yes on a GPU, where it saves a kernel for each product."""
        folds = state.device.type != "cpu" if folds_biases is None else folds_biases
        if len(state.children("down_blocks")) != 1:
            raise ValueError("this estimator has one resolution; the checkpoint's has more")
        down, up = state.scope("down_blocks.0"), state.scope("up_blocks.0")
        self._down = _Stage(down, folds)
        self._down_conv = down.taps("2")
        self._middle = [_Stage(scope, folds) for scope in state.children("mid_blocks")]
        self._up = _Stage(up, folds)
        self._up_conv = up.taps("2")
        self._final = _ConvBlock(state.scope("final_block"))
        self._project = state.taps("final_proj")
        self._time = _Time(state)
        self.meanflow = "time_embed_mixer.weight" in state
        """Whether the field also takes the time at which the step ends."""

    @property
    def width(self) -> int:
        """Channels of a frame."""
        return self._final.width

    def schedule(self, times: Tensor) -> list[list[Tensor]]:
        """The vectors (C,) that each step from times[i] to times[i+1] adds in every residual block, steps x blocks."""
        ends = times[1:] if self.meanflow else None
        embedded = self._time(times[:-1], ends)
        shifts = [stage.shift(embedded) for stage in (self._down, *self._middle, self._up)]
        return [[shift[step] for shift in shifts] for step in range(len(times) - 1)]

    def __call__(self, x: Tensor, shifts: list[Tensor], keys: Keys, *, kernels: Families = _NONE) -> Tensor:
        """The velocity (B, M, 80) at x (B, M, 320): the noisy mel, then its features, the speaker and the prompt's mel.

        `shifts` is one row of `schedule`; `keys` are the valid frames.
        `kernels`: those of the project's own to run, on a GPU.
        """
        size = x.shape[1]
        x = skip = self._down(x, size, shifts[0], keys, kernels)
        x = conv(x, self._down_conv)
        for stage, shift in zip(self._middle, shifts[1:-1], strict=True):
            x = stage(x, size, shift, keys, kernels)
        x = self._up(torch.cat([x, skip], dim=2), size, shifts[-1], keys, kernels)
        return linear(self._final(conv(x, self._up_conv)), self._project)[:, :size]


class _Time:
    def __init__(self, state: StateDict) -> None:
        state = state.cast(torch.float32)  # computed once, so full precision costs nothing
        self._first = state.affine("time_mlp.linear_1")
        self._second = state.affine("time_mlp.linear_2")
        self._mixer = state.optional("time_embed_mixer.weight")

    def __call__(self, start: Tensor, end: Tensor | None) -> Tensor:
        """(steps,) times to (steps, D) embeddings."""
        embedded = self._embed(start)
        if self._mixer is None or end is None:
            return embedded
        return F.linear(torch.cat([embedded, self._embed(end)], dim=1), self._mixer)

    def _embed(self, time: Tensor) -> Tensor:
        half = self._first.weight.shape[1] // 2
        rate = torch.exp(torch.arange(half, device=time.device, dtype=torch.float32) * -(math.log(10000) / (half - 1)))
        angle = _TIME_SCALE * time[:, None] * rate
        return linear(F.silu(linear(torch.cat([angle.sin(), angle.cos()], dim=1), self._first)), self._second)


class _Stage:
    """A residual pair of causal convolutions, shifted by time, then transformer blocks."""

    def __init__(self, state: StateDict, folds: bool) -> None:
        resnet = state.scope("0")
        self._time = resnet.cast(torch.float32).affine("mlp.1")
        self._first = _ConvBlock(resnet.scope("block1"))
        self._second = _ConvBlock(resnet.scope("block2"))
        self._residual = resnet.taps("res_conv")
        self._blocks = [_Block(scope, folds) for scope in state.children("1")]
        self._dtype = state.dtype

    def shift(self, time: Tensor) -> Tensor:
        return linear(F.mish(time), self._time).to(self._dtype)

    def __call__(self, x: Tensor, size: int, shift: Tensor, keys: Keys, kernels: Families) -> Tensor:
        """(B, M or more, C) to (B, M, C) for `size` M: convolutions may return more frames than they got."""
        if Family.SOUND in kernels:
            x = self._second.add_to(linear(x, self._residual), self._first.add_to(shift, x, size), size)
        else:
            y, residual = self._second(self._first(x).add_(shift)), linear(x, self._residual)
            x = y.add_(residual) if y.shape[1] == size else y[:, :size] + residual[:, :size]
        for block in self._blocks:
            x = block(x, keys, kernels)
        return x


class _ConvBlock:
    def __init__(self, state: StateDict) -> None:
        self._conv = state.taps("block.0")
        self._norm = state.affine("block.2")

    def __call__(self, x: Tensor) -> Tensor:
        return F.mish(norm(conv(x, self._conv), self._norm))

    @property
    def width(self) -> int:
        return self._norm.weight.shape[0]

    def add_to(self, added: Tensor, x: Tensor, size: int) -> Tensor:
        """The sum of `added`, (C,) or (B, M or more, C), and the result for M = `size` frames, by `kernels`."""
        return operators.norm_mish_add(conv(x, self._conv), self._norm, added, size)


class _Block:
    """Pre-norm full self-attention, then a GELU feed-forward.

    torch has no operator that adds both a bias and a residual to a product, so on a GPU each of the two residual
    products would take two kernels. With `folds` their biases are part of what they multiply (`_fold_attention`,
    `_fold_feed_forward`): the same sums in another order.
    """

    def __init__(self, state: StateDict, folds: bool) -> None:
        self._norm_attention = state.affine("norm1")
        self._qkv = state.stack("attn1.to_q", "attn1.to_k", "attn1.to_v")
        self._out = state.matrix("attn1.to_out.0")
        self._norm_ff = state.affine("norm3")
        if folds:
            self._qkv, self._out = _fold_attention(state, self._qkv, self._out)
            self._widen, self._narrow = _fold_feed_forward(state)
        else:
            self._widen, self._narrow = state.matrix("ff.net.0.proj"), state.matrix("ff.net.2")

    def __call__(self, x: Tensor, keys: Keys, kernels: Families) -> Tensor:
        batch, size, _ = x.shape
        qkv = linear(norm(x, self._norm_attention), self._qkv).view(batch, size, 3, -1, HEAD_WIDTH)
        x = linear_add(x, attend(qkv, keys), self._out)
        if Family.FEED_FORWARD in kernels and operators.has_feed_forward(x, self._widen.weight):
            return operators.feed_forward(x, self._norm_ff, self._widen, self._narrow.weight, _UNIT)
        return linear_add(x, linear(norm(x, self._norm_ff), self._widen, "gelu"), self._narrow)


def _fold_attention(state: StateDict, qkv: Affine, out: Affine) -> tuple[Affine, Affine]:
    """Attention's projections with the bias b of the last one, W, moved to the values: c with W c = b.

    Weights of attention sum to 1, so adding c to every value adds it to every result. c is the shortest solution,
    W^T (W W^T)^-1 b. Should it be large, because W is almost singular, the bias stays where it is: a large value would
    lose the values' last bits in half precision.
    """
    if out.bias is None or qkv.bias is not None:
        return qkv, out

    def solve() -> Tensor:
        weight, bias = (state.tensors[f"{state.prefix}attn1.to_out.0.{part}"].detach().double() for part in _PARTS)
        try:
            values = weight.T @ torch.linalg.solve(weight @ weight.T, bias)
        except RuntimeError:  # torch.linalg.LinAlgError: the matrix is singular
            values = weight.new_full((weight.shape[1],), torch.inf)
        return torch.cat([values.new_zeros(qkv.weight.shape[0] - len(values)), values])

    folded = state.derive("attn1.to_out.0.bias.folded", solve)
    if not folded.is_meta and not bool(folded.abs().amax() < _LARGEST_SHIFT):
        return qkv, out
    return Affine(qkv.weight, folded), Affine(out.weight, None)


def _fold_feed_forward(state: StateDict) -> tuple[Affine, Affine]:
    """The feed-forward's two products with the second one's bias b as the weights b / 8 of a hidden unit that is 8.

    The unit is GELU(8), which is 8 in every precision. Units come in eights, so that tensor cores can be used.
    """
    wide, narrow = "ff.net.0.proj", "ff.net.2"

    def pad(name: str, dim: int, first: Callable[[], Tensor | float]) -> Tensor:
        """Eight more entries along `dim`, all zero but the first; under a name of its own."""

        def build() -> Tensor:
            tensor = source(name)
            more = list(tensor.shape)
            more[dim] = operators.FOLDED_UNITS
            padding = tensor.new_zeros(more)
            padding.select(dim, 0).copy_(torch.as_tensor(first()))
            return torch.cat([tensor, padding], dim)

        return state.derive(f"{name}.padded", build)

    def source(name: str) -> Tensor:
        return state.tensors[state.prefix + name].detach()

    return (
        Affine(pad(f"{wide}.weight", 0, lambda: 0.0), pad(f"{wide}.bias", 0, lambda: _UNIT)),
        Affine(pad(f"{narrow}.weight", 1, lambda: source(f"{narrow}.bias") / _UNIT), None),
    )
