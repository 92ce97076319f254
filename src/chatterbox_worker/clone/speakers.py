"""Groups windows of speech by speaker, with the voice encoder's similarity: the cosine of two embeddings.

A group is divided in two at the direction in which its embeddings vary most (two-means, from the sign of the first
principal component), and each half again, for as long as the means of the halves are less similar than those of one
person's speech would be. One person's windows have halves too: 0.91 to 0.96 similar in a minute of one reader, and less
in less speech, which the limits follow. Measured on eight LibriSpeech readers with the weights of Resemblyzer, the
same network (bench/speakers.py), and not on Chatterbox's weights, so every voice's report shows the similarities.

`SAME_SPEAKER` is the value at which the authors of the same network call a speaker certain (Resemblyzer's diarization
demo): on those readers it refuses 0.9 % of one person's segments and accepts 0.6 % of another's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.clone.quality import down
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.clone.windows import Window

SAME_SPEAKER = 0.75
"""The cosine from which two stretches count as one person's."""
_PART_SLACK = 0.1  # how much lower the limit for a part is: its embedding is less certain than that of the whole
_PART = 5  # windows, 3.2 s
UNCERTAIN = -1
_CLEAR = 0.5  # of the usual difference to the second person: less, and a quarter of the window is the other's
_UNKNOWN_S = 0.9  # between two windows: more than a pause, so there is speech that is too short for one
_MARGIN = 0.05  # how much more similar a segment has to be to the speaker than to another person
_RIVAL = 0.5  # of the speaker's time: a person who speaks longer may be the one to clone
ONE_PERSON = 0.92
"""The similarity of the halves of one person's many windows; of n windows it is above 0.92 - 3 / n in 99 %."""
_FEW = 3.0
_TWO = 0.1  # below that: certainly two people
_SPREAD, _SPREAD_FEW = 0.14, 1.5  # less than 0.14 + 1.5 / n of one person's variance is in one direction
_FEWEST = 6  # windows, 3.6 s: fewer are not a group of their own
_ROUNDS = 50  # of two-means; it has settled after ten or so
_INSIDE = 0.8  # of a window: it counts for the segment that so much of it is in

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Windows by person."""

    people: tuple[int, ...]
    """The person in each window, counted from 0; `UNCERTAIN` where it is between two."""
    means: Samples
    """(people, 256), of length 1."""
    halves: tuple[float, ...]
    """Of each person: the similarity of the two most different halves of the windows."""
    spreads: tuple[float, ...]
    """Of each person: the share of the windows' variance that is in one direction."""
    counts: tuple[int, ...]
    """Of each person: how many windows."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedSegment:
    """The embeddings of a segment."""

    embedding: Samples
    """(256,), of length 1: the mean of its windows."""
    parts: Samples
    """(n, 256): the mean of each 3 s of it."""
    person: int
    """Who speaks in most of its windows."""
    duration_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Speakers:
    """The speakers of a list of segments."""

    embedding: Samples
    """(256,), of length 1: the average of the speaker's segments."""
    similarity: tuple[float, ...]
    """Of each segment to the speaker."""
    weakest: tuple[float, ...]
    """Of each segment's least similar part to the speaker."""
    people: tuple[int, ...]
    """The person in each segment, as in `Groups`."""
    others: tuple[float, ...]
    """Of each segment to the most similar other person; -1 if there is none."""
    seconds: tuple[tuple[int, float], ...]
    """Each person and how long; the first is the speaker, then the one who speaks longest."""

    @property
    def speaker(self) -> int:
        return self.seconds[0][0]


def one_person(count: int) -> float:
    """The least similarity of the halves of one person's `count` windows."""
    return ONE_PERSON - _FEW / max(count, 1)


def most_spread(count: int) -> float:
    """The largest share of the variance of one person's `count` windows that is in one direction."""
    return _SPREAD + _SPREAD_FEW / max(count, 1)


