"""The time that a room rings is measured from speech, and not where noise hides it."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.reverberation import reverberation_s
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.clone.quality import REVERBERANT_S
from support.recorded import RATE, in_noise, talk
from support.recordings import real_speech
from support.speakers import ANN, SENTENCES


def in_a_room(samples: Samples, rate: int, t60_s: float) -> Samples:
    """With reverberation that falls by 60 dB in `t60_s`, 3 dB weaker than the direct sound."""
    time_s = np.arange(round(t60_s * rate)) / rate
    echo = np.random.default_rng(0).standard_normal(len(time_s)) * 10 ** (-3 * time_s / t60_s)
    echo *= 10 ** (-3 / 20) / np.sqrt(np.square(echo).sum())
    echo[0] = 1.0
    size = len(samples) + len(echo)
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(echo, size), size)[: len(samples)].astype(np.float32)


@pytest.mark.parametrize("person", ["1688", "1998"])
def test_a_reader_near_the_microphone_is_told_from_one_in_a_room(person: str) -> None:
    speech = real_speech(person, 20.0)
    near = reverberation_s(without_rumble(speech))
    rooms = [Audio(in_a_room(speech.samples, 16_000, t60_s), 16_000) for t60_s in (0.8, 1.5)]
    assert near is not None
    assert near < REVERBERANT_S - 0.1
    assert min(reverberation_s(without_rumble(room)) or 0.0 for room in rooms) > REVERBERANT_S


def test_where_noise_hides_it_nothing_is_measured() -> None:
    assert reverberation_s(Audio(in_noise(talk(ANN, SENTENCES[:3]), -30.0), RATE)) is None
    assert reverberation_s(Audio(np.zeros(100, np.float32), RATE)) is None
