from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.tempo import change_speed
from support.audio_clips import RATE, rms_dbfs, speech, tone

SPEEDS = (0.25, 0.4, 0.5, 0.8, 1.3, 2.0, 3.3, 4.0)


def _hertz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * RATE / len(samples))


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_tone_keeps_its_pitch(speed: float) -> None:
    changed = change_speed(tone(4.0, hertz=440), speed)
    assert _hertz(changed.samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_sweep_has_the_same_pitch_at_the_same_place(speed: float) -> None:
    time = np.arange(4 * RATE) / RATE
    sweep = (0.3 * np.sin(2 * np.pi * (300 * time + 50 * time**2))).astype(np.float32)  # 300 + 100 t Hz
    changed = change_speed(Audio(sweep, RATE), speed).samples
    for second in (1.0, 2.0, 3.0):
        middle = round(second * RATE / speed)
        pitch = _hertz(np.pad(changed[middle - 1200 : middle + 1200], (0, 21_600)))
        assert pitch == pytest.approx(300 + 100 * second, abs=12)  # 60 ms of drift times 100 Hz/s, and the bins


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, RATE),
    st.floats(0.25, 4.0),
    st.sampled_from([8000, 24000, 48000]),
)
def test_the_length_is_exact(count: int, speed: float, rate: int) -> None:
    changed = change_speed(Audio(np.full(count, 0.1, np.float32), rate), speed)
    assert len(changed.samples) == round(count / speed)
    assert changed.sample_rate == rate
    assert changed.samples.dtype == np.float32


@pytest.mark.parametrize("speed", SPEEDS)
def test_speech_is_complete_to_its_end(speed: float) -> None:
    original = speech("Nothing of this is lost.")
    changed = change_speed(original, speed)
    tail = change_speed(original, speed).samples[-round(0.2 * RATE / speed) :]
    assert rms_dbfs(tail) > rms_dbfs(original.samples[-round(0.2 * RATE) :]) - 4
    assert rms_dbfs(changed.samples) == pytest.approx(rms_dbfs(original.samples), abs=1.5)


@pytest.mark.parametrize("speed", [speed for speed in SPEEDS if speed < 1])
def test_nothing_is_withheld_at_the_end(speed: float) -> None:
    changed = change_speed(tone(1.0, rate=8000), speed).samples
    (audible,) = np.nonzero(np.abs(changed) > 0.01)
    assert len(changed) - audible[-1] < 0.05 * 8000  # the drift of WSOLA; atempo alone withholds up to 0.1 s


def test_speed_one_is_the_same_object() -> None:
    original = tone(0.1)
    assert change_speed(original, 1.0) is original


@pytest.mark.parametrize("speed", [0.24, 4.01, 0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_outside_the_range_is_rejected(speed: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        change_speed(tone(0.1), speed)
