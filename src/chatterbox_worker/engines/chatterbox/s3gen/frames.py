"""Operations on frames, shape (B, T, C): the layout in which every layer of the flow is a matrix product.

Right padding never reaches a valid frame here: convolutions are causal, and attention masks the keys.
A product that is added to something has one kernel on a GPU if it has no bias (`linear_add`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.device.cpu_products import Then, product, product_add

_FLASH_DTYPES = (torch.float16, torch.bfloat16)


def linear(x: Tensor, affine: Affine, then: Then = "none") -> Tensor:
    return product(x, affine.weight, affine.bias, then)


def linear_add(residual: Tensor, x: Tensor, affine: Affine) -> Tensor:
    """The sum of the residual and `linear(x, affine)`."""
    if affine.bias is None and x.is_cuda:
        inputs, outputs = x.shape[-1], residual.shape[-1]
        total = torch.addmm(residual.reshape(-1, outputs), x.reshape(-1, inputs), affine.weight.t())
        return total.view(residual.shape)
    return product_add(residual, x, affine.weight, affine.bias)


def norm(x: Tensor, affine: Affine, eps: float = 1e-5) -> Tensor:
    """Layer norm over channels; 1e-5 is nn.LayerNorm's default."""
    return F.layer_norm(x, affine.weight.shape, affine.weight, affine.bias, eps)


def conv(x: Tensor, taps: Affine, *, ahead: int = 0) -> Tensor:
    """Convolve over time, with zeros outside the clip; `ahead` taps are right of the frame, the others on it or left.

    `taps.weight` is (out, k·in), oldest tap first (`StateDict.taps`). Returns at least T frames: those beyond have no
    meaning, and as padding on the right they reach no valid frame.
    """
    if x.is_cuda and not ahead:
        return conv_image(x, taps)
    frames, channels = x.shape[1:]
    width = taps.weight.shape[1] // channels
    padded = F.pad(x, (0, 0, width - 1 - ahead, ahead))
    # one gather and one matrix product: on a CPU this beats `conv1d` with its two transposes
    return linear(torch.cat([padded[:, tap : tap + frames] for tap in range(width)], dim=2), taps)


def conv_image(x: Tensor, taps: Affine) -> Tensor:
    """`conv` without `ahead` in one operation that copies nothing: (B, T + k - 1, out).

    The frames are an image one pixel high with its channels last, and the taps its filter, as they lie in memory.
    """
    channels = x.shape[2]
    width = taps.weight.shape[1] // channels
    weight = taps.weight.view(-1, 1, width, channels).permute(0, 3, 1, 2)
    y = F.conv2d(x[:, None].permute(0, 3, 1, 2), weight, taps.bias, padding=(0, width - 1))
    return y.permute(0, 2, 3, 1)[:, 0]


def valid(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths to a (B, size) mask, True inside; no host sync."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that is True at valid keys as one to add to the scores of attention: 0 there, -inf elsewhere.

    Attention on a GPU would convert a boolean mask again in every layer.
    """
    return torch.zeros(mask.shape, device=mask.device, dtype=dtype).masked_fill_(~mask, -torch.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Which frames attention attends to, in the form that its kernel takes."""

    mask: Tensor | None = None
    """(B, 1, 1, T), to add to the scores; None if all frames are valid, or with `counts`."""
    counts: Tensor | None = None
    """(B,) int32, how many of each row's first frames are valid."""
    starts: Tensor | None = None
    """(B + 1,) int32, where each row starts in the frames of all rows, and the end."""

    @classmethod
    def of(cls, lengths: Tensor | None, size: int, dtype: torch.dtype) -> Keys:
        """For rows of `lengths` (B,) valid frames of `size`; None if all are valid."""
        if lengths is None:
            return cls()
        if lengths.is_cuda and dtype in _FLASH_DTYPES and _has_flash(lengths.device):
            starts = torch.arange(len(lengths) + 1, device=lengths.device, dtype=torch.int32) * size
            return cls(counts=lengths.to(torch.int32), starts=starts)
        return cls(mask=additive(valid(lengths, size)[:, None, None], dtype))


def attend(qkv: Tensor, keys: Keys) -> Tensor:
    """Attention within each row, (B, T, 3, H, D) to (B, T, H · D).

    On a GPU in half precision by FlashAttention (arXiv:2307.08691), which takes counts in place of a mask: on an H100
    a third of the time of torch's masked kernel for 16 rows of 1 024 frames (125 and 391 µs).
    """
    batch, size, _, heads, width = qkv.shape
    if keys.counts is not None:
        q, k, v = qkv.flatten(0, 1).unbind(1)
        attended = torch.ops.aten._flash_attention_forward(
            q, k, v, keys.starts, keys.starts, size, size, 0.0, False, False, seqused_k=keys.counts
        )[0]
        return attended.reshape(batch, size, heads * width)  # type: ignore[no-any-return]
    q, k, v = qkv.transpose(1, 3).unbind(2)
    return _attend_masked(q, k, v, keys.mask).transpose(1, 2).flatten(2)


@functools.cache
def _has_flash(device: torch.device) -> bool:
    """From capability 8.0 on; also where no GPU is, so that fake tensors of one count its kernels."""
    return not torch.cuda.is_available() or torch.cuda.get_device_capability(device) >= (8, 0)


def _attend_masked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention over (B, H, T, D)."""
    if q.dtype != torch.bfloat16 or q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    # bfloat16 on a CPU: three plain steps take half the time of torch's fused kernel
    # (5 ms and 10 ms for 762 frames, 2 cores)
    scores = torch.matmul((q * q.shape[3] ** -0.5).contiguous(), k.transpose(2, 3).contiguous())  # 1/8 is exact
    if mask is not None:
        scores += mask
    return torch.matmul(scores.softmax(-1), v.contiguous())
