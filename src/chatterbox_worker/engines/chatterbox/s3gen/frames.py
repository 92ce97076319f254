"""Operations on frames, shape (B, T, C): the layout in which every layer of the flow is a matrix product.

Right padding never reaches a valid frame here: convolutions are causal, and attention masks the keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.device.cpu_products import Then, product, product_add


def linear(x: Tensor, affine: Affine, then: Then = "none") -> Tensor:
    return product(x, affine.weight, affine.bias, then)


def linear_add(residual: Tensor, x: Tensor, affine: Affine) -> Tensor:
    """The sum of the residual and `linear(x, affine)`."""
    return product_add(residual, x, affine.weight, affine.bias)


def norm(x: Tensor, affine: Affine, eps: float = 1e-5) -> Tensor:
    """Layer norm over channels; 1e-5 is nn.LayerNorm's default."""
    return F.layer_norm(x, affine.weight.shape, affine.weight, affine.bias, eps)


def conv(x: Tensor, taps: Affine, *, ahead: int = 0) -> Tensor:
    """Convolve over time, with zeros outside the clip; `ahead` taps are right of the frame, the others on it or left.

    `taps.weight` is (out, k·in), oldest tap first (`StateDict.taps`). One gather and one matrix product:
    on CPU this beats `conv1d` with its two transposes.
    """
    frames, channels = x.shape[1:]
    width = taps.weight.shape[1] // channels
    padded = F.pad(x, (0, 0, width - 1 - ahead, ahead))
    return linear(torch.cat([padded[:, tap : tap + frames] for tap in range(width)], dim=2), taps)


def valid(lengths: Tensor, size: int) -> Tensor:
    """(B,) lengths to a (B, size) mask, True inside; no host sync."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]
