"""Groups stretches of speech by speaker, with the voice encoder's similarity: the cosine of two embeddings.

The clustering merges the most similar pair of groups first, each group at the mean of its members, until no two groups
are similar enough to be one person. The largest group is the speaker. If another person speaks more than half as long,
the user has to choose. A stretch is also compared in parts, to find a change of speaker without a pause.

`SAME_SPEAKER` is the value at which the authors of the same network call a speaker certain (Resemblyzer's diarization
demo). It has not been measured on Chatterbox's weights, so every voice's report shows the similarities of its
recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample

SAME_SPEAKER = 0.75
"""The cosine from which two stretches count as one person's."""
_PART_SLACK = 0.1  # how much lower the limit for a part is: its embedding is less certain than that of the whole
_PART_S = 3.2  # two of the voice encoder's windows
_RIVAL = 0.5  # of the speaker's time: a person who speaks longer may be the one to clone
_ENCODER_RATE = 16_000  # Hertz


class Encoder(Protocol):
    """The network that distinguishes speakers."""

    @property
    def made_by(self) -> str:
        """SHA-256 (hex) of its weights."""

    @property
    def name(self) -> str:
        """Its file and origin, for people to read."""

    def __call__(self, speech: Samples) -> Samples:
        """Embedding (256,) float32, of length 1, of 16 kHz `speech` (samples,)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSpeech:
    """The embeddings of a stretch of speech."""

    embedding: Samples
    """(256,), of length 1."""
    parts: Samples
    """(n, 256): the embedding of each 3 s of it."""
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Speakers:
    """The speakers in a list of stretches."""

    embedding: Samples
    """(256,), of length 1: the average of the speaker's stretches."""
    similarity: tuple[float, ...]
    """Of each stretch to the speaker."""
    weakest: tuple[float, ...]
    """Of each stretch's least similar part to the speaker."""
    groups: tuple[int, ...]
    """The person in each stretch; 0 is the speaker."""
    seconds: tuple[float, ...]
    """How long each person speaks."""


def embed(encoder: Encoder, audio: Audio) -> EmbeddedSpeech:
    speech = resample(audio, _ENCODER_RATE).samples
    count = max(1, round(len(speech) / (_PART_S * _ENCODER_RATE)))
    parts = np.stack([_embed(encoder, part) for part in np.array_split(speech, count)])
    return EmbeddedSpeech(_embed(encoder, speech) if count > 1 else parts[0], parts, audio.duration_s)


def group_speakers(
    stretches: Sequence[EmbeddedSpeech],
    *,
    min_similarity: float = SAME_SPEAKER,
    like: EmbeddedSpeech | None = None,
) -> Speakers:
    """The people in `stretches`, at least one. The speaker is the most similar to `like`, else speaks longest."""
    groups = _cluster(stretches, min_similarity)
    if like is None:
        groups.sort(key=lambda members: -sum(stretches[each].duration_s for each in members))
    else:
        groups.sort(key=lambda members: -float(average([stretches[each] for each in members]) @ like.embedding))
    person_of = {each: person for person, members in enumerate(groups) for each in members}
    speaker = average([stretches[each] for each in groups[0]])
    return Speakers(
        speaker,
        tuple(float(each.embedding @ speaker) for each in stretches),
        tuple(float((each.parts @ speaker).min()) for each in stretches),
        tuple(person_of[each] for each in range(len(stretches))),
        tuple(sum(stretches[each].duration_s for each in members) for members in groups),
    )


def has_rival(speakers: Speakers) -> bool:
    """Whether another person speaks more than half as long as the speaker."""
    return len(speakers.seconds) > 1 and max(speakers.seconds[1:]) > _RIVAL * speakers.seconds[0]


def fault(speakers: Speakers, index: int, *, min_similarity: float = SAME_SPEAKER) -> str | None:
    """Why a stretch is not the speaker's; None if it is."""
    similarity, weakest = speakers.similarity[index], speakers.weakest[index]
    if similarity < min_similarity:
        return f"other voice: similarity {similarity:.2f}, at least {min_similarity:.2f} is needed"
    least = min_similarity - _PART_SLACK
    if weakest < least:
        return f"other voice in a part of it: similarity {weakest:.2f} there, at least {least:.2f} is needed"
    return None


def average(stretches: Sequence[EmbeddedSpeech]) -> Samples:
    """(256,) float32 of length 1: the mean embedding of the stretches, weighted by their durations."""
    total = sum((each.embedding.astype(np.float64) * each.duration_s for each in stretches), np.zeros(1))
    mean: Samples = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
    return mean


def _embed(encoder: Encoder, speech: Samples) -> Samples:
    """The embedding; zeros, which are similar to no voice, if the network returns NaN for silence."""
    embedding: Samples = np.nan_to_num(encoder(speech))
    return embedding


def _cluster(stretches: Sequence[EmbeddedSpeech], min_similarity: float) -> list[list[int]]:
    """The indices of the stretches of each person."""
    members = [[index] for index in range(len(stretches))]
    sums = np.stack([each.embedding.astype(np.float64) * each.duration_s for each in stretches])
    similarity = _cosines(sums, sums)
    np.fill_diagonal(similarity, -1.0)
    while len(members) > 1:
        one, other = sorted(divmod(int(np.argmax(similarity)), len(members)))
        if similarity[one, other] < min_similarity:
            break
        members[one] += members.pop(other)
        sums[one] += sums[other]
        sums = np.delete(sums, other, axis=0)
        similarity = np.delete(np.delete(similarity, other, axis=0), other, axis=1)
        similarity[one] = similarity[:, one] = _cosines(sums, sums[one : one + 1])[:, 0]
        similarity[one, one] = -1.0
    return members


def _cosines(rows: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(others, axis=1)[None]
    cosines: npt.NDArray[np.float64] = rows @ others.T / np.maximum(lengths, 1e-12)
    return cosines
