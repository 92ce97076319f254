"""Where recordings are cut, what is measured of each part, and which faults are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatterbox_worker.audio.activity import measure_levels
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.clipping import clipped_at
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.clone.quality import fault
from chatterbox_worker.clone.recordings import SourceRecording
from chatterbox_worker.clone.segments import Segment, split
from support.recorded import RATE, in_noise, pause, talk
from support.speakers import ANN, SENTENCES, speak


def recording(*parts: Samples) -> SourceRecording:
    audio = Audio(np.concatenate(parts).astype(np.float32), RATE)
    return SourceRecording("x.wav", "0" * 64, RATE, audio, clipped_at(audio), measure_levels(without_rumble(audio)))


def tone(seconds: float, hertz: float = 200.0, peak: float = 0.3) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_sentences_are_cut_at_the_silences_between_them() -> None:
    segments = split(recording(talk(ANN, SENTENCES[:3], pause_s=0.5)))
    at_s = 0.5
    assert len(segments) == 3
    for segment, text in zip(segments, SENTENCES, strict=False):
        length_s = speak(ANN, text).duration_s
        assert at_s - 0.1 <= segment.start_s
        assert segment.end_s <= at_s + length_s + 0.1
        assert segment.duration_s > length_s - 0.5  # espeak-ng's own silence at the end of a sentence
        at_s += length_s + 0.5


@pytest.mark.parametrize("gain", [1.0, 0.1, 0.02])
def test_a_quiet_recording_is_cut_like_a_loud_one(gain: float) -> None:
    loud = in_noise(talk(ANN, SENTENCES[:3]), -60.0)
    expected = [(each.start_s, each.end_s) for each in split(recording(loud))]
    assert [(each.start_s, each.end_s) for each in split(recording(gain * loud))] == expected


def test_rumble_below_the_voice_is_no_noise() -> None:
    clean = talk(ANN, SENTENCES[:3])
    rumble = tone(len(clean) / RATE, hertz=50.0, peak=0.05)[: len(clean)]  # 12 dB below it
    assert min(each.snr_db for each in split(recording(clean + rumble))) > 30.0


def test_stretches_are_measured_alike_in_the_whole_sound_and_alone() -> None:
    sound = recording(in_noise(talk(ANN, SENTENCES[:3]), -60.0))
    alone, whole = split(sound), split(sound, filtered=without_rumble(sound.audio))
    assert [replace(each, level_dbfs=0, snr_db=0, depth_db=0) for each in alone] == [
        replace(each, level_dbfs=0, snr_db=0, depth_db=0) for each in whole
    ]
    assert [each.snr_db for each in alone] == pytest.approx([each.snr_db for each in whole], abs=1e-3)


def test_a_short_word_joins_its_neighbour_and_a_click_is_ignored() -> None:
    click = np.full(round(0.03 * RATE), 0.5, np.float32)
    segments = split(recording(pause(1), tone(3), pause(0.5), tone(1), pause(2), click, pause(2), tone(3), pause(1)))
    assert [round(each.start_s) for each in segments] == [1, 9]
    assert segments[0].end_s == pytest.approx(5.5, abs=0.1)


def test_speech_without_pauses_is_cut_at_its_quietest_place() -> None:
    lull = tone(0.2, peak=0.05)
    segments = split(recording(pause(1), tone(8), lull, tone(9), pause(1)))
    assert len(segments) == 2
    assert segments[0].end_s == segments[1].start_s == pytest.approx(9.1, abs=0.15)
    assert all(each.duration_s < 12.5 for each in split(recording(tone(40))))


@given(st.lists(st.tuples(st.floats(0.02, 3), st.floats(0.0, 0.5)), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_segments_are_in_order_without_overlap_and_inside_the_recording(parts: list[tuple[float, float]]) -> None:
    sound = recording(*(tone(seconds, peak=peak) for seconds, peak in parts))
    edges = [edge for each in split(sound) for edge in (each.start_s, each.end_s)]
    assert edges == sorted(edges)
    assert not edges or (edges[0] >= 0 and edges[-1] <= sound.audio.duration_s)


_SPOKEN = talk(ANN, SENTENCES[:2])
_STORM = 0.1 * np.random.default_rng(1).standard_normal(4 * RATE).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (_SPOKEN, None),
        (in_noise(_SPOKEN, -45.0), None),
        (in_noise(_SPOKEN, -30.0), "noisy: the noise"),
        (np.clip(4 * _SPOKEN, -1, 1), "clipped"),
        (0.2 * np.clip(4 * _SPOKEN, -1, 1), "clipped"),  # and turned down afterwards
        (0.01 * _SPOKEN, "too quiet"),
        (np.concatenate([pause(1), _STORM, pause(1)]), "no voice"),
        (np.concatenate([pause(1), tone(4), pause(1)]), "noisy: a constant sound"),
        (talk(ANN, ["Oh no."]), "too short"),
    ],
)
def test_every_fault_has_its_reason(sound: Samples, reason: str | None) -> None:
    found = split(recording(sound))
    assert found
    for segment in found:
        found_fault = fault(segment)
        assert found_fault is None if reason is None else (found_fault or "").startswith(reason), found_fault


def test_what_is_between_the_words_is_called_what_it_is() -> None:
    measured = Segment("x", 0.0, 4.0, -20.0, 12.0, 20.0, 0.5, 0)
    assert (fault(measured) or "").startswith("noisy: the noise")
    assert (fault(measured, reverberation_s=0.9) or "").startswith("reverberant: the room rings for 0.9 s")
    assert (fault(replace(measured, silence_s=0.1)) or "").startswith("without a pause: only 0.1 s")
    assert (fault(replace(measured, silence_s=0.1, clipped=9)) or "").startswith("clipped")
    assert fault(measured, 10.0) is None
    for near, why in (  # rounded to the nearest they would read as the limit
        (replace(measured, snr_db=19.9), "the noise is 19 dB below the voice, at least 20 dB are needed"),
        (replace(measured, snr_db=30.0, level_dbfs=-50.1), "-51 dBFS, at least -50 are needed"),
        (replace(measured, end_s=1.598), "1.5 s, at least 1.6 s are needed"),
    ):
        assert why in (fault(near) or "")
    assert (fault(measured, notes=0.401) or "").startswith("music: 41 % of the pauses near it have notes, at most 40 %")


def test_a_moment_of_digital_silence_hides_no_noise() -> None:
    sound = in_noise(talk(ANN, SENTENCES[:1]), -40.0)
    muted = sound.copy()
    muted[: RATE // 10] = 0.0
    (usual,), (other,) = split(recording(sound)), split(recording(muted))
    assert usual.snr_db < 35.0
    assert other.snr_db == pytest.approx(usual.snr_db, abs=1.0)


def test_no_segment_contains_a_change_of_speaker() -> None:
    segments = split(recording(pause(1), tone(8), pause(1)), [(4.0, 4.4)])
    assert len(segments) == 2
    assert segments[0].end_s <= 4.1
    assert segments[1].start_s >= 4.3


def test_noise_under_one_sentence_affects_only_that_sentence() -> None:
    sound = recording(talk(ANN, SENTENCES[:2]), in_noise(talk(ANN, SENTENCES[2:3]), -30.0), talk(ANN, SENTENCES[3:4]))
    faults = [fault(each) for each in split(sound)]
    assert faults[:2] == [None, None]
    assert faults[-1] is None
    assert all("noisy" in (each or "") for each in faults[2:-1])
    assert len(faults) == 4


def test_silence_has_no_segments() -> None:
    assert split(recording(pause(3))) == []


@pytest.mark.parametrize("ceiling", [1.0, 0.5, 0.05])
def test_flat_peaks_are_found_at_any_ceiling(ceiling: float) -> None:
    flat = np.clip(3 * ceiling * tone(1.0, 100.0, peak=1.0), -ceiling, ceiling).astype(np.float32)
    assert len(clipped_at(Audio(flat, RATE))) == 200
    assert len(clipped_at(Audio(talk(ANN, SENTENCES[:1]), RATE))) == 0


def test_a_segment_has_a_duration() -> None:
    assert Segment("x", 1.0, 3.5, -20, 40, 30, 0.5, 0).duration_s == 2.5
