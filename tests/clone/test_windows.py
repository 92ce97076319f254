"""Where the windows lie, what they stand for, and what the encoder is given."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.clone.recordings import SourceRecording
from chatterbox_worker.clone.windows import STEP_S, WINDOW_S, embed_windows


class Recorder:
    name, made_by = "x", "ee" * 32

    def __init__(self) -> None:
        self.seen = np.zeros((0, 25_600), np.float32)

    def windows(self, speech: Samples) -> Samples:
        self.seen = speech
        return np.full((len(speech), 256), np.nan, np.float32)


def ramp(seconds: float) -> SourceRecording:
    samples = np.linspace(0.0, 1.0, round(seconds * 16_000), dtype=np.float32)
    return SourceRecording("x.wav", "0" * 64, 16_000, Audio(samples, 16_000), np.zeros(0), np.zeros(0))


def test_windows_cover_a_stretch_evenly_from_end_to_end() -> None:
    found = embed_windows(Recorder(), ramp(10.0), [(1.0, 4.5), (5.0, 6.6)])
    starts = [each.start_s for each in found]
    assert found[0].start_s == 1.0
    assert found[-2].end_s == pytest.approx(4.5)
    assert max(np.diff(starts[:-1])) <= STEP_S + 1e-9
    assert found[-1].end_s - found[-1].start_s == pytest.approx(WINDOW_S)
    assert sum(each.share_s for each in found) == pytest.approx(3.5 + 1.6)


def test_a_short_stretch_is_repeated_and_a_shorter_one_is_left_out() -> None:
    encoder = Recorder()
    found = embed_windows(encoder, ramp(10.0), [(1.0, 2.0), (3.0, 3.5)])
    assert [(each.start_s, each.end_s) for each in found] == [(1.0, 2.0)]
    assert np.array_equal(encoder.seen[0, :9_600], encoder.seen[0, 16_000:])
    assert embed_windows(encoder, ramp(10.0), [(3.0, 3.5)]) == []


def test_an_embedding_of_nan_becomes_zeros() -> None:
    assert not embed_windows(Recorder(), ramp(3.0), [(0.0, 3.0)])[0].embedding.any()
