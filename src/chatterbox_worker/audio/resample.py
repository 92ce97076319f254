"""Sample rate conversion, in one place."""

from __future__ import annotations

import numpy as np
import soxr

from chatterbox_worker.audio.clip import Audio


def resample(audio: Audio, sample_rate: int) -> Audio:
    """`audio` at `sample_rate` Hertz by soxr HQ (20-bit precision, linear phase); unchanged if it has that rate.

    The length is round(n * sample_rate / audio.sample_rate), to a sample.
    """
    if audio.sample_rate == sample_rate or not len(audio.samples):
        return audio if audio.sample_rate == sample_rate else Audio(audio.samples, sample_rate)
    samples = soxr.resample(audio.samples, audio.sample_rate, sample_rate, quality="HQ")
    return Audio(np.asarray(samples, np.float32), sample_rate)
