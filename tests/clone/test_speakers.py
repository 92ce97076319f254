"""Speakers are distinguished by windows, with any encoder; what is not sure is left out or reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.clone.doubts import likeness
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.clone.speakers import (
    UNCERTAIN,
    EmbeddedSegment,
    Speakers,
    average,
    changes_in,
    compare,
    embed_segment,
    fault,
    group_windows,
    has_rival,
)
from chatterbox_worker.clone.windows import WINDOW_S, Window

ANN, BOB, EVE = np.eye(256, dtype=np.float32)[:3]


def near(person: Samples, count: int, spread: float = 0.03, seed: int = 0) -> Samples:
    """Embeddings (count, 256) around a person's."""
    noisy = person + spread * np.random.default_rng(seed).standard_normal((count, 256))
    embeddings: Samples = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    return embeddings


def windows(*embeddings: Samples, step_s: float = 0.4) -> list[Window]:
    """One after another in one stretch."""
    together = np.concatenate(embeddings)
    return [Window("x", step_s * at, step_s * at + WINDOW_S, step_s, each) for at, each in enumerate(together)]


def at_angle(degrees: float, seconds: float = 3.0) -> EmbeddedSegment:
    embedding = np.zeros(256, np.float32)
    embedding[:2] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return EmbeddedSegment(embedding, embedding[None], 0, seconds)


def segment(start_s: float, end_s: float) -> Segment:
    return Segment("x", start_s, end_s, -20.0, 40.0, 30.0, 0.5, 0)


def grouped(found: Sequence[Window], spans: Sequence[tuple[float, float]], like: Samples | None = None) -> Speakers:
    groups = group_windows(np.stack([each.embedding for each in found]))
    embedded = [embed_segment(segment(*span), found, groups.people) for span in spans]
    return compare([each for each in embedded if each is not None], found, groups, like=like)


def test_one_speaker_is_one_group_without_a_doubt() -> None:
    groups = group_windows(near(ANN, 60))
    assert set(groups.people) == {0}
    assert not list(likeness(groups, 0))


@pytest.mark.parametrize("counts", [(40, 40), (60, 8), (40, 30, 20), (50, 20, 10)])
def test_each_speaker_is_a_group_and_the_largest_comes_first(counts: tuple[int, ...]) -> None:
    found = [near(person, count) for person, count in zip((BOB, ANN, EVE), counts, strict=False)]
    people = np.array(group_windows(np.concatenate(found)).people)
    parts = np.split(people, np.cumsum(counts)[:-1])
    assert [sorted(set(part.tolist())) for part in parts] == [[person] for person in range(len(counts))]


def test_windows_between_two_speakers_are_uncertain() -> None:
    between = near(ANN + BOB, 2)
    people = group_windows(np.concatenate([near(ANN, 30), between, near(BOB, 30)])).people
    assert people[30:32] == (UNCERTAIN, UNCERTAIN)
    assert UNCERTAIN not in people[:30] + people[32:]


def test_voices_that_are_neither_clearly_one_nor_clearly_two_are_doubtful() -> None:
    alike = np.cos(0.5) * ANN + np.sin(0.5) * BOB  # 0.878 similar
    groups = group_windows(np.concatenate([near(ANN, 60, 0.01), near(alike, 60, 0.01, seed=1)]))
    assert len(groups.means) == 1
    assert ["0.87 similar" in sentence for sentence in likeness(groups, 0)] == [True]


def test_a_change_lies_between_the_middles_of_two_windows_or_in_the_silence() -> None:
    found = windows(near(ANN, 2), near(BOB, 1))
    later = Window("x", 4.0, 5.6, 1.6, ANN)
    assert list(changes_in([*found, later], [0, 0, 1, 0])) == [pytest.approx((1.2, 1.6)), pytest.approx((2.4, 4.0))]
    assert list(changes_in([*found, later], [0, 0, 0, 0])) == [pytest.approx((2.4, 4.0))]  # with unknown speech in it
    assert not list(changes_in(found, [0, 0, 0]))


def test_a_segment_is_the_mean_of_the_windows_in_it() -> None:
    found = windows(near(ANN, 10), near(BOB, 10))
    embedded = embed_segment(segment(0.0, 4.0), found, [0] * 10 + [1] * 10)
    assert embedded is not None
    assert embedded.person == 0
    assert float(embedded.embedding @ ANN) > 0.95
    assert embed_segment(segment(0.0, 0.9), found, [0] * 20) is None


def test_the_person_who_speaks_longest_is_the_speaker_and_others_are_faults() -> None:
    speakers = grouped(windows(near(BOB, 15), near(ANN, 45)), [(0.0, 5.0), (8.0, 12.0), (14.0, 20.0)])
    assert (fault(speakers, 0) or "").startswith("other voice: similarity")
    assert [fault(speakers, index) for index in (1, 2)] == [None, None]
    assert not has_rival(speakers)


def test_two_people_who_speak_about_equally_long_are_rivals() -> None:
    assert has_rival(grouped(windows(near(ANN, 40), near(BOB, 30)), [(0.0, 5.0)]))


def test_a_recording_of_the_wanted_person_decides() -> None:
    speakers = grouped(windows(near(ANN, 40), near(BOB, 20)), [(0.0, 5.0), (19.0, 22.0)], like=BOB)
    assert fault(speakers, 0) is not None
    assert fault(speakers, 1) is None


def test_a_segment_between_two_people_is_neithers() -> None:
    found = windows(near(ANN, 30), near(1.05 * ANN + BOB, 4), near(BOB, 12))
    speakers = grouped(found, [(0.0, 10.0), (12.0, 14.8)])
    assert fault(speakers, 0, min_similarity=0.5) is None
    assert (fault(speakers, 1, min_similarity=0.5) or "").startswith("change of speaker")


def test_a_part_that_is_another_voice_is_found() -> None:
    speakers = Speakers(ANN, (0.8,), (0.4,), (0,), (-1.0,), ((0, 3.0),))
    assert (fault(speakers, 0) or "").startswith("other voice in a part of it: similarity 0.40")


def test_the_average_has_length_one_and_is_weighted_by_duration() -> None:
    mean = average([at_angle(0, 9.0), at_angle(90, 3.0)])
    assert mean.dtype == np.float32
    assert mean.shape == (256,)
    assert float(np.linalg.norm(mean)) == pytest.approx(1.0)
    assert mean[1] / mean[0] == pytest.approx(1 / 3)


def test_embeddings_of_zeros_are_similar_to_no_voice() -> None:
    silent = np.zeros((20, 256), np.float32)
    speakers = grouped(windows(near(ANN, 40), silent), [(0.0, 10.0), (19.0, 22.0)])
    assert fault(speakers, 0) is None
    assert (fault(speakers, 1) or "").startswith("other voice: similarity 0.00")
    assert fault(grouped(windows(silent), [(0.0, 4.0)]), 0) is not None
