"""Mel to sound: HiFT, a neural source-filter vocoder (arXiv:2309.09493; upstream's HiFTGenerator).

Pitch is estimated from the mel, nine harmonics are generated at it, and a convolutional network filters them into a
short-time spectrum. Phases and noise come from the caller, so that a row does not depend on its neighbours and can be
repeated. The convolutions are not causal: without `frames`, right padding would reach the last 7 frames of a row.
Float32 throughout. Static shapes, no host sync.

Internally, sound is an image one pixel high, (B, C, 1, T), so that on CPU its layout can be channels-last: oneDNN's
convolutions then need no reordering and run at 95 GFLOP/s a core instead of 45 to 80 (measured, AVX2, 64 to 256
channels).
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.s3gen.frames import valid
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators
from chatterbox_worker.engines.chatterbox.s3gen.stft import ShortFourier

SAMPLE_RATE = 24_000
SAMPLES_PER_FRAME = 480
HARMONICS = 9  # nb_harmonics=8 overtones and the fundamental

_UPSAMPLING = (8, 5, 3)  # S3Token2Wav; times the transform's hop of 4 makes 480
_FFT, _HOP = 16, 4
_DILATIONS = (1, 3, 5)
_VOICED_HZ = 10.0
_SINE, _VOICED_NOISE = 0.1, 0.003  # nsf_alpha, nsf_sigma
_SLOPE = 0.1  # of the leaky ReLU before each upsampling; that before the last layer has torch's default
_LOUDEST_BIN, _LIMIT = 1e2, 0.99
_LEAST_FREQUENCY = 1e-9  # of Snake


class Vocoder:
    """From `mel2wav.*` of a hub checkpoint."""

    def __init__(self, state: StateDict) -> None:
        state = state.cast(torch.float32)
        self._layout = _layout(state.device)
        self._pitch = _Pitch(state.scope("f0_predictor"))
        self._merge = state.affine("m_source.l_linear")
        self._first = state.image("conv_pre", self._layout)
        self._ups = [state.image(f"ups.{index}", self._layout) for index in range(len(_UPSAMPLING))]
        self._downs = [state.image(f"source_downs.{index}", self._layout) for index in range(len(_UPSAMPLING))]
        self._source_blocks = [_ResBlock(scope) for scope in state.children("source_resblocks")]
        blocks = [_ResBlock(scope) for scope in state.children("resblocks")]
        each = len(blocks) // len(_UPSAMPLING)
        self._blocks = [blocks[start : start + each] for start in range(0, len(blocks), each)]
        self._last = state.image("conv_post", self._layout)
        self._fourier = ShortFourier(_FFT, _HOP, state.device)
        self.uses_kernels = False
        """Whether the filter on a GPU runs the project's own kernels."""

    @torch.inference_mode()
    def __call__(
        self,
        mel: Tensor,
        phase: Tensor,
        noise: Tensor,
        frames: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Mel (B, 80, M), phase (B, 9), noise (B, 9, 480·M) to sound, at most ±0.99, and its source, both (B, 480·M).

        Phases are in radians, uniform over ±π, the fundamental's not used; noise is normal.
        `frames` (B,) counts each row's own frames, None means all; beyond them the sound is zero.
        """
        source = self.source(self.pitch(mel, frames), phase, noise)
        return self.filter(mel, source, frames), source

    def pitch(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        """(B, 80, M) to fundamental frequencies (B, M) in Hertz; below 10 is unvoiced."""
        return self._pitch(self._wide(mel), _mask(frames, mel.shape[2]))

    def source(self, pitch: Tensor, phase: Tensor, noise: Tensor) -> Tensor:
        """Harmonics at `pitch` (B, M) with their noise, merged: (B, 480·M)."""
        pitch = pitch.repeat_interleave(SAMPLES_PER_FRAME, dim=1)[:, None]
        order = torch.arange(1, HARMONICS + 1, device=pitch.device)[:, None]
        cycles = (
            torch.cumsum(pitch * order / SAMPLE_RATE, dim=2) % 1
        )  # upstream's order of rounding, because errors accumulate
        start = torch.cat([torch.zeros_like(phase[:, :1]), phase[:, 1:]], dim=1)
        voiced = (pitch > _VOICED_HZ).to(noise.dtype)
        sines = _SINE * torch.sin(2 * math.pi * cycles + start[:, :, None]) * voiced
        harmonics = sines + (voiced * _VOICED_NOISE + (1 - voiced) * _SINE / 3) * noise
        return torch.tanh(F.linear(harmonics.transpose(1, 2), self._merge.weight, self._merge.bias))[:, :, 0]

    def filter(self, mel: Tensor, source: Tensor, frames: Tensor | None) -> Tensor:
        """Mel (B, 80, M) and a source (B, 480·M) to sound (B, 480·M); `frames` as above."""
        size, count, rate = mel.shape[2], len(_UPSAMPLING), math.prod(_UPSAMPLING)
        kernels = self.uses_kernels and mel.is_cuda
        own = None if frames is None else valid(frames * SAMPLES_PER_FRAME, size * SAMPLES_PER_FRAME)
        inside = None if frames is None else valid(frames * rate + 1, size * rate + 1)
        voice = self._wide(self._spectrum(source, frames, inside))
        x, mask = self._wide(mel), _mask(frames, size)
        x = _padded_conv(x if mask is None else x * mask, self._first)
        for stage, stride in enumerate(_UPSAMPLING):
            x = F.leaky_relu(x if mask is None else x * mask, _SLOPE)
            x = _upsample(x, self._ups[stage], stride)
            size *= stride
            frames = None if frames is None else frames * stride
            mask = _mask(frames, size)
            if stage == count - 1:
                x = F.pad(x, (1, 0, 0, 0), mode="reflect")  # the spectrum has one frame more than there are hops
                mask = None if inside is None else inside[:, None, None]
            down = math.prod(_UPSAMPLING[stage + 1 :])
            part = F.conv2d(voice, self._downs[stage].weight, self._downs[stage].bias, (1, down), (0, down // 2))
            x = x + self._source_blocks[stage](part, mask, kernels)
            first, *others = self._blocks[stage]
            x = sum((block(x, mask, kernels) for block in others), start=first(x, mask, kernels))
            x = x / len(self._blocks[stage])
        x = F.leaky_relu(x)
        x = _padded_conv(x if mask is None else x * mask, self._last)[:, :, 0]
        bins = _FFT // 2 + 1
        magnitude, angle = torch.exp(x[:, :bins]).clamp(max=_LOUDEST_BIN), torch.sin(x[:, bins:])
        spectrum = torch.cat([magnitude * torch.cos(angle), magnitude * torch.sin(angle)], dim=1)
        sound = self._fourier.inverse(spectrum, inside).clamp(-_LIMIT, _LIMIT)
        return sound if own is None else sound * own

    def _wide(self, x: Tensor) -> Tensor:
        return x[:, :, None].contiguous(memory_format=self._layout)

    def _spectrum(self, source: Tensor, frames: Tensor | None, inside: Tensor | None) -> Tensor:
        """(B, 18, 120·M + 1); a row shorter than the batch is padded with its mirror image, as at the batch's edge."""
        if frames is None or inside is None:
            return self._fourier.forward(source)
        end = frames[:, None] * SAMPLES_PER_FRAME
        position = torch.arange(source.shape[1], device=source.device)
        mirror = torch.where(position < end, position, (2 * (end - 1) - position).clamp_min(0))
        return self._fourier.forward(source.gather(1, mirror)) * inside[:, None]


class _Pitch:
    def __init__(self, state: StateDict) -> None:
        self._convs = [state.image(f"condnet.{index}", _layout(state.device)) for index in (0, 2, 4, 6, 8)]
        self._read = state.affine("classifier")

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for conv in self._convs:
            x = F.elu(_padded_conv(x if mask is None else x * mask, conv))
        return F.linear(x[:, :, 0].transpose(1, 2), self._read.weight, self._read.bias)[:, :, 0].abs()


class _ResBlock:
    """Three times: Snake, a dilated convolution, Snake, a convolution, and the sum with what came in.

    Snake is x + sin²(αx)/α for each channel (arXiv:2006.08195). The convolutions' weights contain the factors: they
    take α times Snake's result, αx + sin²(αx), and the first returns its result times the second Snake's α.
    """

    def __init__(self, state: StateDict) -> None:
        layout = _layout(state.device)
        self._wide, self._narrow, self._alpha = list[Affine](), list[Affine](), list[Tensor]()
        for index in range(len(_DILATIONS)):
            before, between = (f"activations{number}.{index}.alpha" for number in (1, 2))
            wide = state.image(
                f"convs1.{index}", layout, functools.partial(_scale, state, inputs=before, outputs=between)
            )
            narrow = functools.partial(_scale, state, inputs=between)
            bias = None if wide.bias is None else wide.bias * _frequency(state[between])
            self._wide.append(Affine(wide.weight, bias))
            self._narrow.append(state.image(f"convs2.{index}", layout, narrow))
            self._alpha.append(_frequency(state[before])[:, None, None])

    def __call__(self, x: Tensor, mask: Tensor | None, kernels: bool) -> Tensor:
        """`kernels`: whether to run the project's own (`kernels`), on a GPU."""
        snake = operators.snake if kernels else _snake
        for index, dilation in enumerate(_DILATIONS):
            y = _padded_conv(snake(x, self._alpha[index], mask), self._wide[index], dilation)
            x = _padded_conv(snake(y, None, mask), self._narrow[index]).add_(x)
        return x


def _snake(x: Tensor, alpha: Tensor | None, mask: Tensor | None) -> Tensor:
    """α times Snake of the masked x, in place if α is None: x contains it then."""
    if alpha is not None:
        x = (x if mask is None else x * mask) * alpha
    elif mask is not None:
        x.mul_(mask)
    sine = x.sin()
    return x.addcmul_(sine, sine)


def _frequency(alpha: Tensor) -> Tensor:
    """Snake's α, not 0: upstream's guard is 1e-9."""
    return torch.where(alpha.abs() < _LEAST_FREQUENCY, _LEAST_FREQUENCY, alpha)


def _scale(state: StateDict, weight: Tensor, inputs: str, outputs: str | None = None) -> Tensor:
    """A convolution (out, in, k) that takes α times its input, and returns α times its result, for these α's names."""

    def frequency(name: str) -> Tensor:
        return _frequency(state.tensors[state.prefix + name].detach().float())

    scaled = weight / frequency(inputs)[:, None]
    return scaled if outputs is None else scaled * frequency(outputs)[:, None, None]


def _mask(lengths: Tensor | None, size: int) -> Tensor | None:
    """(B, 1, 1, size)."""
    return None if lengths is None else valid(lengths, size)[:, None, None]


def _layout(device: torch.device) -> torch.memory_format:
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format


def _padded_conv(x: Tensor, conv: Affine, dilation: int = 1) -> Tensor:
    padding = (conv.weight.shape[3] - 1) * dilation // 2
    return F.conv2d(x, conv.weight, conv.bias, padding=(0, padding), dilation=(1, dilation))


def _upsample(x: Tensor, conv: Affine, stride: int) -> Tensor:
    padding = (conv.weight.shape[3] - stride) // 2
    return F.conv_transpose2d(x, conv.weight, conv.bias, (1, stride), (0, padding))
