"""The order of the clips is a function of the seed and the step, and clips are bucketed by length."""

from __future__ import annotations

import numpy as np
import pytest

from chatterbox_worker.engines.chatterbox.training.sampler import Batching, prompt_for

LENGTHS: list[int] = np.random.default_rng(0).integers(20, 900, 157).tolist()


@pytest.mark.parametrize(("size", "accumulate"), [(1, 1), (4, 4), (3, 5), (200, 1)])
def test_every_clip_is_trained_on_once_an_epoch(size: int, accumulate: int) -> None:
    batching = Batching(size, accumulate, seed=3)
    steps = batching.steps_per_epoch(len(LENGTHS))
    for epoch in range(2):
        seen = [
            clip
            for step in range(epoch * steps, (epoch + 1) * steps)
            for batch in batching.at(LENGTHS, step)
            for clip in batch
        ]
        assert sorted(seen) == list(range(len(LENGTHS)))
    assert all(len(batch) <= size for batch in batching.at(LENGTHS, 0))
    assert len(batching.at(LENGTHS, 0)) <= accumulate


def test_the_order_depends_on_the_seed_and_differs_from_epoch_to_epoch() -> None:
    batching = Batching(4, 2, seed=1)
    steps = batching.steps_per_epoch(len(LENGTHS))
    assert batching.at(LENGTHS, 5) == Batching(4, 2, seed=1).at(LENGTHS, 5)
    assert batching.at(LENGTHS, 5) != Batching(4, 2, seed=2).at(LENGTHS, 5)
    assert batching.at(LENGTHS, 5) != batching.at(LENGTHS, 5 + steps)


def test_clips_of_similar_length_share_a_batch() -> None:
    """Buckets save padding: measured against random batches."""

    def padding(batches: list[tuple[int, ...]]) -> int:
        return sum(max(LENGTHS[clip] for clip in batch) * len(batch) for batch in batches) - sum(LENGTHS)

    batching = Batching(4, 4, seed=0)
    batches = [batch for step in range(batching.steps_per_epoch(len(LENGTHS))) for batch in batching.at(LENGTHS, step)]
    shuffled = np.random.default_rng(0).permutation(len(LENGTHS)).tolist()
    random = [tuple(shuffled[at : at + 4]) for at in range(0, len(shuffled), 4)]
    assert padding(batches) < padding(random) / 5


def test_a_clip_is_never_its_own_prompt() -> None:
    others = [2, 5, 9]
    drawn = {prompt_for(5, others, seed=0, epoch=epoch) for epoch in range(50)}
    assert drawn == {2, 9}
    assert prompt_for(5, others, seed=0, epoch=7) == prompt_for(5, others, seed=0, epoch=7)
    with pytest.raises(ValueError, match="no other"):
        prompt_for(5, [5], seed=0, epoch=0)
