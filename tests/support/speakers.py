"""Speakers for the tests: espeak-ng's variants, each with its own voice."""

from __future__ import annotations

import functools
from types import MappingProxyType

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance
from chatterbox_worker.engines import preview

ANN, BOB = "en-us+f2", "en-us+m3"
SENTENCES = (
    "The rain had stopped, and for a moment the whole street held its breath.",
    "Nobody had expected the old clock to strike again after so many years.",
    "She counted the steps slowly and wrote the number in her small blue notebook.",
    "There were seven boats in the harbour that morning and none of them moved.",
    "When the baker opened the window, the smell of bread filled the square.",
    "A letter lay on the table, and he knew the handwriting before he touched it.",
    "We walked along the river until the lamps were lit on the other side.",
    "Tomorrow they will paint the door green, as it was when we were children.",
)


@functools.cache
def speak(speaker: str, text: str) -> Audio:
    """`text` in the voice of an espeak-ng variant, 24 kHz, with espeak-ng's silence at the ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "_VOICES", MappingProxyType({"en": speaker}))
        audio = preview._speak(Utterance(text, "en", DEFAULT_VOICE, {}, 0), lambda: False)
    return resample(audio, preview.SAMPLE_RATE)


class PitchEncoder:
    """Distinguishes espeak-ng's variants by their pitch, as the voice encoder distinguishes people."""

    name = "the tests' encoder"
    made_by = "ee" * 32

    def windows(self, speech: Samples) -> Samples:
        return np.stack([self._embed(each) for each in speech])

    def _embed(self, speech: Samples) -> Samples:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(speech, (0, 1024)), 1024)[::512] * np.hanning(1024)
        windows = windows[np.square(windows).mean(axis=1) > 1e-3 * np.square(windows).mean(axis=1).max()]
        correlation = np.fft.irfft(np.abs(np.fft.rfft(windows, 2048)) ** 2)[:, 40:267]  # 60 to 400 Hz at 16 kHz
        pitch = np.bincount(correlation.argmax(axis=1) * 256 // 227, minlength=256).astype(np.float64)
        smooth = np.convolve(np.sqrt(pitch), np.hanning(31), "same")
        embedding: Samples = (smooth / np.linalg.norm(smooth)).astype(np.float32)
        return embedding
