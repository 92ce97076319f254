"""From a folder to findings: what was read, how good each stretch of speech is, and why some were left out.

A bad recording never makes this step fail; `voice.build_voice` decides whether the findings are enough for a voice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chatterbox_worker.clone import quality, speakers
from chatterbox_worker.clone.recordings import RefusedRecording, SourceRecording, files_in, read, read_all
from chatterbox_worker.clone.segments import Segment, split
from chatterbox_worker.clone.speakers import EmbeddedSpeech, Encoder, Speakers

ENOUGH_S = 300.0
"""Of good speech: more would not change the speaker embedding."""
_GOOD_SNR_DB = 50.0  # more is not audible

Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""Yields the items one by one and shows the progress; the string is the unit that they are counted in."""


@dataclass(frozen=True, slots=True)
class AssessedSegment:
    """A segment with the decision about it."""

    segment: Segment
    fault: str | None
    """Why it was left out; None if it was kept."""
    similarity: float | None = None
    """To the speaker; None if it was not compared."""
    weakest: float | None = None
    """The similarity of its least similar part."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    recordings: Mapping[str, SourceRecording]
    refused: tuple[RefusedRecording, ...]
    assessed: tuple[AssessedSegment, ...]
    embedded: Mapping[Segment, EmbeddedSpeech]
    """The embeddings of the segments that were compared."""
    encoder: Encoder | None
    min_similarity: float
    """The lowest similarity to the speaker that was accepted."""
    ambiguity: str | None = None
    """Why it is not clear which speaker to clone; None if it is."""

    @property
    def kept(self) -> tuple[Segment, ...]:
        return tuple(each.segment for each in self.assessed if each.fault is None)

    @property
    def kept_s(self) -> float:
        return sum(segment.duration_s for segment in self.kept)

    @property
    def similarities(self) -> Mapping[Segment, float]:
        return {each.segment: each.similarity for each in self.assessed if each.similarity is not None}


def _without_progress(items: Sequence[Any], _: str) -> Sequence[Any]:
    return items


def examine(
    folder: Path,
    encoder: Encoder | None,
    *,
    min_similarity: float = speakers.SAME_SPEAKER,
    like: Path | None = None,
    track: Track = _without_progress,
) -> Findings:
    """`encoder` is None to assume that one person speaks; `like` is a recording of the person to clone.

    Raises:
        InvalidRequest: the folder contains nothing to read, or `like` cannot be used.
    """
    wanted = None if like is None or encoder is None else speakers.embed(encoder, read(like, "like").audio)
    recordings, refused = read_all(track(files_in(folder), "file"), folder)
    known = MappingProxyType({recording.name: recording for recording in recordings})
    found = {recording.name: split(recording) for recording in recordings}
    refused += [
        RefusedRecording(name, f"{name} contains no speech") for name, segments in found.items() if not segments
    ]
    assessed = [AssessedSegment(each, quality.fault(each)) for segments in found.values() for each in segments]
    embedded: dict[Segment, EmbeddedSpeech] = {}
    ambiguity = None
    if encoder is not None:
        good = [each.segment for each in assessed if each.fault is None]
        for each in track(good, "segment"):
            embedded[each] = speakers.embed(encoder, known[each.file].between(each.start_s, each.end_s))
        if embedded:
            grouping = speakers.group_speakers(list(embedded.values()), min_similarity=min_similarity, like=wanted)
            assessed = _compare(assessed, list(embedded), grouping, min_similarity)
            ambiguity = _describe_ambiguity(list(embedded), grouping) if wanted is None else None
    return Findings(known, tuple(refused), tuple(_limit(assessed)), embedded, encoder, min_similarity, ambiguity)


def _compare(
    assessed: list[AssessedSegment], segments: list[Segment], grouping: Speakers, min_similarity: float
) -> list[AssessedSegment]:
    """The assessments with the similarity of `segments` to the speaker; other voices become faults."""
    compared = {
        segment: AssessedSegment(
            segment,
            speakers.fault(grouping, index, min_similarity=min_similarity),
            grouping.similarity[index],
            grouping.weakest[index],
        )
        for index, segment in enumerate(segments)
    }
    return [compared.get(each.segment, each) for each in assessed]


def _describe_ambiguity(segments: list[Segment], grouping: Speakers) -> str | None:
    if not speakers.has_rival(grouping):
        return None
    rival = max(range(1, len(grouping.seconds)), key=lambda person: grouping.seconds[person])
    voices = " and ".join(
        f"{grouping.seconds[person]:.0f} s of {which}, as in {_place(segments[grouping.groups.index(person)])}"
        for person, which in ((0, "one"), (rival, "another"))
    )
    return f"there are two main speakers, {voices}; choose one with a recording of that person alone: --like FILE"


def _place(segment: Segment) -> str:
    return f"{segment.file} at {segment.start_s:.1f} s"


def _limit(assessed: list[AssessedSegment]) -> list[AssessedSegment]:
    """The assessments with only the best five minutes kept."""
    good = [each for each in assessed if each.fault is None]
    total_s, over = 0.0, set()
    for each in sorted(good, key=_score, reverse=True):
        total_s += each.segment.duration_s
        if total_s > ENOUGH_S:
            over.add(each.segment)
    why = f"not needed: {ENOUGH_S:.0f} s of better speech were found"
    return [replace(each, fault=why) if each.segment in over else each for each in assessed]


def _score(assessed: AssessedSegment) -> float:
    similarity = 1.0 if assessed.similarity is None else assessed.similarity
    return min(assessed.segment.snr_db / _GOOD_SNR_DB, 1.0) + similarity
