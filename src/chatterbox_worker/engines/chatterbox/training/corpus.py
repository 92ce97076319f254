"""The training data: clips as tokens, who speaks each clip, and the prompt for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_SPEECH, STOP_SPEECH
from chatterbox_worker.engines.chatterbox.training.loss import Example
from chatterbox_worker.engines.chatterbox.training.sampler import prompt_for

_HELD_OUT = 3  # a random stream of the seed that is separate from those of `sampler`


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClip:
    id: str
    digest: str
    """SHA-256 (hex) of the recording's bytes."""
    person: str
    text: Tensor
    """(t,) int64, T3's text tokens."""
    speech: Tensor
    """(s,) int64 codes of the whole recording."""
    prompt: Tensor
    """(p,) int64 codes of its start, encoded separately, like a reference."""
    speaker: Tensor
    """(256,) float32, of length 1."""
    duration_s: float
    peak: float
    """Magnitude of the loudest sample; full scale is 1."""

    @property
    def length(self) -> int:
        """Tokens in the transformer, without those of the prompt."""
        return len(self.text) + len(self.speech) + 2


@dataclass(frozen=True, eq=False)
class Corpus:
    """Clips for training and held-out clips for evaluation. Prompts are taken from the training clips only."""

    clips: Sequence[TrainingClip]
    held_out: Sequence[TrainingClip]
    seed: int

    @cached_property
    def lengths(self) -> list[int]:
        return [clip.length for clip in self.clips]

    @cached_property
    def speakers(self) -> Mapping[str, Tensor]:
        """Each person's mean embedding (256,), of length 1: the speaker of the finished voice."""
        by_person: dict[str, list[Tensor]] = defaultdict(list)
        for clip in self.clips:
            by_person[clip.person].append(clip.speaker)
        means = {person: torch.stack(embeddings).mean(0) for person, embeddings in by_person.items()}
        return {person: mean / mean.norm() for person, mean in means.items()}

    def example(self, number: int, epoch: int) -> Example:
        """Training clip `number`, with this epoch's prompt."""
        return self._example(self.clips[number], number, epoch)

    def held_out_examples(self) -> list[Example]:
        """Always the same, with one prompt each."""
        return [self._example(clip, len(self.clips) + at, 0) for at, clip in enumerate(self.held_out)]

    def prompt_of(self, clip: TrainingClip, number: int, epoch: int) -> int:
        """Which training clip prompts clip `number` in this epoch; held-out clips have the numbers after those."""
        return prompt_for(number, self._of_person[clip.person], seed=self.seed, epoch=epoch)

    def _example(self, clip: TrainingClip, number: int, epoch: int) -> Example:
        other = self.prompt_of(clip, number, epoch)
        speech = torch.cat([torch.tensor([START_SPEECH]), clip.speech, torch.tensor([STOP_SPEECH])])
        return Example(clip.text, speech, self.clips[other].prompt, self.speakers[clip.person])

    @cached_property
    def _of_person(self) -> Mapping[str, list[int]]:
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, clip in enumerate(self.clips):
            numbers[clip.person].append(number)
        return numbers


def split(clips: Sequence[TrainingClip], *, share: float, seed: int) -> Corpus:
    """Hold out `share` of each person's clips: at least one if the share is not 0, and leave at least two for training.

    Nothing is held out of fewer than four clips, so that some remain to train on and to prompt with.
    """
    held_out: set[int] = set()
    for person in dict.fromkeys(clip.person for clip in clips):
        numbers = [number for number, clip in enumerate(clips) if clip.person == person]
        wanted = max(1, round(share * len(numbers))) if share and len(numbers) >= 4 else 0
        shuffled = np.random.default_rng((seed, _HELD_OUT, len(numbers))).permutation(numbers).tolist()
        held_out.update(shuffled[: min(wanted, len(numbers) - 2)])
    return Corpus(
        clips=[clip for number, clip in enumerate(clips) if number not in held_out],
        held_out=[clip for number, clip in enumerate(clips) if number in held_out],
        seed=seed,
    )
