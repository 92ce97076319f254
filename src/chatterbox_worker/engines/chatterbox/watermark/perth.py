"""Perth's implicit watermark, embedded and detected with the network and weights of the `resemble-perth` package.

The arithmetic is perth's own (its `perth_net_implicit`); the package itself is never imported, because it imports
librosa and numba and writes into site-packages. The mark lies below 2 kHz, as a change of loudness of the bins of a
32 kHz short-time spectrum, in frames that are not much quieter than the clip's loudest. As in upstream, sound at
another rate is resampled twice, so that everything above about 0.91 of its Nyquist frequency is lost.

Unlike upstream: the output is as long as the input (upstream drops up to 10 ms), clips under 33 ms are marked rather
than refused, and silence scores 0 rather than NaN. Clips are processed in blocks, so that memory does not grow with the
spectrum of a long clip.
"""

from __future__ import annotations

import importlib.util
import math
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.s3gen.frames import conv, linear
from chatterbox_worker.engines.chatterbox.s3gen.stft import overlap_add

# perth's pretrained/implicit/hparams.yaml
_RATE = 32_000
_FFT, _HOP = 2048, 320
_BAND = 128  # bins: round(1025 · 2000 Hz / 16000 Hz)
_QUIETEST = 1e-9
_FLOOR_DB, _RANGE_DB = 180.0, 195.0  # -20·log10(1e-9), and perth's 15 dB of headroom on top

_MASK = 0.05  # of the loudest frame, perth's magmask
_BLOCK = 1500  # frames, 15 s
_CONTEXT = 15  # frames on each side in the receptive field of five convolutions of width 7


def _find_checkpoint() -> Path:
    """Raises FileNotFoundError if `resemble-perth` is not installed or has no weights."""
    spec = importlib.util.find_spec("perth")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = sorted(Path(folder).glob("perth_net/pretrained/implicit/*.pth.tar"))
        if found:
            return found[-1]
    raise FileNotFoundError("the watermark's weights come with the resemble-perth package, which is not installed")


