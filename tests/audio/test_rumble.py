"""Rumble is removed, the voice is not, whatever the length."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.rumble import without_rumble

RATE = 24_000


def tone(hertz: float, size: int) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(size) / RATE).astype(np.float32)


@pytest.mark.parametrize("size", [RATE // 2, 24_576, 100_001])
def test_what_is_below_the_voice_is_removed(size: int) -> None:
    voice = tone(300, size)
    filtered = without_rumble(Audio(voice + tone(40, size), RATE))
    assert filtered.sample_rate == RATE
    assert len(filtered.samples) == size
    inside = slice(2000, -2000)  # at its ends the sound begins and stops suddenly
    assert np.abs(filtered.samples - voice)[inside].max() < 0.03


def test_no_sound_stays_none() -> None:
    assert not len(without_rumble(Audio(np.zeros(0, np.float32), RATE)).samples)
