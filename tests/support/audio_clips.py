"""Clips for tests: tones, noise, wav files, and real speech from espeak-ng."""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
import soundfile

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance
from chatterbox_worker.engines.preview import PreviewEngine

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
    """`text` spoken by espeak-ng, cut to the first and last sample above -66 dBFS."""
    engine = PreviewEngine()
    (audio,) = engine.submit(Utterance(text, "en", DEFAULT_VOICE, {}, 0))
    engine.close()
    audible = np.flatnonzero(np.abs(audio.samples) > 5e-4)
    return Audio(audio.samples[audible[0] : audible[-1] + 1], audio.sample_rate)


def rms_dbfs(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(samples.astype(np.float64))) + 1e-20))


def wav_bytes(seconds: float = 6.0, rate: int = 24_000, pitch: float = 220.0) -> bytes:
    """A recording of a hummed tone, as a 16-bit wav file."""
    time = np.arange(round(seconds * rate)) / rate
    buffer = io.BytesIO()
    soundfile.write(buffer, (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32), rate, format="WAV")
    return buffer.getvalue()


def wav_base64(seconds: float = 6.0, pitch: float = 220.0) -> str:
    return base64.b64encode(wav_bytes(seconds, pitch=pitch)).decode()
