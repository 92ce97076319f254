"""Clips that sound like two people are distinguished, and one person's are not."""

from __future__ import annotations

import numpy as np

from chatterbox_worker.train.people import Embeddings, find_two_voices


def _clips(person: int, count: int, spread: float = 0.3) -> Embeddings:
    """Embeddings around a direction of the person's own."""
    random = np.random.default_rng(person)
    centre = random.standard_normal(256)
    clips = centre + spread * random.standard_normal((count, 256))
    units: Embeddings = (clips / np.linalg.norm(clips, axis=1, keepdims=True)).astype(np.float32)
    return units


def test_two_people_are_two_groups_and_one_person_is_none() -> None:
    found = find_two_voices(np.concatenate([_clips(1, 5), _clips(2, 8)]))
    assert found is not None
    assert found.is_second.tolist() == [True] * 5 + [False] * 8
    assert found.similarity < 0.3
    apart = find_two_voices(np.concatenate([_clips(1, 1100), _clips(2, 5)]))  # in two blocks
    assert apart is not None
    assert np.flatnonzero(apart.is_second).tolist() == [*range(1100, 1105)]
    assert find_two_voices(_clips(1, 12)) is None
    assert find_two_voices(_clips(1, 1)) is None
    assert find_two_voices(np.repeat(_clips(1, 1), 4, axis=0)) is None
