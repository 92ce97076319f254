"""What the networks read of a recording: mel spectra as each was trained on, and one of the two resamplers.

Plain torch on the signal's device, in float32. Filters are computed on the CPU when a network is loaded.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import SAMPLE_RATE

_LINEAR_HZ = 200.0 / 3  # of one mel below 1 kHz
_LOG_FROM_HZ, _LOG_FROM_MEL = 1000.0, 15.0
_LOG_STEP = math.log(6.4) / 27  # of one mel above


class MelSpectrum:
    """Slaney's mel filters over the spectra of windowed frames (Malcolm Slaney, Auditory Toolbox, 1998)."""

    def __init__(  # noqa: PLR0917 - a spectrum's usual five numbers
        self, sample_rate: int, fft: int, hop: int, bands: int, highest_hz: float, device: torch.device
    ) -> None:
        self._hop = hop
        self._filters = mel_filters(sample_rate, fft, bands, highest_hz).to(device)
        self._window = torch.hann_window(fft, device=device)

    def frames(self, signal: Tensor, margin: int) -> Tensor:
        """Complex spectra (1, fft / 2 + 1, T) of `signal` (1, samples) after mirroring `margin` samples at its ends."""
        padded = F.pad(signal[None], (margin, margin), mode="reflect")[0]
        fft = len(self._window)
        return torch.stft(padded, fft, self._hop, window=self._window, center=False, return_complex=True)

    def mel(self, levels: Tensor) -> Tensor:
        """Magnitudes or powers (1, fft / 2 + 1, T) to (1, bands, T)."""
        return self._filters @ levels


def mel_filters(sample_rate: int, fft: int, bands: int, highest_hz: float) -> Tensor:
    """Triangles (bands, fft / 2 + 1) of equal area, evenly spaced in mel from 0 to `highest_hz` (above 1 kHz).

    `librosa.filters.mel`, rounded where it rounds.
    """
    highest_mel = _LOG_FROM_MEL + math.log(highest_hz / _LOG_FROM_HZ) / _LOG_STEP
    mels = np.linspace(0.0, highest_mel, bands + 2)
    above = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels - _LOG_FROM_MEL))
    corners = np.where(mels < _LOG_FROM_MEL, _LINEAR_HZ * mels, above)
    ramps = corners[:, None] - np.fft.rfftfreq(fft, 1 / sample_rate)
    widths = np.diff(corners)[:, None]
    heights = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:])).astype(np.float32)
    heights *= (2.0 / (corners[2:] - corners[:-2]))[:, None]
    return torch.from_numpy(heights)


class FlowMel:
    """The flow's log mel: 80 bands up to 8 kHz, 50 frames a second, 24 kHz (Matcha-TTS's `mel_spectrogram`)."""

    _FFT, _HOP = 1920, 480
    _QUIETEST = 1e-5

    def __init__(self, device: torch.device) -> None:
        self._spectrum = MelSpectrum(SAMPLE_RATE, self._FFT, self._HOP, 80, 8000.0, device)

    def __call__(self, speech: Tensor) -> Tensor:
        """(1, samples) to (1, T, 80)."""
        spectrum = self._spectrum.frames(speech, (self._FFT - self._HOP) // 2)
        magnitude = (torch.view_as_real(spectrum).square().sum(dim=-1) + 1e-9).sqrt()
        return self._spectrum.mel(magnitude).clamp_min(self._QUIETEST).log().mT


class KaldiFilterBank:
    """Log mel energies as Kaldi's compute-fbank-feats without dither: 80 bands, 100 frames a second, 16 kHz.

    Frames of 25 ms inside the signal, each freed of its mean, then pre-emphasised, windowed and padded to 512 samples.
    The triangles are of height 1 and evenly spaced at 1127 ln(1 + f/700) mel from 20 Hz to 8 kHz.
    """

    _BANDS = 80
    _WINDOW, _HOP, _FFT = 400, 160, 512
    _LOWEST_HZ, _NYQUIST_HZ = 20.0, 8000.0
    _PREEMPHASIS = 0.97

    def __init__(self, device: torch.device) -> None:
        self._filters = self._triangles().to(device)
        self._window = torch.hann_window(self._WINDOW, periodic=False).pow(0.85).to(device)  # Povey's

    def __call__(self, speech: Tensor) -> Tensor:
        """(samples,), at least 400 of them, to (T, 80)."""
        frames = speech.unfold(0, self._WINDOW, self._HOP)
        frames = frames - frames.mean(dim=1, keepdim=True)
        earlier = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        power: Tensor = (
            torch.fft.rfft((frames - self._PREEMPHASIS * earlier) * self._window, n=self._FFT).abs().square()
        )
        return (power @ self._filters).clamp_min(torch.finfo(torch.float32).eps).log()

    def _triangles(self) -> Tensor:
        """(257, 80), in float32 as in `torchaudio.compliance.kaldi`; the bin at 8 kHz counts nowhere."""
        lowest, highest = (1127.0 * math.log(1.0 + hz / 700.0) for hz in (self._LOWEST_HZ, self._NYQUIST_HZ))
        corners = (lowest + torch.arange(self._BANDS + 2) * ((highest - lowest) / (self._BANDS + 1)))[:, None]
        hertz = 2 * self._NYQUIST_HZ / self._FFT * torch.arange(self._FFT / 2)
        mels = 1127.0 * (1.0 + hertz / 700.0).log()
        left, centre, right = corners[:-2], corners[1:-1], corners[2:]
        heights = torch.min((mels - left) / (centre - left), (right - mels) / (right - centre)).clamp_min(0)
        return F.pad(heights, (0, 1)).T.contiguous()


class SincResampler:
    """`torchaudio.transforms.Resample` with its defaults, see https://ccrma.stanford.edu/~jos/resample/.

    A sinc of six zero crossings on each side under a Hann window, cut off at 0.99 of the lower Nyquist frequency.
    """

    _CROSSINGS = 6
    _ROLLOFF = 0.99

    def __init__(self, source: int, target: int, device: torch.device) -> None:
        """From `source` to `target` Hertz."""
        divisor = math.gcd(source, target)
        self._source, self._target = source // divisor, target // divisor
        self._reach, kernel = self._design()
        self._kernel = kernel.to(device)

    def __call__(self, signal: Tensor) -> Tensor:
        """(1, samples) to (1, ceil(samples · target / source))."""
        padded = F.pad(signal, (self._reach, self._reach + self._source))
        phases = F.conv1d(padded[:, None], self._kernel, stride=self._source)
        return phases.mT.flatten(1)[:, : -(-signal.shape[1] * self._target // self._source)]

    def _design(self) -> tuple[int, Tensor]:
        """Taps on each side, and a filter for each phase (target, 1, taps)."""
        cutoff = min(self._source, self._target) * self._ROLLOFF
        reach = math.ceil(self._CROSSINGS * self._source / cutoff)
        taps = torch.arange(-reach, reach + self._source, dtype=torch.float64) / self._source
        phases = torch.arange(self._target, dtype=torch.float64)[:, None, None] / self._target
        position = ((taps - phases) * cutoff).clamp(-self._CROSSINGS, self._CROSSINGS)
        window = (position * (math.pi / 2 / self._CROSSINGS)).cos().square()
        return reach, (torch.sinc(position) * window * (cutoff / self._source)).float()