class Watermark:
    """The network that embeds the mark and the one that detects it. Safe for several threads."""

    def __init__(self, device: torch.device) -> None:
        """Raises FileNotFoundError without the `resemble-perth` package."""
        stored = torch.load(_find_checkpoint(), map_location="cpu", weights_only=True, mmap=True)
        state = StateDict(stored["model"], device, torch.float32)
        self._device = device
        self._mark = _Layers(state.scope("encoder.layers"))
        self._detector_state = state.scope("decoder")
        self._window = torch.hann_window(_FFT, device=device)

    @cached_property
    def _detectors(self) -> list[tuple[float, _Layers]]:
        """Each stretch of time with its network: three quarters of the weights, which only `detect` needs."""
        stretches = (("slow", 1.25), ("normal", 1.0), ("fast", 0.75))
        return [(stretch, _Layers(self._detector_state.scope(f"{name}_layers"))) for name, stretch in stretches]

    @torch.inference_mode()
    def mark(self, audio: Audio) -> Audio:
        """`audio` with the mark: the same length and rate. Silence stays silent."""
        if not len(audio.samples):
            return audio
        wide = _resample(audio.samples, audio.sample_rate, _RATE)
        signal = torch.from_numpy(wide).to(self._device)
        marked = (signal + self._change(signal)).cpu().numpy()
        return Audio(_fit_length(_resample(marked, _RATE, audio.sample_rate), len(audio.samples)), audio.sample_rate)

    @torch.inference_mode()
    def detect(self, audio: Audio) -> float:
        """The network's confidence that `audio` is marked, 0 to 1; perth's threshold is 0.5. Silence has 0."""
        signal = torch.from_numpy(_resample_polyphase(audio.samples, audio.sample_rate, _RATE)).to(self._device)
        if not signal.any():
            return 0.0
        _, levels, loudness = self._band(signal)
        levels, mask = levels.T[None], _mask(loudness)[None, None]
        votes, weights = [], []
        for stretch, layers in self._detectors:
            size = int(levels.shape[2] * stretch)
            stretched = F.interpolate(levels, size=size, mode="linear", align_corners=True)
            stretched_mask = F.interpolate(mask, size=size, mode="nearest")
            weight, vote = (layers(stretched.mT) * stretched_mask.mT).sum(dim=1)[0] / stretched_mask.sum()
            votes.append(vote)
            weights.append(weight)
        confidence = float((torch.stack(votes) * torch.softmax(torch.stack(weights), 0)).sum().clamp(0, 1))
        return 0.0 if math.isnan(confidence) else confidence

    def _change(self, signal: Tensor) -> Tensor:
        """The samples (n,) that the mark adds to (n,) samples at 32 kHz."""
        spectrum, levels, loudness = self._band(signal)
        mask = _mask(loudness)
        count = len(levels)
        size = (count - 1 + -(-_FFT // _HOP)) * _HOP
        change, cover = signal.new_zeros(size), signal.new_zeros(size)
        for start in range(0, count, _BLOCK):
            end = min(start + _BLOCK, count)
            first = max(start - _CONTEXT, 0)
            residual = self._mark(levels[None, first : end + _CONTEXT])[0, start - first : end - first]
            gain = torch.exp(residual * mask[start:end, None] * (_RANGE_DB / 20 * math.log(10)))
            frames = torch.fft.irfft(spectrum[start:end] * (gain - 1), n=_FFT) * self._window
            part = slice(start * _HOP, start * _HOP + (end - start - 1 + -(-_FFT // _HOP)) * _HOP)
            change[part].add_(overlap_add(frames[None], _HOP)[0])
            cover[part].add_(overlap_add(self._window.square().expand(1, end - start, -1), _HOP)[0])
        inside = slice(_FFT // 2, _FFT // 2 + len(signal))
        return change[inside] / cover[inside]

    def _band(self, signal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n,) samples to the spectrum's marked band (T, 128), complex, its levels, and each frame's sum of levels.

        Centred frames with reflected edges, as in torch.stft; a clip too short to be reflected is padded with silence.
        """
        half = _FFT // 2
        if len(signal) <= half:
            signal = F.pad(signal, (0, half + 1 - len(signal)))
        padded = F.pad(signal[None, None], (half, half), mode="reflect")[0, 0]
        frames = padded.unfold(0, _FFT, _HOP)
        bands, band_levels, loudness = list[Tensor](), list[Tensor](), list[Tensor]()
        for block in torch.split(frames, _BLOCK):
            spectrum = torch.fft.rfft(block * self._window)
            levels = _levels(spectrum.abs())
            bands.append(spectrum[:, :_BAND].clone())
            band_levels.append(levels[:, :_BAND].clone())
            loudness.append(levels.sum(dim=1))
        return torch.cat(bands), torch.cat(band_levels), torch.cat(loudness)


class _Layers:
    """Seven convolutions over time with leaky ReLUs between them, frames (B, T, C)."""

    def __init__(self, state: StateDict) -> None:
        names = sorted(
            {key.removeprefix(state.prefix).partition(".")[0] for key in state.tensors if key.startswith(state.prefix)}
        )
        self._convs: list[Affine] = [state.taps(f"{name}.conv") for name in names]

    def __call__(self, x: Tensor) -> Tensor:
        for affine in self._convs[:-1]:
            taps = affine.weight.shape[1] // x.shape[2]
            x = F.leaky_relu(conv(x, affine, ahead=taps // 2), inplace=True)
        return linear(x, self._convs[-1])


def _levels(magnitude: Tensor) -> Tensor:
    """Magnitudes to perth's scale, where 0 is 1e-9 and 1 is 15 dB above full scale."""
    return (20 * torch.log10(magnitude.clamp_min(_QUIETEST)) + _FLOOR_DB) / _RANGE_DB


def _mask(loudness: Tensor) -> Tensor:
    return (loudness > _MASK * loudness.max()).to(loudness.dtype)


def _resample(samples: Samples, source: int, target: int) -> Samples:
    """By soxr at its HQ setting, to ceil(n · target / source) samples: librosa.resample's default, which perth uses."""
    if source == target:
        return np.ascontiguousarray(samples, np.float32)
    resampled: Samples = soxr.resample(np.ascontiguousarray(samples, np.float32), source, target, quality="HQ")
    return _fit_length(resampled, math.ceil(len(samples) * target / source))


def _fit_length(samples: Samples, size: int) -> Samples:
    """`samples` cut or padded with silence to `size`."""
    return samples[:size] if len(samples) >= size else np.pad(samples, (0, size - len(samples)))


def _resample_polyphase(samples: Samples, source: int, target: int) -> Samples:
    """Resample as scipy.signal.resample_poly does, which perth's detector uses.

    A windowed sinc of 20·max(up, down) + 1 taps, Kaiser β = 5, cut off at the lower Nyquist frequency.
    """
    if source == target or not len(samples):
        return np.ascontiguousarray(samples, np.float32)
    up, down = target // math.gcd(source, target), source // math.gcd(source, target)
    longest = max(up, down)
    half = 10 * longest
    offsets = np.arange(-half, half + 1)
    kernel = np.sinc(offsets / longest) * np.kaiser(2 * half + 1, 5.0)
    kernel *= up / kernel.sum()
    taps = 2 * half // up + 1
    filters = np.pad(kernel, (0, (taps + 1) * up - len(kernel))).astype(np.float32).reshape(taps + 1, up)
    position = np.arange(-(-len(samples) * up // down), dtype=np.int64) * down + half
    newest: npt.NDArray[np.int64] = position // up
    phase = position % up
    padded = np.pad(samples.astype(np.float32), (taps, taps + half // up))
    out = np.zeros(len(position), np.float32)
    for tap in range(taps + 1):
        out += padded[newest + (taps - tap)] * filters[tap, phase]
    return out
