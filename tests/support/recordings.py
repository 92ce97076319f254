"""Recordings to encode: real speech where it is at hand, else something with pitch, noise and pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from chatterbox_worker.audio.clip import Audio
from support.paths import ROOT

REAL = ROOT.parent / "shared" / "real"


def real(name: str) -> Path:
    """A file or folder of the real data beside the project; skips the test where it is not at hand."""
    if not (REAL / name).exists():
        pytest.skip(f"needs {REAL / name}")
    return REAL / name


def real_speech(person: str, duration_s: float) -> Audio:
    """16 kHz speech of one LibriSpeech reader, utterances joined; skips the test where there is none."""
    clips = [soundfile.read(path, dtype="float32")[0] for path in sorted(real(f"speech/{person}").glob("*.flac"))]
    joined = np.concatenate(clips)
    assert len(joined) >= duration_s * 16_000
    return Audio(joined[: round(duration_s * 16_000)], 16_000)


def buzz(duration_s: float, sample_rate: int, *, level: float = 0.1) -> Audio:
    """Something with pitch, noise and pauses."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    rng = np.random.default_rng(0)
    pitch = sum(np.sin(2 * np.pi * 140 * k * time_s + 3 * np.sin(2 * np.pi * 0.7 * time_s)) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 1.3 * time_s) + 0.6, 0.02, 1)
    return Audio((level * envelope * (pitch + 0.3 * rng.standard_normal(len(time_s)))).astype(np.float32), sample_rate)
