"""The voice encoder: who speaks, as 256 numbers for T3 (generalised end-to-end loss, arXiv:1710.10467).

An LSTM reads partials of 1.6 s that follow each other every 0.77 s; the mean of their embeddings is the speaker.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.reference.conditioning import SPEECH_RATE
from chatterbox_worker.engines.chatterbox.reference.features import MelSpectrum
from chatterbox_worker.engines.chatterbox.s3gen.frames import linear

_FFT, _HOP, _MELS = 400, 160, 40
_PARTIAL = 160  # frames
_STEP = 77  # frames: 1.3 partials a second, round(16 000 / 1.3 / 160), upstream's `rate`
_LEAST_COVERAGE = 0.8  # of the last partial by the recording
_BATCH = 32  # partials
_TRIM_FRAME, _TRIM_HOP = 2048, 512
_TRIM_DB = 20.0  # below the loudest frame
_QUIETEST = 1e-10  # power


class VoiceEncoder:
    """From the file of the voice encoder."""

    def __init__(self, state: StateDict) -> None:
        self._lstm = _lstm(state.scope("lstm"))
        self._project = Affine(state["proj.weight"], state["proj.bias"])
        self._spectrum = MelSpectrum(SPEECH_RATE, _FFT, _HOP, _MELS, SPEECH_RATE / 2, state.device)
        self._device = state.device

    def __call__(self, speech: Samples) -> Tensor:
        """Speaker embedding (1, 256), of norm 1, of 16 kHz `speech` (samples,), silence at its ends trimmed."""
        signal = torch.tensor(trim(speech), device=self._device)
        partials = _partials(self.mel(signal[None])[0].T)
        embedded = torch.cat([self._embed(batch) for batch in torch.split(partials, _BATCH)])
        return F.normalize(embedded.mean(dim=0, keepdim=True))

    def windows(self, speech: Tensor) -> Tensor:
        """Embeddings (N, 256), of norm 1, of windows (N, 25600): 1.6 s each, at 16 kHz, nothing trimmed."""
        return torch.cat([self._embed(self.mel(batch)[:, :, :_PARTIAL].mT) for batch in torch.split(speech, _BATCH)])

    def mel(self, speech: Tensor) -> Tensor:
        """Mel power (N, 40, T) of 16 kHz `speech` (N, samples), 100 frames a second."""
        return self._spectrum.mel(self._spectrum.frames(speech, _FFT // 2).abs().square())

    def _embed(self, partials: Tensor) -> Tensor:
        """(N, 160, 40) to (N, 256), of norm 1."""
        _, (hidden, _) = self._lstm(partials)
        return F.normalize(F.relu(linear(hidden[-1], self._project)))


def trim(speech: Samples) -> Samples:
    """`speech` (samples,) without the frames at its ends that are 20 dB quieter than its loudest one.

    `librosa.effects.trim`, to the sample: frames of 2048 at every 512th sample, centred on it.
    """
    padded = np.pad(speech, _TRIM_FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _TRIM_FRAME)[::_TRIM_HOP]
    levels = np.square(np.sqrt(np.square(frames).mean(axis=1)))
    levels_db = 10.0 * np.log10(np.maximum(_QUIETEST, levels))
    loud = np.flatnonzero(levels_db - 10.0 * np.log10(np.maximum(_QUIETEST, levels.max())) > -_TRIM_DB)
    return speech[loud[0] * _TRIM_HOP : (loud[-1] + 1) * _TRIM_HOP]


def _partials(mel: Tensor) -> Tensor:
    """Frames (T, 40) to partials (N, 160, 40), the last one padded with silence if enough of it is covered."""
    count, rest = divmod(max(mel.shape[0] - _PARTIAL + _STEP, 0), _STEP)
    if count == 0 or (rest + _PARTIAL - _STEP) / _PARTIAL >= _LEAST_COVERAGE:
        count += 1
    size = _PARTIAL + _STEP * (count - 1)
    fitted = F.pad(mel, (0, 0, 0, max(0, size - mel.shape[0])))[:size]
    return fitted.unfold(0, _PARTIAL, _STEP).mT


def _lstm(state: StateDict) -> nn.LSTM:
    """Raises ValueError for tensors of other shapes."""
    hidden, width = state["weight_hh_l0"].shape[1], state["weight_ih_l0"].shape[1]
    with torch.device("meta"):
        lstm = nn.LSTM(width, hidden, num_layers=3, batch_first=True)
    try:
        lstm.load_state_dict({name: state[name] for name in lstm.state_dict()}, assign=True)
    except RuntimeError as error:
        raise ValueError(str(error).rpartition("\n")[2].strip()) from error
    lstm.flatten_parameters()  # one block of memory, as cuDNN wants it
    return lstm.requires_grad_(requires_grad=False).eval()
