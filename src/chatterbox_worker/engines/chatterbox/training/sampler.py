"""Which clips are learnt from at which step: a pure function of the seed, so that a run that was killed needs no memory of it.

Clips of like length share a batch, because a batch is padded to its longest. An epoch is shuffled, cut into stretches of a
few steps, each sorted by length and cut into batches, and the batches are shuffled again: every epoch has other company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STEPS_SORTED = 8  # optimizer steps whose clips are sorted together: alike in length, and still of all kinds
_PROMPTS, _ORDER = 1, 2  # separate streams of one seed

Step = tuple[tuple[int, ...], ...]
"""The batches of one optimizer step, each the numbers of its clips."""


@dataclass(frozen=True, slots=True)
class Batching:
    size: int
    """Clips in a batch, at once in memory."""
    accumulate: int
    """Batches to an optimizer step."""
    seed: int

    def steps_per_epoch(self, clips: int) -> int:
        return -(-clips // (self.size * self.accumulate))

    def at(self, lengths: Sequence[int], step: int) -> Step:
        """The batches of optimizer step `step`, from 0, where clip i is `lengths[i]` long; every clip once an epoch."""
        epoch, within = divmod(step, self.steps_per_epoch(len(lengths)))
        return self._epoch(lengths, epoch)[within]

    def _epoch(self, lengths: Sequence[int], epoch: int) -> list[Step]:
        random = np.random.default_rng((self.seed, _ORDER, epoch))
        shuffled = random.permutation(len(lengths)).tolist()
        stretch = self.size * self.accumulate * _STEPS_SORTED
        batches: list[tuple[int, ...]] = []
        for start in range(0, len(shuffled), stretch):
            alike = sorted(shuffled[start : start + stretch], key=lambda clip: (lengths[clip], clip))
            batches += [tuple(alike[at : at + self.size]) for at in range(0, len(alike), self.size)]
        mixed = [batches[place] for place in random.permutation(len(batches))]
        return [tuple(mixed[at : at + self.accumulate]) for at in range(0, len(mixed), self.accumulate)]


def prompt_for(clip: int, others: Sequence[int], *, seed: int, epoch: int) -> int:
    """Which of the speaker's `others` is heard before `clip` in this epoch: never itself, or the answer would stand before it.

    Raises:
        ValueError: there is no other.
    """
    choice = [other for other in others if other != clip]
    if not choice:
        raise ValueError(f"clip {clip} has no other of its speaker to be prompted with")
    return choice[int(np.random.default_rng((seed, _PROMPTS, epoch, clip)).integers(len(choice)))]
