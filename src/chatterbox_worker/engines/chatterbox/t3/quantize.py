"""Weights as 8-bit integers with a scale per output, or as 4-bit NormalFloat with a scale per block.

NormalFloat is the data type of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, section 3 and appendix E), laid out as
bitsandbytes stores it, whose operator unpacks it on a GPU.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util

import torch
from torch import Tensor

from chatterbox_worker.errors import NotReady

BLOCK = 64  # values that share a scale, the paper's choice: 4.5 bits for each weight
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""The paper's 16 values, appendix E: quantiles of a normal distribution, scaled to -1 to 1, with an exact 0."""


def quantize_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs, inputs) to 8 bits, and the scale of each output, (outputs,), that maps its largest weight to 127."""
    weight = weight.float()
    scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (weight / scale[:, None]).round().to(torch.int8).contiguous(), scale


def quantize_nf4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs, inputs) to the nearest of `NF4` times its block's scale.

    Blocks are `BLOCK` values in a row, and inputs a multiple of it. Returns two codes in each byte, the first in the
    upper half, (outputs, inputs / 2) uint8, and the scales, each its block's largest magnitude,
    (outputs * inputs / BLOCK,) float32.
    """
    values = torch.tensor(NF4, device=weight.device)
    blocks = weight.float().reshape(-1, BLOCK)
    scales = blocks.abs().amax(1)
    relative = blocks / scales.clamp(min=torch.finfo(torch.float32).tiny)[:, None]
    codes = torch.bucketize(relative.flatten(), (values[1:] + values[:-1]) / 2, out_int32=True).to(torch.uint8)
    return (codes[::2] << 4 | codes[1::2]).view(len(weight), -1), scales


def dequantize_int8(codes: Tensor, scale: Tensor) -> Tensor:
    """(outputs, inputs) float32."""
    return codes * scale[:, None]


def dequantize_nf4(codes: Tensor, scales: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(outputs, inputs); on a GPU by bitsandbytes' operator, which `load_bitsandbytes` must have registered."""
    shape = (codes.shape[0], 2 * codes.shape[1])
    if codes.is_cuda:
        unpacked: Tensor = torch.ops.bitsandbytes.dequantize_4bit(codes, scales, BLOCK, "nf4", shape, dtype)
        return unpacked
    pairs = _pairs(codes.device).index_select(0, codes.flatten().int())
    return (pairs.view(-1, BLOCK) * scales[:, None]).to(dtype).view(shape)


def squared_error(weight: Tensor, dequantized: Tensor) -> Tensor:
    """Two sums, (2,) float32: of the squared differences, and of the weights' squares."""
    weight = weight.float()
    return torch.stack([each.square().sum(dtype=torch.float64) for each in (weight - dequantized, weight)]).float()


def load_bitsandbytes() -> None:
    """Register bitsandbytes' operators.

    Raises:
        NotReady: it is not installed, or cannot be imported.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise NotReady(
            "nf4 needs the package bitsandbytes (the extra named nf4): pip install bitsandbytes, or choose "
            "CHATTERBOX_PROFILE=int8, which needs no package"
        )
    try:
        importlib.import_module("bitsandbytes")
    except (ImportError, OSError, RuntimeError) as error:
        raise NotReady(f"nf4 needs bitsandbytes, which cannot be imported here: {error}") from error


@functools.cache
def check_nf4(device: torch.device) -> None:
    """Unpack all values on `device` once, before a model needs them there.

    Raises:
        NotReady: bitsandbytes is not installed, or cannot do it on this device, or gives other values.
    """
    load_bitsandbytes()
    codes, scales = torch.arange(256, dtype=torch.uint8).view(8, BLOCK // 2), torch.arange(1.0, 9.0)
    try:
        unpacked = dequantize_nf4(codes.to(device), scales.to(device), torch.bfloat16).cpu()
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise NotReady(f"bitsandbytes cannot unpack nf4 weights on {device}: {reason}") from error
    if not torch.equal(unpacked, dequantize_nf4(codes, scales, torch.bfloat16)):
        raise NotReady(f"bitsandbytes unpacks nf4 weights on {device} to other values than nf4 has")


@functools.cache
def _pairs(device: torch.device) -> Tensor:
    """The two values of each byte of codes, (256, 2)."""
    values, byte = torch.tensor(NF4, device=device), torch.arange(256, device=device)
    return torch.stack([values[byte >> 4], values[byte & 15]], 1)
