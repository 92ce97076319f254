"""From a decoder's frames to one channel.

The channels are mixed by their mean, unless that loses the sound: silent channels do not count, and where the others
cancel each other, as in a stereo file with one side inverted, the strongest one is taken.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Samples

_SILENT = 10 ** (-30 / 10)  # of the strongest channel's power: hum and crosstalk of an unused input
_CANCELLED = 0.25  # of the power that channels without any relation would leave: 6 dB less


class Interleaver:
    """Frames of any sample format to float samples in ±1.0, shape (n, channels).

    The planes of a decoder's own frame are never read: PyAV 18 finds their end by a null pointer, which planar frames
    of eight channels or more do not have, and reads past it. Interleaved frames have one plane.
    """

    def __init__(self) -> None:
        self._interleavers: dict[tuple[str, str], Any] = {}

    def __call__(self, frame: Any) -> list[Samples]:
        key = (frame.format.name, frame.layout.name)
        if key not in self._interleavers:
            self._interleavers[key] = av.AudioResampler("flt", frame.layout, frame.sample_rate)
        frame.pts = None  # the file's time stamps are ignored
        channels = frame.layout.nb_channels
        return [each.to_ndarray().reshape(-1, channels) for each in self._interleavers[key].resample(frame)]


class ChannelMix:
    """Mixes blocks (n, channels) to mono (n,): by the mean until `settle` has found something better."""

    def __init__(self) -> None:
        self._products: npt.NDArray[np.float64] | None = None  # (channels, channels): sums of x_i * x_j
        self._weights: Samples | None = None

    def __call__(self, block: Samples) -> Samples:
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses what is not finite
            if self._weights is not None and len(self._weights) == channels:
                weighted: Samples = block @ self._weights
                return weighted
            if self._weights is None:
                self._observe(block.astype(np.float64))
            mean: Samples = block.mean(axis=1)
            return mean

    def settle(self) -> bool:
        """Whether the mean loses the sound of the blocks so far: then they have to be mixed again."""
        if self._products is None or not self._products.any():
            return False
        power = np.diag(self._products)
        heard = power > _SILENT * power.max()
        weights = heard / heard.sum()
        if weights @ self._products @ weights < _CANCELLED * np.square(weights) @ power:
            weights = np.eye(len(power))[power.argmax()]
        elif heard.all():
            return False
        self._weights = weights.astype(np.float32)
        return True

    def _observe(self, block: npt.NDArray[np.float64]) -> None:
        products = block.T @ block
        if self._products is None:
            self._products = products
        elif self._products.shape == products.shape:
            self._products += products