def group_windows(embeddings: Samples) -> Groups:
    """The people in windows (n, 256), n > 0."""
    people = _settle(embeddings, _merge(embeddings, _divide(embeddings, np.arange(len(embeddings)))))
    found = [embeddings[people == person] for person in range(int(people.max()) + 1)]
    halves = tuple(_halve(each)[0] for each in found)
    means = np.stack([_mean(each) for each in found])
    certain = np.where(_is_certain(embeddings @ means.T, people), people, UNCERTAIN)
    spreads = tuple(_spread(each) for each in found)
    return Groups(tuple(certain.tolist()), means, halves, spreads, tuple(len(each) for each in found))


def embed_segment(segment: Segment, windows: Sequence[Window], people: Sequence[int]) -> EmbeddedSegment | None:
    """From the windows in the segment; None if there are none, because nothing in it is long enough."""
    inside = [index for index, each in enumerate(windows) if _is_inside(each, segment)]
    if not inside:
        return None
    embeddings = np.stack([windows[index].embedding for index in inside])
    size = min(_PART, len(inside))
    parts = np.stack([_mean(embeddings[at : at + size]) for at in range(len(inside) - size + 1)])
    person = Counter(people[index] for index in inside).most_common(1)[0][0]
    return EmbeddedSegment(_mean(embeddings), parts, person, segment.duration_s)


def compare(
    segments: Sequence[EmbeddedSegment], windows: Sequence[Window], groups: Groups, *, like: Samples | None = None
) -> Speakers:
    """The segments compared with the speaker: the most similar to `like`, else who speaks longest in the windows.

    The speaker is one of those in the segments, of which there is at least one.
    """
    seconds = dict.fromkeys(range(len(groups.means)), 0.0)
    for window, person in zip(windows, groups.people, strict=True):
        if person != UNCERTAIN:
            seconds[person] += window.share_s
    present = {each.person for each in segments} - {UNCERTAIN} or {0}
    if like is None:
        chosen = max(present, key=lambda person: seconds[person])
    else:
        chosen = max(present, key=lambda person: float(groups.means[person] @ like))
    order = sorted(seconds, key=lambda person: (person != chosen, -seconds[person]))
    speaker = average([each for each in segments if each.person == chosen] or segments)
    return Speakers(
        speaker,
        tuple(float(each.embedding @ speaker) for each in segments),
        tuple(float((each.parts @ speaker).min()) for each in segments),
        tuple(each.person for each in segments),
        tuple(float(np.delete(groups.means @ each.embedding, chosen).max(initial=-1.0)) for each in segments),
        tuple((person, seconds[person]) for person in order),
    )


def has_rival(speakers: Speakers) -> bool:
    """Whether another person speaks more than half as long as the speaker."""
    return len(speakers.seconds) > 1 and speakers.seconds[1][1] > _RIVAL * speakers.seconds[0][1]


def fault(speakers: Speakers, index: int, *, min_similarity: float = SAME_SPEAKER) -> str | None:
    """Why a segment is not the speaker's; None if it is."""
    similarity, weakest = speakers.similarity[index], speakers.weakest[index]
    if similarity < min_similarity:
        return f"other voice: similarity {down(similarity, 2)}, at least {min_similarity:.2f} is needed"
    least = min_similarity - _PART_SLACK
    if weakest < least:
        return f"other voice in a part of it: similarity {down(weakest, 2)} there, at least {least:.2f} is needed"
    if speakers.people[index] == UNCERTAIN:
        return f"change of speaker in it: similarity {similarity:.2f}, and {speakers.others[index]:.2f} to another"
    if similarity - speakers.others[index] < _MARGIN:
        return (
            f"other voice: similarity {similarity:.2f}, and {speakers.others[index]:.2f} to another person in these "
            "recordings"
        )
    return None


def average(segments: Sequence[EmbeddedSegment]) -> Samples:
    """(256,) float32 of length 1: the mean embedding of the segments, weighted by their durations."""
    weights = np.array([each.duration_s for each in segments])[:, None]
    return _mean(np.stack([each.embedding for each in segments]) * weights)


def changes_in(windows: Sequence[Window], people: Sequence[int]) -> Iterator[tuple[float, float]]:
    """The spans in seconds, in which the speaker changes or is not known, of one file's windows in order of time.

    A change within a stretch lies between the middles of two windows, one between two stretches in the silence.
    """
    for index in range(len(windows) - 1):
        one, other = windows[index : index + 2]
        if people[index] != people[index + 1] or other.start_s - one.end_s > _UNKNOWN_S:
            yield (one.middle_s, other.middle_s) if other.start_s < one.end_s else (one.end_s, other.start_s)


