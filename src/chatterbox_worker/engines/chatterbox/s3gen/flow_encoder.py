"""Speech tokens to mel-rate features: the flow's conformer encoder (upstream's UpsampleConformerEncoder).

Tokens at 25 Hz are embedded, see three tokens ahead, pass six blocks with relative positions, are doubled to 50 Hz
and pass four more. Attention is full in both halves. No dropout, no caches, no streaming masks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.s3gen.frames import additive, conv, linear, linear_add, norm, valid

LOOKAHEAD_TOKENS = 3  # PreLookaheadLayer(pre_lookahead_len=3)
FRAMES_PER_TOKEN = 2  # 50 Hz mel over 25 Hz tokens
MAX_FRAMES = 4096  # 82 s; a prompt is at most 10 s and an utterance 40 s

_BLOCK_EPS = 1e-12  # ConformerEncoderLayer's norms


class FlowEncoder:
    """From `flow.encoder.*` of a hub checkpoint."""

    def __init__(self, state: StateDict) -> None:
        self._embed = _Embed(state.scope("embed"))
        self._lookahead = state.taps("pre_lookahead_layer.conv1")
        self._lookahead_out = state.taps("pre_lookahead_layer.conv2")
        self._blocks = [_Block(scope) for scope in state.children("encoders")]
        self._upsample = state.taps("up_layer.conv")
        self._up_embed = _Embed(state.scope("up_embed"))
        self._up_blocks = [_Block(scope) for scope in state.children("up_encoders")]
        self._after = state.affine("after_norm")
        positions = relative_positions(MAX_FRAMES, self._after.weight.numel())
        # position scores are divided by the root of the head's width, in both halves the same
        self._positions = (positions / math.sqrt(self._blocks[0].head_width)).to(state.device, state.dtype)

    def __call__(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Token embeddings (B, N, C) to features (B, 2N, C).

        `lengths` (B,) counts each row's valid tokens, None means all; the result is undefined beyond them.
        Raises ValueError beyond `MAX_FRAMES`.
        """
        size = x.shape[1]
        if size * FRAMES_PER_TOKEN > MAX_FRAMES:
            raise ValueError(f"{size} tokens are more than the {MAX_FRAMES // FRAMES_PER_TOKEN} that the flow can take")
        mask = None if lengths is None else valid(lengths, size)
        x = self._embed(x)
        if mask is not None:
            x = x * mask[:, :, None]  # the look-ahead must see zeros beyond the end, as it does without padding
        ahead = F.leaky_relu(conv(x, self._lookahead, ahead=LOOKAHEAD_TOKENS))
        x = x + conv(ahead, self._lookahead_out)[:, :size]
        bias = None if mask is None else additive(mask, x.dtype)
        for block in self._blocks:
            x = block(x, self._window(size), bias)
        x = self._up_embed(conv(_double(x), self._upsample))[:, : 2 * size]
        bias = None if bias is None else _double(bias[:, :, None])[:, :, 0]
        for block in self._up_blocks:
            x = block(x, self._window(2 * size), bias)
        return norm(x, self._after)

    def _window(self, size: int) -> Tensor:
        """The codes of distances size-1 ... -(size-1)."""
        return self._positions[MAX_FRAMES - size : MAX_FRAMES + size - 1]


class _Embed:
    def __init__(self, state: StateDict) -> None:
        self._project = state.matrix("out.0")
        weight, bias = state["out.1.weight"], state["out.1.bias"]
        scale = math.sqrt(weight.numel())  # of the embedding
        self._norm = Affine(weight * scale, bias * scale)

    def __call__(self, x: Tensor) -> Tensor:
        return norm(linear(x, self._project), self._norm)


class _Block:
    """Pre-norm attention with relative positions, then a SiLU feed-forward."""

    def __init__(self, state: StateDict) -> None:
        attention = state.scope("self_attn")
        self._norm_attention = state.affine("norm_mha")
        content_bias = attention["pos_bias_u"]
        self._heads, self.head_width = content_bias.shape
        # the queries contain the content bias, so only the difference is added for position scores
        self._position_bias = attention["pos_bias_v"] - content_bias
        weight, bias = attention.stack("linear_q", "linear_k", "linear_v")
        zeros = torch.zeros_like(content_bias).flatten()
        offset = torch.cat([content_bias.flatten(), zeros, zeros])
        self._qkv = Affine(weight, offset if bias is None else bias + offset)
        self._position = attention.matrix("linear_pos")
        self._out = attention.matrix("linear_out")
        self._norm_ff = state.affine("norm_ff")
        self._widen = state.matrix("feed_forward.w_1")
        self._narrow = state.matrix("feed_forward.w_2")

    def __call__(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        attended = self._attend(norm(x, self._norm_attention, _BLOCK_EPS), positions, mask)
        x = linear_add(x, attended, self._out)
        return linear_add(x, linear(norm(x, self._norm_ff, _BLOCK_EPS), self._widen, "swish"), self._narrow)

    def _attend(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Transformer-XL attention (arXiv:1901.02860, 3.3): content scores by SDPA, position scores as its bias."""
        batch, size, _ = x.shape
        q, k, v = linear(x, self._qkv).view(batch, size, 3, self._heads, self.head_width).transpose(1, 3).unbind(2)
        codes = linear(positions, self._position).view(-1, self._heads, self.head_width).permute(1, 2, 0)
        scores = _shift((q + self._position_bias[:, None]) @ codes)
        bias = scores.contiguous() if mask is None else scores + mask[:, None, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return y.transpose(1, 2).flatten(2)


def _shift(scores: Tensor) -> Tensor:
    """(B, H, T, 2T-1) scores by distance to (B, H, T, T) by key: out[i, j] = scores[i, T-1-i+j], as a view."""
    scores = scores.contiguous()
    batch, heads, size, _ = scores.shape
    stride = scores.stride()
    return scores.as_strided(
        (batch, heads, size, size), (stride[0], stride[1], stride[2] - 1, 1), scores.storage_offset() + size - 1
    )


def _double(x: Tensor) -> Tensor:
    """Every frame twice: (B, T, C) to (B, 2T, C)."""
    return x[:, :, None].expand(-1, -1, FRAMES_PER_TOKEN, -1).flatten(1, 2)


def relative_positions(size: int, width: int) -> Tensor:
    """Sinusoidal codes (2·size-1, width) of the distances size-1, ..., 0, ..., -(size-1).

    Sine and cosine are interleaved.
    """
    distance = torch.arange(size - 1, -size, -1, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * -(math.log(10000.0) / width))
    return torch.stack([torch.sin(distance * rate), torch.cos(distance * rate)], dim=2).flatten(1)
