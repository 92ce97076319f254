"""The x-vector network: who speaks, as 192 numbers for the flow (CAM++, arXiv:2303.00332).

Filter bank frames pass a small residual network over time and frequency, then three blocks of densely connected
convolutions over time, each scaled by a mask from its context: the means of the clip and of the two seconds around it.
Batch norms that follow a convolution are folded into it. After the head all tensors are frames (1, T, C), so that every
convolution is a matrix product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.device.cpu_products import pack_weight
from chatterbox_worker.engines.chatterbox.reference.features import KaldiFilterBank
from chatterbox_worker.engines.chatterbox.s3gen.frames import linear

_EPS = 1e-5  # nn.BatchNorm's default
_SEGMENT = 100  # frames at 50 a second whose mean is context
_DILATIONS = (1, 2, 2)  # of the blocks


class XVector:
    """From `speaker_encoder.*` of S3Gen's file."""

    def __init__(self, state: StateDict) -> None:
        network = state.scope("xvector")
        self._head = _Head(state.scope("head"))
        self._first = _fold(network, "tdnn.linear", "tdnn.nonlinear.batchnorm")
        self._blocks = [
            (_DenseBlock(network.scope(f"block{number}"), dilation), _Transit(network.scope(f"transit{number}")))
            for number, dilation in enumerate(_DILATIONS, start=1)
        ]
        self._last = _Norm.of(network.scope("out_nonlinear.batchnorm"))
        self._dense = _as_matrix(_fold(network, "dense.linear", "dense.nonlinear.batchnorm"))
        self._filter_bank = KaldiFilterBank(state.device)

    def __call__(self, speech: Tensor) -> Tensor:
        """The x-vector (1, 192) of 16 kHz `speech` (1, samples)."""
        features = self._filter_bank(speech[0])
        features = features - features.mean(dim=0)
        x = F.relu(F.conv1d(self._head(features.T[None]), *self._first, stride=2, padding=2)).mT
        for block, transit in self._blocks:
            x = transit(block(x))
        x = self._last(x)
        return linear(torch.cat([x.mean(dim=1), x.std(dim=1)], dim=1), self._dense)


class _Norm(NamedTuple):
    """A batch norm's scale and shift (C,), and the ReLU after it."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, state: StateDict) -> _Norm:
        scale = (state["running_var"] + _EPS).rsqrt()
        weight, bias = state.optional("weight"), state.optional("bias")
        scale = scale if weight is None else scale * weight
        shift = -state["running_mean"] * scale
        return cls(scale, shift if bias is None else shift + bias)

    def __call__(self, x: Tensor) -> Tensor:
        """Frames (1, T, C) to the same."""
        return F.relu(torch.addcmul(self.shift, x, self.scale))


def _fold(state: StateDict, conv: str, norm: str) -> Affine:
    """A convolution without bias and the batch norm after it, as one convolution."""
    weight, (scale, shift) = state[f"{conv}.weight"], _Norm.of(state.scope(norm))
    return Affine(weight * scale.view(-1, *[1] * (weight.ndim - 1)), shift)


def _as_matrix(conv: Affine) -> Affine:
    """A convolution (out, in, k) as a product with the k frames it reads, the earliest first (`StateDict.taps`)."""
    return Affine(pack_weight(conv.weight.permute(0, 2, 1).flatten(1).contiguous()), conv.bias)


class _Head:
    """(1, 80, T) to (1, 320, T): residual convolutions that halve the bands three times."""

    def __init__(self, state: StateDict) -> None:
        self._first, self._last = _fold(state, "conv1", "bn1"), _fold(state, "conv2", "bn2")
        self._layers = [
            _Residual(scope, stride)
            for layer in ("layer1", "layer2")
            for scope, stride in zip(state.children(layer), (2, 1), strict=True)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x[:, None], *self._first, padding=1))
        for layer in self._layers:
            x = layer(x)
        return F.relu(F.conv2d(x, *self._last, stride=(2, 1), padding=1)).flatten(1, 2)


class _Residual:
    def __init__(self, state: StateDict, stride: int) -> None:
        """`stride`: over the bands."""
        self._stride = (stride, 1)
        self._conv1, self._conv2 = _fold(state, "conv1", "bn1"), _fold(state, "conv2", "bn2")
        self._shortcut = _fold(state, "shortcut.0", "shortcut.1") if "shortcut.0.weight" in state else None

    def __call__(self, x: Tensor) -> Tensor:
        """(1, 32, bands, T) to (1, 32, bands / stride, T)."""
        y = F.relu(F.conv2d(x, *self._conv1, stride=self._stride, padding=1))
        y = F.conv2d(y, *self._conv2, padding=1)
        return F.relu(y + (x if self._shortcut is None else F.conv2d(x, *self._shortcut, stride=self._stride)))


class _DenseBlock:
    """Each layer reads what all earlier ones wrote."""

    def __init__(self, state: StateDict, dilation: int) -> None:
        names: list[str] = []
        while f"tdnnd{len(names) + 1}.linear1.weight" in state:
            names.append(f"tdnnd{len(names) + 1}")
        self._layers = [_DenseLayer(state.scope(name), dilation) for name in names]

    def __call__(self, x: Tensor) -> Tensor:
        """(1, T, C) to (1, T, C + growth · layers)."""
        written, growth = x.shape[2], self._layers[0].growth
        frames = F.pad(x, (0, growth * len(self._layers)))
        for layer in self._layers:
            frames[:, :, written : written + growth] = layer(frames[:, :, :written])
            written += growth
        return frames


class _DenseLayer:
    def __init__(self, state: StateDict, dilation: int) -> None:
        context, local = state.scope("cam_layer"), state["cam_layer.linear_local.weight"]
        self._dilation = dilation
        self._norm = _Norm.of(state.scope("nonlinear1.batchnorm"))
        self._narrow = _as_matrix(_fold(state, "linear1", "nonlinear2.batchnorm"))
        self._local = _as_matrix(Affine(local, None))
        self._context, self._mask = (_as_matrix(context.affine(name)) for name in ("linear1", "linear2"))
        self.growth = local.shape[0]

    def __call__(self, x: Tensor) -> Tensor:
        """(1, T, C) to (1, T, growth)."""
        x = F.relu(linear(self._norm(x), self._narrow))
        size, reach = x.shape[1], self._dilation
        padded = F.pad(x, (0, 0, reach, reach))
        near = torch.cat([padded[:, start : start + size] for start in (0, reach, 2 * reach)], dim=2)
        means = x.mean(dim=1, keepdim=True) + F.avg_pool1d(x.mT, _SEGMENT, _SEGMENT, ceil_mode=True).mT
        mask = linear(F.relu(linear(means, self._context)), self._mask).sigmoid()
        return linear(near, self._local) * mask.repeat_interleave(_SEGMENT, dim=1)[:, :size]


class _Transit:
    def __init__(self, state: StateDict) -> None:
        self._norm = _Norm.of(state.scope("nonlinear.batchnorm"))
        self._weight = _as_matrix(state.affine("linear"))

    def __call__(self, x: Tensor) -> Tensor:
        """(1, T, C) to (1, T, C / 2)."""
        return linear(self._norm(x), self._weight)
