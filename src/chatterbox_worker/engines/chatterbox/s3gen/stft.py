"""Short-time Fourier transforms as matrix products: static shapes, no host sync, capturable in a CUDA graph.

`torch.istft` checks its window on the host, so it cannot be captured. For the vocoder's tiny windows a product with the
DFT matrix is also faster than an FFT; the watermark's long ones use FFTs and only `overlap_add` from here.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum (B, F, W) frames, `hop` samples apart, to (B, (F-1)·hop + W rounded up to hops): one addition per overlap."""
    batch, count, width = frames.shape
    parts = -(-width // hop)
    frames = F.pad(frames, (0, parts * hop - width)).view(batch, count, parts, hop)
    out = frames.new_zeros(batch, count + parts - 1, hop)
    for part in range(parts):
        out[:, part : part + count].add_(frames[:, :, part])
    return out.flatten(1)


class ShortFourier:
    """A centred transform with reflected edges and a periodic Hann window, as torch.stft and torch.istft define it."""

    def __init__(self, size: int, hop: int, device: torch.device) -> None:
        """`size` even and a multiple of `hop`."""
        self.size, self.hop = size, hop
        half = size // 2
        window = torch.hann_window(size, dtype=torch.float64)
        angle = torch.arange(size, dtype=torch.float64)[:, None] * torch.arange(half + 1) * (2 * math.pi / size)
        forward = torch.cat([angle.cos(), -angle.sin()], dim=1) * window[:, None]
        weight = torch.full((half + 1,), 2.0 / size, dtype=torch.float64)
        weight[0] = weight[half] = 1.0 / size
        imaginary = -angle.sin() * weight
        imaginary[:, 0] = imaginary[:, half] = 0  # a real signal has none there; irfft ignores it
        inverse = torch.cat([angle.cos() * weight, imaginary], dim=1).T * window
        self._forward = forward.float().to(device)
        self._inverse = inverse.float().to(device)
        self._power = window.square().float().to(device)

    def forward(self, signal: Tensor) -> Tensor:
        """(B, L) to (B, size + 2, L/hop + 1): real parts, then imaginary parts."""
        half = self.size // 2
        padded = F.pad(signal[:, None], (half, half), mode="reflect")[:, 0]
        return (padded.unfold(1, self.size, self.hop) @ self._forward).transpose(1, 2)

    def inverse(self, spectrum: Tensor, inside: Tensor | None = None) -> Tensor:
        """(B, size + 2, F) to (B, (F-1)·hop). `inside` (B, F) is True at a row's own frames, None means all.

        The squared windows that cover a sample are divided out; at both edges there are fewer.
        """
        frames = spectrum.transpose(1, 2) @ self._inverse
        cover = self._power.expand(1, frames.shape[1], -1)
        if inside is not None:
            frames = frames * inside[:, :, None]
            cover = cover * inside[:, :, None]
        half, length = self.size // 2, (frames.shape[1] - 1) * self.hop
        signal = overlap_add(frames, self.hop)[:, half : half + length]
        envelope = overlap_add(cover, self.hop)[:, half : half + length]
        return signal / (envelope if inside is None else envelope.clamp_min(1e-11))  # only padding has no cover
