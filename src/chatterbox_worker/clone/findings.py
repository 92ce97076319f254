"""From a folder to findings: what was read, who speaks, how good each stretch of speech is, why some were left out.

A bad recording never makes this step fail; `voice.build_voice` decides whether the findings are enough for a voice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.clone import doubts, quality, speakers
from chatterbox_worker.clone.background import notes_near
from chatterbox_worker.clone.recordings import RefusedRecording, SourceRecording, files_in, read, read_all
from chatterbox_worker.clone.segments import Segment, speech_in, split
from chatterbox_worker.clone.speakers import EmbeddedSegment, Groups, Speakers
from chatterbox_worker.clone.windows import Encoder, Window, embed_windows
from chatterbox_worker.errors import InvalidRequest, quote

ENOUGH_S = 300.0
"""Of good speech: more would not change the speaker embedding."""
_DISTINCT_SNR_DB = 8.0  # enough to distinguish people (bench/speakers.py); the more of their speech, the surer

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
class Diarisation:
    """Who speaks when."""

    windows: tuple[Window, ...]
    """In order of files and time."""
    groups: Groups
    """The person in each window."""

    def of(self, name: str) -> tuple[list[Window], list[int]]:
        """The windows of a file and their people."""
        own = [index for index, each in enumerate(self.windows) if each.file == name]
        return [self.windows[index] for index in own], [self.groups.people[index] for index in own]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    recordings: Mapping[str, SourceRecording]
    refused: tuple[RefusedRecording, ...]
    assessed: tuple[AssessedSegment, ...]
    embedded: Mapping[Segment, EmbeddedSegment]
    """The embeddings of the segments that were compared."""
    encoder: Encoder | None
    min_similarity: float
    """The lowest similarity to the speaker that was accepted."""
    doubts: tuple[str, ...] = ()
    """Why what is kept may not be one person's; a sentence each."""
    diarisation: Diarisation | None = None
    """None if speakers were not compared."""
    speaker: int = 0
    """Which of the diarisation's people is the speaker."""

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
    min_snr_db: float = quality.LEAST_SNR_DB,
    allow_music: bool = False,
    like: Path | None = None,
    track: Track = _without_progress,
) -> Findings:
    """`encoder` is None to assume that one person speaks; `like` is a recording of the person to clone.

    Raises:
        InvalidRequest: the folder contains nothing to read, or `like` cannot be used.
    """
    wanted = None if like is None or encoder is None else _embed_wanted(encoder, like)
    recordings: list[SourceRecording] = []
    refused: list[RefusedRecording] = []
    found: dict[str, list[Segment]] = {}
    for each in read_all(track(files_in(folder), "file"), folder):
        if isinstance(each, RefusedRecording):
            refused.append(each)
        else:
            recordings.append(each[0])
            found[each[0].name] = split(each[0], filtered=each[1])
        del each  # with the sound without rumble, before the next one is read
    known = MappingProxyType({recording.name: recording for recording in recordings})
    refused += [
        RefusedRecording(name, f"{name} contains no speech") for name, segments in found.items() if not segments
    ]

    def notes(segment: Segment) -> float | None:
        return None if allow_music else notes_near(segment, known)

    def is_clear(segment: Segment) -> bool:
        is_loud = quality.is_clear(segment, min(min_snr_db, _DISTINCT_SNR_DB))
        return is_loud and not quality.has_music(notes(segment))

    diarisation = None if encoder is None else _diarise(encoder, track(recordings, "recording"), found, is_clear)
    if diarisation is not None:
        changes = {name: _changes(diarisation, name) for name in known}
        found |= {name: split(known[name], spans) for name, spans in changes.items() if spans}
    assessed = [
        AssessedSegment(each, quality.fault(each, min_snr_db, known[name].reverberation_s, notes(each)))
        for name, segments in found.items()
        for each in segments
    ]
    if diarisation is None:
        return Findings(known, tuple(refused), tuple(_limit(assessed)), {}, encoder, min_similarity)
    assessed, embedded = _embed(assessed, diarisation)
    if not embedded:
        return Findings(known, tuple(refused), tuple(assessed), {}, encoder, min_similarity, (), diarisation)
    grouping = speakers.compare(list(embedded.values()), diarisation.windows, diarisation.groups, like=wanted)
    assessed = _limit(_compare(assessed, list(embedded), grouping, min_similarity))
    ambiguity = None if wanted is not None else _describe_rival(diarisation, grouping)
    findings = Findings(
        known, tuple(refused), tuple(assessed), embedded, encoder, min_similarity, (), diarisation, grouping.speaker
    )
    found_doubts = (*doubts.likeness(diarisation.groups, grouping.speaker), *doubts.echo(findings.kept, known))
    return replace(findings, doubts=tuple(filter(None, (ambiguity, *found_doubts))))


def _embed_wanted(encoder: Encoder, path: Path) -> Samples:
    recording, filtered = read(path, f"--like {quote(str(path))}")
    windows = embed_windows(encoder, recording, speech_in(recording, split(recording, filtered=filtered)))
    if not windows:
        raise InvalidRequest(f"--like {quote(str(path))} has no speech of 0.8 s without a pause", field="like")
    return speakers.mean_embedding(windows)


def _diarise(
    encoder: Encoder,
    recordings: Iterable[SourceRecording],
    found: Mapping[str, Sequence[Segment]],
    is_clear: Callable[[Segment], bool],
) -> Diarisation | None:
    """The people in what is clear enough to distinguish them, kept or not; None if nothing is."""
    windows: list[Window] = []
    for recording in recordings:
        good = [each for each in found[recording.name] if is_clear(each)]
        windows += embed_windows(encoder, recording, speech_in(recording, good))
    if not windows:
        return None
    return Diarisation(tuple(windows), speakers.group_windows(np.stack([each.embedding for each in windows])))


def _changes(diarisation: Diarisation, name: str) -> list[tuple[float, float]]:
    """Where its segments must be cut; nowhere if all speech is one person's."""
    return list(speakers.changes_in(*diarisation.of(name))) if len(diarisation.groups.means) > 1 else []


def _embed(
    assessed: Sequence[AssessedSegment], diarisation: Diarisation
) -> tuple[list[AssessedSegment], dict[Segment, EmbeddedSegment]]:
    """The embeddings of the segments without a fault; those too short to be compared get one."""
    embedded: dict[Segment, EmbeddedSegment] = {}
    checked: list[AssessedSegment] = []
    for each in assessed:
        found = None
        if each.fault is None:
            found = speakers.embed_segment(each.segment, *diarisation.of(each.segment.file))
        if found is not None:
            embedded[each.segment] = found
        is_too_short = each.fault is None and found is None
        checked.append(replace(each, fault=quality.TOO_BROKEN) if is_too_short else each)
    return checked, embedded


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


def _describe_rival(diarisation: Diarisation, grouping: Speakers) -> str | None:
    if not speakers.has_rival(grouping):
        return None
    people = diarisation.groups.people
    voices = " and ".join(
        f"{seconds:.0f} s of {which}, as in {_place(diarisation.windows[people.index(person)])}"
        for which, (person, seconds) in zip(("one", "another"), grouping.seconds, strict=False)
    )
    return f"there are two main speakers, {voices}; choose one with a recording of that person alone: --like FILE"


def _place(window: Window) -> str:
    return f"{window.file} at {window.start_s:.1f} s"


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
    return min(assessed.segment.snr_db / quality.GOOD_SNR_DB, 1.0) + similarity
