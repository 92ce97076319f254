from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.passages import LONGEST, OVERLAP, LevelMeter, Splicer, cut_stretches, plan_stretches
from chatterbox_worker.audio.trim import Levels
from support.audio_clips import tone
from support.recordings import buzz

RATE = 16_000
TOKEN = 640  # samples


def levels_of(samples: Samples, piece: int = 10_007) -> Levels:
    meter = LevelMeter(RATE)
    for start in range(0, len(samples), piece):
        meter.add(samples[start : start + piece])
    assert meter.samples == len(samples)
    return meter.finish()


def with_silences(duration_s: float, *silences_s: tuple[float, float]) -> Samples:
    samples = tone(duration_s, 150, rate=RATE).samples.copy()  # no pause but those asked for
    for start_s, end_s in silences_s:
        samples[round(start_s * RATE) : round(end_s * RATE)] = 0
    return samples


def test_levels_do_not_depend_on_the_pieces() -> None:
    samples = buzz(3.21, RATE).samples
    np.testing.assert_array_equal(levels_of(samples), levels_of(samples, 64_000))
    assert len(levels_of(samples)) == 321


@pytest.mark.parametrize("duration_s", [0.3, 29.99, 30.0])
def test_up_to_30_seconds_are_one_stretch(duration_s: float) -> None:
    (stretch,) = plan_stretches(levels_of(with_silences(duration_s, (5, 6))))
    assert (stretch.start, stretch.lead, stretch.is_silent) == (0, 0, False)
    assert stretch.end == -(-round(duration_s * RATE) // TOKEN)


def test_cuts_are_in_the_middle_of_the_longest_silence_and_the_stretches_leave_no_gap() -> None:
    stretches = plan_stretches(levels_of(with_silences(70.0, (14.0, 14.4), (22.0, 24.0), (45.0, 45.8))))
    assert [each.end for each in stretches[:2]] == pytest.approx([23.0 / 0.04, 45.4 / 0.04], abs=2)
    assert stretches[0].start == 0
    assert stretches[-1].end == round(70.0 / 0.04)
    assert [each.start for each in stretches[1:]] == [each.end for each in stretches[:-1]]
    assert all(each.end - each.start <= LONGEST for each in stretches)
    assert [each.lead for each in stretches] == [0, 0, 0]


def test_without_a_silence_a_stretch_overlaps_the_one_before() -> None:
    stretches = plan_stretches(levels_of(with_silences(65.0)))
    assert len(stretches) >= 3
    assert [each.lead for each in stretches] == [0] + [OVERLAP] * (len(stretches) - 1)
    assert all(250 <= each.end - each.start + each.lead <= LONGEST for each in stretches)


@pytest.mark.parametrize("duration_s", [30.01, 40.0, 59.99, 60.03])
def test_no_stretch_is_a_remnant(duration_s: float) -> None:
    stretches = plan_stretches(levels_of(with_silences(duration_s, (29.0, 30.0))))
    assert all(250 <= each.end - each.start <= LONGEST for each in stretches)


def test_a_long_silence_is_not_converted() -> None:
    stretches = plan_stretches(levels_of(with_silences(120.0, (20.0, 100.0))))
    assert any(each.is_silent for each in stretches)
    assert not stretches[0].is_silent
    assert not stretches[-1].is_silent


@pytest.mark.parametrize("silences", [(), ((22.0, 24.0), (45.0, 45.8))])
def test_what_is_cut_and_spliced_is_the_recording_again(silences: tuple[tuple[float, float], ...]) -> None:
    samples = with_silences(70.013, *silences)
    stretches = plan_stretches(levels_of(samples))
    pieces = (samples[start : start + 30_011] for start in range(0, len(samples), 30_011))
    splicer, spliced = Splicer(RATE), []
    for stretch, cut in cut_stretches(pieces, stretches, RATE):
        first = (stretch.start - stretch.lead) * TOKEN
        np.testing.assert_array_equal(cut, samples[first : stretch.end * TOKEN])
        muted = cut.copy()
        muted[: TOKEN if stretch.lead else 0] = 0  # as the model fades a beginning in
        spliced.append(splicer.add(stretch, muted))
    spliced.append(splicer.finish(len(samples)))
    assert sum(map(len, spliced)) == len(samples)
    np.testing.assert_allclose(np.concatenate(spliced), samples, atol=1e-6)
