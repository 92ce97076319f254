"""From a folder to findings: what was read, what each stretch of it is worth, and why it was left out.

Finding never fails because of a recording; whether the findings make a voice is `voice.make`'s question.
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
"""Of good speech: more would tell the voice encoder nothing new."""
_GOOD_SNR_DB = 50.0  # more is not heard

Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""Hands on what it is given, one by one, and shows how far it is; the word says what they are."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A stretch of speech and what became of it."""

    segment: Segment
    fault: str | None
    """Why it was left out; None where it was kept."""
    similarity: float | None = None
    """To the speaker; None where nobody listened to it."""
    weakest: float | None = None
    """The same of its least similar part."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    recordings: Mapping[str, SourceRecording]
    refused: tuple[RefusedRecording, ...]
    judged: tuple[Judged, ...]
    heard: Mapping[Segment, EmbeddedSpeech]
    """What the encoder made of the stretches that it listened to."""
    encoder: Encoder | None
    same: float
    """The similarity that was wanted."""
    doubt: str | None = None
    """Why it cannot be told whose voice this is."""

    @property
    def kept(self) -> tuple[Segment, ...]:
        return tuple(each.segment for each in self.judged if each.fault is None)

    @property
    def kept_s(self) -> float:
        return sum(segment.duration_s for segment in self.kept)

    @property
    def likeness(self) -> Mapping[Segment, float]:
        return {each.segment: each.similarity for each in self.judged if each.similarity is not None}


def _untracked(items: Sequence[Any], _: str) -> Sequence[Any]:
    return items


def examine(
    folder: Path,
    encoder: Encoder | None,
    *,
    same: float = speakers.SAME,
    like: Path | None = None,
    track: Track = _untracked,
) -> Findings:
    """`encoder` is None to take it on trust that one person speaks; `like` is a recording of the person who is meant.

    Raises:
        InvalidRequest: the folder has nothing to read, or `like` cannot be used.
    """
    model = None if like is None or encoder is None else speakers.listen(encoder, read(like, "like").audio)
    recordings, refused = read_all(track(files_in(folder), "file"), folder)
    known = MappingProxyType({recording.name: recording for recording in recordings})
    found = {recording.name: split(recording) for recording in recordings}
    refused += [RefusedRecording(name, f"{name} holds no speech") for name, segments in found.items() if not segments]
    judged = [Judged(each, quality.fault(each)) for segments in found.values() for each in segments]
    heard: dict[Segment, EmbeddedSpeech] = {}
    doubt = None
    if encoder is not None:
        good = [each.segment for each in judged if each.fault is None]
        for each in track(good, "segment"):
            heard[each] = speakers.listen(encoder, known[each.file].between(each.start_s, each.end_s))
        if heard:
            told = speakers.tell_apart(list(heard.values()), same=same, like=model)
            judged = _one_speaker(judged, list(heard), told, same)
            doubt = _doubt(list(heard), told) if model is None else None
    return Findings(known, tuple(refused), tuple(_enough(judged)), heard, encoder, same, doubt)


def _one_speaker(judged: list[Judged], listened: list[Segment], told: Speakers, same: float) -> list[Judged]:
    known = {
        segment: Judged(segment, speakers.fault(told, at, same=same), told.similarity[at], told.weakest[at])
        for at, segment in enumerate(listened)
    }
    return [known.get(each.segment, each) for each in judged]


def _doubt(listened: list[Segment], told: Speakers) -> str | None:
    if not speakers.has_rival(told):
        return None
    rival = max(range(1, len(told.seconds)), key=lambda person: told.seconds[person])
    voices = " and ".join(
        f"{told.seconds[person]:.0f} s of {which} as in {_place(listened[told.groups.index(person)])}"
        for person, which in ((0, "one"), (rival, "another"))
    )
    return f"two speakers have much to say: {voices}; say who is meant by a recording of them alone: --like FILE"


def _place(segment: Segment) -> str:
    return f"{segment.file} at {segment.start_s:.1f} s"


def _enough(judged: list[Judged]) -> list[Judged]:
    """The best five minutes of what is good."""
    good = [each for each in judged if each.fault is None]
    total_s, over = 0.0, set()
    for each in sorted(good, key=_worth, reverse=True):
        total_s += each.segment.duration_s
        if total_s > ENOUGH_S:
            over.add(each.segment)
    why = f"not needed: {ENOUGH_S:.0f} s of better speech were found"
    return [replace(each, fault=why) if each.segment in over else each for each in judged]


def _worth(judged: Judged) -> float:
    similarity = 1.0 if judged.similarity is None else judged.similarity
    return min(judged.segment.snr_db / _GOOD_SNR_DB, 1.0) + similarity
