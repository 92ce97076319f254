"""Which clips are trained on at which step: a pure function of the seed, so that a resumed run needs no saved order.

Clips of similar length share a batch, because a batch is padded to its longest clip. An epoch is shuffled and cut into
groups of a few steps; each group is sorted by length and cut into batches, and the batches are shuffled again. So the
clips are batched differently in every epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STEPS_SORTED = 8  # optimizer steps whose clips are sorted together: similar lengths in a batch, and still mixed clips
_PROMPTS, _ORDER = 1, 2  # separate streams of one seed

Step = tuple[tuple[int, ...], ...]
"""The batches of one optimizer step, each as the numbers of its clips."""


@dataclass(frozen=True, slots=True)
class Batching:
    size: int
    """Clips in a batch, which are in memory together."""
    accumulate: int
    """Batches in an optimizer step."""
    seed: int

    def steps_per_epoch(self, clips: int) -> int:
        return -(-clips // (self.size * self.accumulate))

    def at(self, lengths: Sequence[int], step: int) -> Step:
        """The batches of optimizer step `step`, from 0, for clips of these lengths; an epoch has every clip once."""
        epoch, within = divmod(step, self.steps_per_epoch(len(lengths)))
        return self._epoch(lengths, epoch)[within]

    def _epoch(self, lengths: Sequence[int], epoch: int) -> list[Step]:
        random = np.random.default_rng((self.seed, _ORDER, epoch))
        shuffled = random.permutation(len(lengths)).tolist()
        group_size = self.size * self.accumulate * _STEPS_SORTED
        batches: list[tuple[int, ...]] = []
        for start in range(0, len(shuffled), group_size):
            group = sorted(shuffled[start : start + group_size], key=lambda clip: (lengths[clip], clip))
            batches += [tuple(group[at : at + self.size]) for at in range(0, len(group), self.size)]
        mixed = [batches[place] for place in random.permutation(len(batches))]
        return [tuple(mixed[at : at + self.accumulate]) for at in range(0, len(mixed), self.accumulate)]


def prompt_for(clip: int, others: Sequence[int], *, seed: int, epoch: int) -> int:
    """Which of the speaker's clips (`others`) prompts `clip` in this epoch: never `clip`, which is the answer.

    Raises:
        ValueError: the speaker has no other clip.
    """
    candidates = [other for other in others if other != clip]
    if not candidates:
        raise ValueError(f"clip {clip} has no other clip of its speaker for a prompt")
    return candidates[int(np.random.default_rng((seed, _PROMPTS, epoch, clip)).integers(len(candidates)))]
