"""The speech tokenizer: what is said in a recording, as 25 tokens a second (S3 tokenizer v2, arXiv:2412.10117, 2.1).

A transformer over log mel frames whose attention has a memory: a convolution over the values of 31 neighbouring tokens.
Its output is squashed to eight numbers, each rounded to -1, 0 or 1; the digits are the token (finite scalar
quantization, arXiv:2309.15505). A recording of more than 30 s is read in windows that overlap by 4 s, and half of each
overlap is taken from either side, as in upstream.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE
from chatterbox_worker.engines.chatterbox.reference.features import MelSpectrum
from chatterbox_worker.engines.chatterbox.s3gen.frames import linear, linear_add, norm

_FFT, _HOP, _MELS = 400, 160, 128
_QUIETEST = 1e-10
_RANGE = 8.0  # decades below the loudest bin
_TOKEN_FRAMES = 4  # mel frames in a token
_WINDOW, _STRIDE = 3000, 2600  # frames: 30 s, and 26 s from one window to the next
_DROPPED = 50  # tokens at each inner end of a window, 2 s
_HEAD = 64  # the width of an attention head
_ROPE_BASE = 10_000.0
_SQUASH = 0.9990000128746033  # s3tokenizer's FSQCodebook
_LEVELS = 3


class SpeechTokenizer:
    """From `tokenizer.*` of S3Gen's file."""

    def __init__(self, state: StateDict) -> None:
        encoder = state.scope("encoder")
        self._conv1, self._conv2 = encoder.affine("conv1"), encoder.affine("conv2")
        self._blocks = [_Block(scope) for scope in encoder.children("blocks")]
        self._project = state.affine("quantizer._codebook.project_down")
        self._spectrum = MelSpectrum(SPEECH_RATE, _FFT, _HOP, _MELS, SPEECH_RATE / 2, state.device)
        self._rope = _rope(_WINDOW // _TOKEN_FRAMES).to(state.device)

    def __call__(self, speech: Tensor, limit: int | None = None) -> Tensor:
        """Tokens (1, n) int64 of 16 kHz `speech` (1, samples), 25 a second; at most `limit`."""
        mel = self.log_mel(speech)[:, :, : None if limit is None else limit * _TOKEN_FRAMES]
        if mel.shape[2] <= _WINDOW:
            return _quantize(self.encode(mel))
        starts = range(0, mel.shape[2], _STRIDE)
        return _join([_quantize(self.encode(mel[:, :, start : start + _WINDOW])) for start in starts])

    def log_mel(self, speech: Tensor) -> Tensor:
        """Log mel frames (1, 128, T) of 16 kHz `speech` (1, samples), 100 a second: Whisper's, for 128 bands."""
        power = self._spectrum.frames(speech, _FFT // 2)[..., :-1].abs().square()
        levels = self._spectrum.mel(power).clamp_min(_QUIETEST).log10()
        return (torch.maximum(levels, levels.max() - _RANGE) + 4) / 4

    def encode(self, mel: Tensor) -> Tensor:
        """Mel frames (1, 128, T), at most 3000, to the eight numbers (1, ceil(T/4), 8) in ±1 that are rounded."""
        x = F.gelu(F.conv1d(mel, *self._conv1, stride=2, padding=1))
        x = F.gelu(F.conv1d(x, *self._conv2, stride=2, padding=1)).mT.contiguous()
        rope = self._rope[:, : x.shape[1]]
        for block in self._blocks:
            x = block(x, rope)
        return linear(x, self._project).tanh() * _SQUASH


def _quantize(numbers: Tensor) -> Tensor:
    """(1, n, 8) in ±1 to (1, n) int64: rounded, they are the digits of a number to base 3, the lowest first."""
    places = torch.arange(numbers.shape[2], device=numbers.device)
    return ((numbers.round().long() + 1) * _LEVELS**places).sum(dim=2)


def _join(windows: list[Tensor]) -> Tensor:
    """Windows' tokens (1, n) as one recording's, without what each one lacks context for at its inner ends."""
    last = len(windows) - 1
    return torch.cat(
        [
            tokens[:, _DROPPED if index else 0 : None if index == last else -_DROPPED]
            for index, tokens in enumerate(windows)
        ],
        dim=1,
    )


class _Block:
    """Pre-norm attention with rotary positions and a memory, then a GELU feed-forward."""

    def __init__(self, state: StateDict) -> None:
        attention = state.scope("attn")
        self._norm_attention = state.affine("attn_ln")
        self._query, self._key, self._value, self._out = (
            attention.matrix(name) for name in ("query", "key", "value", "out")
        )
        self._memory = attention["fsmn_block.weight"]
        self._norm_ff = state.affine("mlp_ln")
        self._widen, self._narrow = state.matrix("mlp.0"), state.matrix("mlp.2")

    def __call__(self, x: Tensor, rope: Tensor) -> Tensor:
        """(1, T, C) to the same; `rope` (2, T, 64)."""
        x = self._attend(norm(x, self._norm_attention), x, rope)
        return linear_add(x, linear(norm(x, self._norm_ff), self._widen, "gelu"), self._narrow)

    def _attend(self, x: Tensor, residual: Tensor, rope: Tensor) -> Tensor:
        value = linear(x, self._value)
        query, key = (_rotate(_split(linear(x, affine)), rope) for affine in (self._query, self._key))
        attended = F.scaled_dot_product_attention(query, key, _split(value)).transpose(1, 2).flatten(2)
        width = self._memory.shape[2]
        remembered = F.conv1d(value.mT, self._memory, padding=(width - 1) // 2, groups=value.shape[2]).mT
        return linear_add(residual + value + remembered.contiguous(), attended, self._out)


def _split(x: Tensor) -> Tensor:
    """(1, T, C) to (1, heads, T, 64)."""
    return x.view(1, x.shape[1], -1, _HEAD).transpose(1, 2)


def _rope(count: int) -> Tensor:
    """Cosine and signed sine (2, count, 64) of rotary positions (arXiv:2104.09864), pairs half a head apart."""
    rates = _ROPE_BASE ** -(torch.arange(0, _HEAD, 2).float() / _HEAD)
    angles = torch.outer(torch.arange(count).float(), rates)
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([torch.cat([cosine, cosine], dim=1), torch.cat([-sine, sine], dim=1)])


def _rotate(x: Tensor, rope: Tensor) -> Tensor:
    return torch.addcmul(x * rope[0], x.roll(_HEAD // 2, dims=3), rope[1])
