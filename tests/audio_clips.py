"""Clips for the tests of `audio`: tones, noise, and real speech from espeak-ng."""

from __future__ import annotations

import functools

import numpy as np

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engines.preview import PreviewEngine
from chatterbox_worker.utterance import DEFAULT_VOICE, Utterance

RATE = 24_000


def tone(duration_s: float, hertz: float = 440.0, peak: float = 0.3, rate: int = RATE) -> Audio:
    time = np.arange(round(duration_s * rate)) / rate
    return Audio((peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate)


def noise(duration_s: float, dbfs: float, seed: int = 0) -> Samples:
    """White noise of that RMS."""
    count = round(duration_s * RATE)
    return (10 ** (dbfs / 20) * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@functools.cache
def speech(text: str) -> Audio:
    """`text` spoken, cut to the first and last sample above -66 dBFS."""
    engine = PreviewEngine()
    (audio,) = engine.submit(Utterance(text, "en", DEFAULT_VOICE, {}, 0))
    engine.close()
    heard = np.flatnonzero(np.abs(audio.samples) > 5e-4)
    return Audio(audio.samples[heard[0] : heard[-1] + 1], audio.sample_rate)


def rms_dbfs(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples.astype(np.float64))) + 1e-20))
