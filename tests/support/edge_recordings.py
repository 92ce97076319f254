"""Recordings as people really send them, each with the right outcome of saving it as a voice. Reports extend the table.

The speech is espeak-ng's, about 7 s.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.encode import encode
from chatterbox_worker.audio.resample import resample
from support.audio_clips import RATE, noise, speech

SENTENCE = (
    "The quick brown fox jumps over the lazy dog, while seven wizards watch quietly from the hill, "
    "and then everybody goes home for a cup of tea."
)


def spoken() -> Samples:
    """With its peak at half of full scale."""
    samples = speech(SENTENCE).samples
    scaled: Samples = (samples * (0.5 / np.max(np.abs(samples)))).astype(np.float32)
    return scaled


def spoken_s() -> float:
    return len(spoken()) / RATE


def sound_file(samples: npt.NDArray[Any], kind: str = "WAV", subtype: str = "PCM_16", rate: int = RATE) -> bytes:
    """`samples` of shape (n,) or (n, channels)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def long_speech(seconds: float, rate: int) -> Samples:
    """The same words again and again."""
    once = resample(speech(SENTENCE), rate).samples
    return np.resize(once, round(seconds * rate)).astype(np.float32)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def _room(samples: Samples, dbfs: float = -60.0) -> Samples:
    """With the noise of a quiet room."""
    return samples + noise(len(samples) / RATE + 1, dbfs)[: len(samples)]


def _stereo(left: Samples, right: Samples) -> bytes:
    return sound_file(np.stack([left, right], axis=1))


@dataclass(frozen=True, slots=True)
class EdgeRecording:
    make: Callable[[], bytes]
    duration_s: Callable[[], float] | None = None
    """Of the saved voice, to a quarter of a second; None if it is refused."""
    refusal: str = ""
    """A pattern in the refusal."""
    warnings: tuple[str, ...] = ()
    """A pattern for each warning."""
    rms: float | None = None
    """Of the voice compared with the speech's own, to 3 %."""
    is_long: bool = False
    """It takes seconds, so `make test` leaves it out."""


RECORDINGS: dict[str, EdgeRecording] = {
    "plain speech": EdgeRecording(lambda: sound_file(spoken()), spoken_s, rms=1.0),
    "10 s of silence, then speech": EdgeRecording(
        lambda: sound_file(np.concatenate([_silence(10), spoken()])), spoken_s, rms=1.0
    ),
    "10 s of a quiet room around speech": EdgeRecording(
        lambda: sound_file(_room(np.concatenate([_silence(10), spoken(), _silence(10)]))), spoken_s
    ),
    "3 s of speech in a minute of room": EdgeRecording(
        lambda: sound_file(_room(np.concatenate([_silence(30), spoken()[: 3 * RATE], _silence(27)]))),
        lambda: 3.0, warnings=("turbo or nano.*more than 5 s",),
    ),
    "0.3 s": EdgeRecording(lambda: sound_file(spoken()[: round(0.3 * RATE)]), refusal="lasts 0.30 s; .*at least 0.5 s"),
    "0.011 s": EdgeRecording(lambda: sound_file(spoken()[2000:2264]), refusal="lasts 0.01 s"),
    "0.2 s of speech in 20 s of silence": EdgeRecording(
        lambda: sound_file(np.concatenate([_silence(10), spoken()[2000:6800], _silence(10)])),
        refusal=r"besides 19\.\d s of silence",
    ),
    "4 s": EdgeRecording(
        lambda: sound_file(spoken()[: 4 * RATE]), lambda: 4.0, warnings=("turbo or nano.*more than 5 s; it lasts 4",)
    ),
    "float wav in integer scale": EdgeRecording(
        lambda: sound_file(spoken() * np.float32(32_000), subtype="FLOAT"), spoken_s, rms=2.0
    ),
    "peak at -55 dBFS": EdgeRecording(
        lambda: sound_file(spoken() * np.float32(2 * 10 ** (-55 / 20)), subtype="PCM_24"), spoken_s,
        warnings=("very quiet, -[67]\\d dBFS",),
    ),
    "clipped": EdgeRecording(
        lambda: sound_file(np.clip(spoken() * np.float32(20), -1, 1)), spoken_s, warnings=("% of it is clipped",)
    ),
    "mostly noise": EdgeRecording(
        lambda: sound_file(noise(8.0, -20) + np.resize(spoken(), 8 * RATE) * np.float32(0.1)), lambda: 8.0,
        warnings=("mostly noise",),
    ),
    "loud noise under speech": EdgeRecording(
        lambda: sound_file(_room(spoken(), -34.0)), spoken_s, warnings=("constant noise is only",)
    ),
    "left is right inverted": EdgeRecording(lambda: _stereo(spoken(), -spoken()), spoken_s, rms=1.0),
    "only left": EdgeRecording(lambda: _stereo(spoken(), spoken() * 0), spoken_s, rms=1.0),
    "left, and hum on the right": EdgeRecording(
        lambda: _stereo(spoken(), noise(spoken_s() + 1, -65)[: len(spoken())]), spoken_s, rms=1.0
    ),
    "both channels": EdgeRecording(lambda: _stereo(spoken(), spoken()), spoken_s, rms=1.0),
    "299 s at 48 kHz": EdgeRecording(
        lambda: sound_file(long_speech(299, 48_000), "FLAC", rate=48_000), lambda: 299.0, is_long=True
    ),
    "66 s at 192 kHz": EdgeRecording(
        lambda: sound_file(long_speech(66, 192_000), "FLAC", rate=192_000), lambda: 66.0, is_long=True
    ),
    "301 s": EdgeRecording(lambda: sound_file(long_speech(301, 8_000), rate=8_000), refusal="longer than 300 s"),
    "300 s of 8 channels at 192 kHz": EdgeRecording(
        lambda: sound_file(np.zeros((115 * 192_000, 8), np.int16), "FLAC", rate=192_000),
        refusal="unpacks to more than 172800000 samples, at 192000 Hz with 8 channels",
        is_long=True,
    ),
    "299 s of mp3 at 44.1 kHz": EdgeRecording(
        lambda: encode(Audio(long_speech(299, 44_100), 44_100), "mp3", 44_100), lambda: 299.0, is_long=True
    ),
}  # fmt: skip

NAMES: dict[str, tuple[str, str]] = {
    "alice": ("alice", "alice"),
    "New Recording 5": ("New-Recording-5", "New Recording 5"),
    "My Voice": ("My-Voice", "My Voice"),
    "My Voice (1)": ("My-Voice-1", "My Voice (1)"),
    "Zoë": ("Zoe", "Zoë"),
    "Zoe\u0308": ("Zoe", "Zoë"),  # as macOS writes it in file names
    "  Ana María  ": ("Ana-Maria", "Ana María"),
    "李雷": ("voice-3a47328a", "李雷"),
    "Ольга 2": ("2-d2e706aa", "Ольга 2"),
    ".hidden": ("hidden", ".hidden"),
    "🎙️": ("voice-5b2ffd74", "🎙️"),
}
"""What a person calls a voice, and the id and the name that it gets."""
