"""Who speaks where: stretches of speech grouped by the voice encoder's own similarity, the cosine of two embeddings.

Stretches are grouped from the closest pair on, each group at the mean of its members, until no two groups are similar
enough to be one person. The largest group is the speaker, unless another has about as much to say: then which of them
is meant is for a person to tell. A stretch is also looked at in parts, for a change of speaker without a pause.

`SAME` is the value at which the same network's makers call a speaker certain (Resemblyzer's diarization demo); it has
not been measured on Chatterbox's weights, so every voice's report shows how its recordings lie around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample

SAME = 0.75
"""Cosine from which two stretches are one person's."""
_PART_SLACK = 0.1  # of SAME: a part tells less of a speaker than the whole does
_PART_S = 3.2  # two of the voice encoder's windows
_RIVAL = 0.5  # of the speaker's time: whoever has more may be the one who is meant
_ENCODER_RATE = 16_000  # Hertz


class Encoder(Protocol):
    """The network that tells speakers apart."""

    @property
    def made_by(self) -> str:
        """SHA-256 (hex) of its weights."""

    @property
    def name(self) -> str:
        """Whose it is, for people."""

    def __call__(self, speech: Samples) -> Samples:
        """Embedding (256,) float32, of length 1, of 16 kHz `speech` (samples,)."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSpeech:
    """What the encoder made of a stretch of speech."""

    embedding: Samples
    """(256,), of length 1."""
    parts: Samples
    """(n, 256): the same of each 3 s of it."""
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Speakers:
    """Who is heard in a list of stretches."""

    embedding: Samples
    """(256,), of length 1: the speaker's, averaged."""
    similarity: tuple[float, ...]
    """To the speaker, of each stretch."""
    weakest: tuple[float, ...]
    """The same of each stretch's least similar part."""
    groups: tuple[int, ...]
    """Which person each stretch is; 0 is the speaker."""
    seconds: tuple[float, ...]
    """How long each person speaks."""


def listen(encoder: Encoder, audio: Audio) -> EmbeddedSpeech:
    """`audio` as `encoder` hears it."""
    speech = resample(audio, _ENCODER_RATE).samples
    count = max(1, round(len(speech) / (_PART_S * _ENCODER_RATE)))
    parts = np.stack([_heard(encoder, part) for part in np.array_split(speech, count)])
    return EmbeddedSpeech(_heard(encoder, speech) if count > 1 else parts[0], parts, audio.duration_s)


def tell_apart(heard: Sequence[EmbeddedSpeech], *, same: float = SAME, like: EmbeddedSpeech | None = None) -> Speakers:
    """The people in `heard`, at least one stretch; the speaker is whoever sounds most like `like`, else speaks most."""
    groups = _grouped(heard, same)
    if like is None:
        groups.sort(key=lambda members: -sum(heard[each].duration_s for each in members))
    else:
        groups.sort(key=lambda members: -float(_mean([heard[each] for each in members]) @ like.embedding))
    who = {each: person for person, members in enumerate(groups) for each in members}
    speaker = _mean([heard[each] for each in groups[0]])
    return Speakers(
        speaker,
        tuple(float(each.embedding @ speaker) for each in heard),
        tuple(float((each.parts @ speaker).min()) for each in heard),
        tuple(who[each] for each in range(len(heard))),
        tuple(sum(heard[each].duration_s for each in members) for members in groups),
    )


def has_rival(speakers: Speakers) -> bool:
    """Whether somebody else has more than half as much to say as the speaker."""
    return len(speakers.seconds) > 1 and max(speakers.seconds[1:]) > _RIVAL * speakers.seconds[0]


def fault(speakers: Speakers, index: int, *, same: float = SAME) -> str | None:
    """Why a stretch is not the speaker's; None where it is."""
    similarity, weakest = speakers.similarity[index], speakers.weakest[index]
    if similarity < same:
        return f"other voice: similarity {similarity:.2f}, at least {same:.2f} is wanted"
    if weakest < same - _PART_SLACK:
        return (
            f"other voice in a part of it: similarity {weakest:.2f} there, at least {same - _PART_SLACK:.2f} is wanted"
        )
    return None


def averaged(heard: Sequence[EmbeddedSpeech]) -> Samples:
    """(256,) float32 of length 1: the speaker of all the stretches, longer ones counting more."""
    return _mean(heard)


def _heard(encoder: Encoder, speech: Samples) -> Samples:
    """The embedding; zeros, which are like nobody, where the network heard nothing and divided by it."""
    embedding: Samples = np.nan_to_num(encoder(speech))
    return embedding


def _mean(heard: Sequence[EmbeddedSpeech]) -> Samples:
    total = sum((each.embedding.astype(np.float64) * each.duration_s for each in heard), np.zeros(1))
    mean: Samples = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
    return mean


def _grouped(heard: Sequence[EmbeddedSpeech], same: float) -> list[list[int]]:
    """Indices of the stretches of each person."""
    members = [[index] for index in range(len(heard))]
    sums = np.stack([each.embedding.astype(np.float64) * each.duration_s for each in heard])
    likeness = _cosines(sums, sums)
    np.fill_diagonal(likeness, -1.0)
    while len(members) > 1:
        one, other = sorted(divmod(int(np.argmax(likeness)), len(members)))
        if likeness[one, other] < same:
            break
        members[one] += members.pop(other)
        sums[one] += sums[other]
        sums = np.delete(sums, other, axis=0)
        likeness = np.delete(np.delete(likeness, other, axis=0), other, axis=1)
        likeness[one] = likeness[:, one] = _cosines(sums, sums[one : one + 1])[:, 0]
        likeness[one, one] = -1.0
    return members


def _cosines(rows: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(others, axis=1)[None]
    cosines: npt.NDArray[np.float64] = rows @ others.T / np.maximum(lengths, 1e-12)
    return cosines
