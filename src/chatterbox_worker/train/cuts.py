"""Where a long recording is cut into clips of 3 to 12 s, and which words are in each.

Silences are found in the sound, since a recogniser's times are off by a tenth of a second or more; words are then given
to the sound that they overlap most. As little speech as possible is left out; clips end where sentences do, or else at
long pauses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.asr import TranscribedWord
from chatterbox_worker.audio.activity import find_loud, find_stretches
from chatterbox_worker.audio.trim import FRAME_S, Levels

_SHORTEST, _LONGEST = 300, 1200  # frames of 10 ms
_PAUSE = 100  # frames: a longer pause, or a longer sound without words, is never inside a clip
_MARGIN = 10  # frames of silence kept around a clip, for soft onsets and releases
_LULL = 10  # frames: the length of the quietest place, where a stretch without a pause is cut
_FAR_S = 0.5  # a word farther from every clip was recognised in a noise or a silence
_SENTENCE_ENDS = tuple(".!?…。！？؟।")

Span = tuple[int, int]
"""The first and the last-plus-one frame of a part of a recording."""


@dataclass(frozen=True, slots=True)
class TranscribedClip:
    start_s: float
    end_s: float
    text: str


def cut(levels: Levels, words: Sequence[TranscribedWord]) -> list[TranscribedClip]:
    """The clips of a recording whose 10 ms frames have these dBFS, in order.

    Sound without words, and speech that lasts less than 3 s between two long pauses, are in no clip.
    """
    sounds = [part for sound in find_stretches(find_loud(levels)) for part in _halve(levels, *sound)]
    owners = _owners(sounds, words)
    spans: list[tuple[Span, list[TranscribedWord]]] = []
    for first, end in _group(sounds, owners):
        own = [word for words in owners[first:end] for word in words]
        if own and sounds[end - 1][1] - sounds[first][0] >= _SHORTEST:
            spans.append((_with_margins(sounds, first, end, len(levels)), own))
    return [
        TranscribedClip(start * FRAME_S, end * FRAME_S, " ".join(word.text for word in own))
        for (start, end), own in spans
    ]


def _halve(levels: Levels, start: int, end: int) -> Iterator[Span]:
    """A stretch of sound in parts that are short enough for a clip, cut at their quietest places."""
    if end - start <= _LONGEST:
        yield start, end
        return
    third = (end - start) // 3
    lulls = np.convolve(levels[start + third : end - third], np.ones(_LULL) / _LULL, "valid")
    middle = start + third + int(np.argmin(lulls)) + _LULL // 2
    yield from _halve(levels, start, middle)
    yield from _halve(levels, middle, end)


def _owners(sounds: Sequence[Span], words: Sequence[TranscribedWord]) -> list[list[TranscribedWord]]:
    """The words of each sound."""
    owners: list[list[TranscribedWord]] = [[] for _ in sounds]
    edges_s = FRAME_S * np.array(sounds, dtype=float).reshape(-1, 2)
    for word in words if len(sounds) else ():
        overlaps_s = np.minimum(edges_s[:, 1], word.end_s) - np.maximum(edges_s[:, 0], word.start_s)
        best = int(np.argmax(overlaps_s))  # below 0: the distance
        if overlaps_s[best] > -_FAR_S:
            owners[best].append(word)
    return owners


def _group(sounds: Sequence[Span], owners: Sequence[Sequence[TranscribedWord]]) -> Iterator[Span]:
    """The first and the last-plus-one sound of each clip, or of what is too short for one.

    Of all ways to group them, the one that leaves out the least speech and then has the best ends: dynamic programming,
    from the last sound to the first.
    """
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)] * (len(sounds) + 1)  # frames in clips, quality, where it ends
    for first in reversed(range(len(sounds))):
        best[first] = max(
            (best[end][0] + _usable(sounds[first:end]), best[end][1] + _quality(sounds, owners, end), end)
            for end in _possible_ends(sounds, owners, first)
        )
    first = 0
    while first < len(sounds):
        yield first, best[first][2]
        first = best[first][2]


def _usable(sounds: Sequence[Span]) -> int:
    """Frames of sound, if they last long enough for a clip."""
    return sum(end - start for start, end in sounds) if sounds[-1][1] - sounds[0][0] >= _SHORTEST else 0


def _quality(sounds: Sequence[Span], owners: Sequence[Sequence[TranscribedWord]], end: int) -> float:
    """Of a clip that ends before the sound `end`; below 0, so that few clips are better than many."""
    shortness = 1.0 - min(_pause(sounds, end), _PAUSE) / _PAUSE
    return -0.1 - 0.1 * shortness if _ends_a_sentence(owners[end - 1]) else -0.6 - shortness


def _possible_ends(sounds: Sequence[Span], owners: Sequence[Sequence[TranscribedWord]], first: int) -> Iterator[int]:
    """Music and other long sounds without words are in no clip with others."""
    yield first + 1
    end = first + 1
    while end < len(sounds) and not (
        _is_noise(sounds[end - 1], owners[end - 1]) or _is_noise(sounds[end], owners[end])
    ):
        if _pause(sounds, end) > _PAUSE or sounds[end][1] - sounds[first][0] > _LONGEST:
            return
        end += 1
        yield end


def _is_noise(sound: Span, words: Sequence[TranscribedWord]) -> bool:
    return not words and sound[1] - sound[0] > _PAUSE


def _pause(sounds: Sequence[Span], end: int) -> int:
    """Frames between the sound before `end` and the one after; very many at the recording's end."""
    return sounds[end][0] - sounds[end - 1][1] if end < len(sounds) else 10 * _PAUSE


def _ends_a_sentence(words: Sequence[TranscribedWord]) -> bool:
    return bool(words) and words[-1].text.rstrip("\"'”’»)").endswith(_SENTENCE_ENDS)


def _with_margins(sounds: Sequence[Span], first: int, end: int, count: int) -> Span:
    """With some of the silence around it, up to the middle of it."""
    before = (sounds[first - 1][1] + sounds[first][0] + 1) // 2 if first else 0
    after = (sounds[end - 1][1] + sounds[end][0]) // 2 if end < len(sounds) else count
    return max(sounds[first][0] - _MARGIN, before), min(sounds[end - 1][1] + _MARGIN, after)
