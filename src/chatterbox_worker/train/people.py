"""Whether the clips of a speaker sound like one person: a doubt to be shown, since training would mix two voices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ONE_PERSON = 0.8
"""Similarity of two groups of clips of one person, at least. Of 8 LibriSpeech readers with 7 clips each the groups of
one are 0.91 to 0.97 similar and those of two 0.51 to 0.75, with the weights of Resemblyzer, the same network."""
_ROUNDS = 20  # of k-means; a few are enough for two groups
_BLOCK = 1024  # clips that are compared with all others at once

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TwoVoices:
    """The two groups of clips that differ most."""

    is_second: npt.NDArray[np.bool_]
    """(n,): which clips are in the smaller group."""
    similarity: float
    """The cosine of the groups' mean embeddings."""


def find_two_voices(embeddings: Embeddings) -> TwoVoices | None:
    """The groups of `embeddings` (n, 256), each of length 1, if they are less similar than one person's; None if not.

    k-means on the sphere for two groups, begun with the pair of clips that are least similar.
    """
    if len(embeddings) < 2:
        return None
    centres = embeddings[_least_similar(embeddings)]
    for _ in range(_ROUNDS):
        is_second = (embeddings @ centres.T).argmax(axis=1) == 1
        if is_second.all() or not is_second.any():  # all clips are the same
            return None
        centres = np.stack([_mean(embeddings[~is_second]), _mean(embeddings[is_second])])
    similarity = float(centres[0] @ centres[1])
    if similarity >= ONE_PERSON:
        return None
    return TwoVoices(is_second if 2 * is_second.sum() <= len(is_second) else ~is_second, similarity)


def _least_similar(embeddings: Embeddings) -> list[int]:
    """The numbers of the two; a block at a time, since all pairs of 50 000 clips would take 10 GB."""
    found: list[tuple[float, int, int]] = []
    for start in range(0, len(embeddings), _BLOCK):
        similarity = embeddings[start : start + _BLOCK] @ embeddings.T
        row, column = divmod(int(similarity.argmin()), len(embeddings))
        found.append((float(similarity[row, column]), start + row, column))
    return list(min(found)[1:])


def _mean(embeddings: Embeddings) -> Embeddings:
    mean = embeddings.mean(axis=0)
    unit: Embeddings = mean / np.float32(np.linalg.norm(mean))
    return unit
