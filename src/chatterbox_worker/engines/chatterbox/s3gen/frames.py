"""Operations on frames, shape (B, T, C): the layout in which every layer of the flow is a matrix product.

Right padding never reaches a valid frame here: convolutions are causal, and attention masks the keys.
A product that is added to something has one kernel on a GPU if it has no bias (`linear_add`).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.device.cpu_products import Then, product, product_add
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators


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


def norm_linear(
    x: Tensor, before: Affine, affine: Affine, then: Literal["none", "gelu"] = "none", *, kernels: bool
) -> Tensor:
    """`linear(norm(x, before), affine, then)`; with `kernels` by one of the project's own."""
    if kernels:
        return operators.norm_product(x, before, affine, gelu=then == "gelu")
    return linear(norm(x, before), affine, then)


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
