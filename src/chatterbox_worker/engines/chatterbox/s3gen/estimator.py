"""The velocity field of the flow: a one-level U-Net of causal convolutions and transformer blocks over mel frames.

Upstream's ConditionalDecoder. The time embedding is the same for every frame and every row, so everything that depends
on it is computed once, when the step schedule is known. Nothing here draws noise or depends on guidance.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.s3gen.frames import conv, linear, linear_add, norm

HEAD_WIDTH = 64  # upstream's attention_head_dim; the fused projections do not show it

_TIME_SCALE = 1000.0  # SinusoidalPosEmb's default


class Estimator:
    """From `flow.decoder.estimator.*` of a hub checkpoint."""

    def __init__(self, state: StateDict) -> None:
        if len(state.children("down_blocks")) != 1:
            raise ValueError("this estimator has one resolution; the checkpoint's has more")
        down, up = state.scope("down_blocks.0"), state.scope("up_blocks.0")
        self._down = _Stage(down)
        self._down_conv = down.taps("2")
        self._middle = [_Stage(scope) for scope in state.children("mid_blocks")]
        self._up = _Stage(up)
        self._up_conv = up.taps("2")
        self._final = _ConvBlock(state.scope("final_block"))
        self._project = state.taps("final_proj")
        self._time = _Time(state)
        self.meanflow = "time_embed_mixer.weight" in state
        """Whether the field also takes the time at which the step ends."""

    def schedule(self, times: Tensor) -> list[list[Tensor]]:
        """The vectors (C,) that each step from times[i] to times[i+1] adds in every residual block, steps x blocks."""
        ends = times[1:] if self.meanflow else None
        embedded = self._time(times[:-1], ends)
        shifts = [stage.shift(embedded) for stage in (self._down, *self._middle, self._up)]
        return [[shift[step] for shift in shifts] for step in range(len(times) - 1)]

    def __call__(self, x: Tensor, shifts: list[Tensor], mask: Tensor | None) -> Tensor:
        """The velocity (B, M, 80) at x (B, M, 320): the noisy mel, then its features, the speaker and the prompt's mel.

        `shifts` is one row of `schedule`; `mask` (B, 1, 1, M) is True at valid frames, None means all.
        """
        x = skip = self._down(x, shifts[0], mask)
        x = conv(x, self._down_conv)
        for stage, shift in zip(self._middle, shifts[1:-1], strict=True):
            x = stage(x, shift, mask)
        x = self._up(torch.cat([x, skip], dim=2), shifts[-1], mask)
        return linear(self._final(conv(x, self._up_conv)), self._project)


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

    def __init__(self, state: StateDict) -> None:
        resnet = state.scope("0")
        self._time = resnet.cast(torch.float32).affine("mlp.1")
        self._first = _ConvBlock(resnet.scope("block1"))
        self._second = _ConvBlock(resnet.scope("block2"))
        self._residual = resnet.taps("res_conv")
        self._blocks = [_Block(scope) for scope in state.children("1")]
        self._dtype = state.dtype

    def shift(self, time: Tensor) -> Tensor:
        return linear(F.mish(time), self._time).to(self._dtype)

    def __call__(self, x: Tensor, shift: Tensor, mask: Tensor | None) -> Tensor:
        x = self._second(self._first(x).add_(shift)).add_(linear(x, self._residual))
        for block in self._blocks:
            x = block(x, mask)
        return x


class _ConvBlock:
    def __init__(self, state: StateDict) -> None:
        self._conv = state.taps("block.0")
        self._norm = state.affine("block.2")

    def __call__(self, x: Tensor) -> Tensor:
        return F.mish(norm(conv(x, self._conv), self._norm))


class _Block:
    """Pre-norm full self-attention, then a GELU feed-forward."""

    def __init__(self, state: StateDict) -> None:
        self._norm_attention = state.affine("norm1")
        self._qkv = state.stack("attn1.to_q", "attn1.to_k", "attn1.to_v")
        self._out = state.matrix("attn1.to_out.0")
        self._norm_ff = state.affine("norm3")
        self._widen = state.matrix("ff.net.0.proj")
        self._narrow = state.matrix("ff.net.2")

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, size, _ = x.shape
        qkv = linear(norm(x, self._norm_attention), self._qkv).view(batch, size, 3, -1, HEAD_WIDTH)
        q, k, v = qkv.transpose(1, 3).unbind(2)
        y = _attend(q, k, v, mask)
        x = linear_add(x, y.transpose(1, 2).flatten(2), self._out)
        return linear_add(x, linear(norm(x, self._norm_ff), self._widen, "gelu"), self._narrow)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention over (B, H, T, 64); `mask` as in `Estimator`."""
    if q.dtype != torch.bfloat16 or q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # bfloat16 on a CPU: three plain steps take half the time of torch's fused kernel
    # (5 ms and 10 ms for 762 frames, 2 cores)
    scores = torch.matmul((q * HEAD_WIDTH**-0.5).contiguous(), k.transpose(2, 3).contiguous())  # 1/8: exact in bfloat16
    if mask is not None:
        scores.masked_fill_(~mask, -torch.inf)
    return torch.matmul(scores.softmax(-1), v.contiguous())