def mean_embedding(windows: Sequence[Window]) -> Samples:
    """(256,) float32 of length 1."""
    return _mean(np.stack([each.embedding for each in windows]))


def _is_inside(window: Window, segment: Segment) -> bool:
    shared_s = min(window.end_s, segment.end_s) - max(window.start_s, segment.start_s)
    return window.file == segment.file and shared_s >= _INSIDE * (window.end_s - window.start_s)


def _mean(embeddings: npt.NDArray[np.floating[Any]]) -> Samples:
    """(256,) of length 1, or zeros, which are similar to no voice, of embeddings that are zeros."""
    total = embeddings.sum(axis=0, dtype=np.float64)
    mean: Samples = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
    return mean


def _halve(embeddings: Samples) -> tuple[float, npt.NDArray[np.bool_]]:
    """The similarity of the means of two halves, and which windows are in the second."""
    spread = embeddings - embeddings.mean(axis=0)
    half = spread @ np.linalg.svd(spread, full_matrices=False)[2][0] > 0
    similarity = 1.0
    for _ in range(_ROUNDS):
        if half.all() or not half.any():
            return 1.0, half
        means = np.stack([_mean(embeddings[~half]), _mean(embeddings[half])])
        similarity, before = float(means[0] @ means[1]), half
        half = embeddings @ means[1] > embeddings @ means[0]
        if np.array_equal(half, before):
            break
    return similarity, half


def _spread(embeddings: Samples) -> float:
    """The share of the variance in the direction with most of it; 0 for fewer windows than a group has."""
    if len(embeddings) < _FEWEST:
        return 0.0
    sizes = np.square(np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False))
    return float(sizes[0] / max(sizes.sum(), 1e-12))


def _divide(embeddings: Samples, indices: Labels) -> list[Labels]:
    """The indices in groups of one person each."""
    if len(indices) < 2 * _FEWEST:
        return [indices]
    similarity, half = _halve(embeddings[indices])
    parts = [indices[~half], indices[half]]
    if similarity >= one_person(len(indices)) - _TWO or min(map(len, parts)) < _FEWEST:
        return [indices]
    return [each for part in parts for each in _divide(embeddings, part)]


def _merge(embeddings: Samples, groups: list[Labels]) -> list[Labels]:
    """The groups, with those joined that are one person's: dividing in two separates a third person's windows."""
    while len(groups) > 1:
        means = np.stack([_mean(embeddings[each]) for each in groups])
        similarity = means @ means.T - 2 * np.eye(len(groups), dtype=np.float32)
        one, other = sorted(divmod(int(similarity.argmax()), len(groups)))
        if similarity[one, other] < one_person(len(groups[one]) + len(groups[other])) - _TWO:
            break
        joined = np.sort(np.concatenate([groups[one], groups.pop(other)]))
        groups[one] = joined
    return groups


def _is_certain(similarity: Samples, people: Labels) -> npt.NDArray[np.bool_]:
    """Whether each window (n, people) is as far from the second most similar person as that person's usually are."""
    if similarity.shape[1] == 1:
        return np.ones(len(people), np.bool_)
    ranked = np.sort(similarity, axis=1)
    ahead = ranked[:, -1] - ranked[:, -2]
    usual = np.array([np.median(ahead[people == person]) for person in range(similarity.shape[1])])
    certain: npt.NDArray[np.bool_] = ahead >= _CLEAR * usual[people]
    return certain


def _settle(embeddings: Samples, groups: list[Labels]) -> Labels:
    """The group of each window: that with the most similar mean, until nothing changes. The largest comes first."""
    groups = sorted(groups, key=len, reverse=True)
    people = np.zeros(len(embeddings), np.int64)
    for person, members in enumerate(groups):
        people[members] = person
    for _ in range(_ROUNDS):
        means = np.stack([_mean(embeddings[people == person]) for person in range(len(groups))])
        nearest = (embeddings @ means.T).argmax(axis=1).astype(np.int64)
        if np.array_equal(nearest, people) or len(np.unique(nearest)) < len(groups):
            break
        people = nearest
    return people
