"""People for the tests to record: espeak-ng's variants, each with a voice of its own."""

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
def said(speaker: str, text: str) -> Audio:
    """`text` in the voice of an espeak-ng variant, 24 kHz, with the silence that espeak-ng leaves at its ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preview, "_VOICES", MappingProxyType({"en": speaker}))
        spoken = preview._speak(Utterance(text, "en", DEFAULT_VOICE, {}, 0), lambda: False)
    return resample(spoken, preview.SAMPLE_RATE)


class PitchEncoder:
    """Tells espeak-ng's people apart as the voice encoder does real ones: by the pitch and colour of what they say."""

    name = "the tests' ear"
    made_by = "ee" * 32

    def __call__(self, speech: Samples) -> Samples:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(speech, (0, 1024)), 1024)[::512] * np.hanning(1024)
        windows = windows[np.square(windows).mean(axis=1) > 1e-3 * np.square(windows).mean(axis=1).max()]
        correlation = np.fft.irfft(np.abs(np.fft.rfft(windows, 2048)) ** 2)[:, 40:267]  # 60 to 400 Hz at 16 kHz
        pitch = np.bincount(correlation.argmax(axis=1) * 256 // 227, minlength=256).astype(np.float64)
        smooth = np.convolve(np.sqrt(pitch), np.hanning(31), "same")
        embedding: Samples = (smooth / np.linalg.norm(smooth)).astype(np.float32)
        return embedding
