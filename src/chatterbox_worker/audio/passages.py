"""A long recording in passages that are cut at its silences, and their sound joined at the same places again.

Everything is counted in tokens of 40 ms, the step of the speech tokenizer, so that what becomes of a passage has the
passage's length and every word keeps its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio.activity import SILENT_DBFS, Flags, find_loud
from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.trim import FRAME_S, Levels, frame_levels

TOKEN_S = 0.04
_FRAMES = 4  # of 10 ms in a token
LONGEST = 750
"""Tokens of a passage, 30 s: what the speech tokenizer reads at once."""
_SHORTEST = 250  # tokens, 10 s, unless the recording ends: shorter passages lack context, and cost the reference again
_SURE = 3  # tokens of silence around a cut, 0.12 s: no word goes over it
OVERLAP = 10
"""Tokens, 0.4 s, that a passage is converted from before its start where no silence is: its beginning is faded in."""
_LONGEST_CUT = LONGEST - OVERLAP


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a recording, in tokens; the parts follow each other without a gap."""

    start: int
    end: int
    lead: int = 0
    """Tokens before `start` that are converted with it, and dropped."""
    is_silent: bool = False
    """Whether there is nothing to convert."""


class LevelMeter:
    """The dBFS of a recording's 10 ms frames, from its pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._hop = round(FRAME_S * sample_rate)
        self._left = np.zeros(0, np.float32)
        self._levels: list[Levels] = []
        self.samples = 0
        """Measured so far."""

    def add(self, piece: Samples) -> None:
        self.samples += len(piece)
        samples = np.concatenate([self._left, piece])
        whole = len(samples) // self._hop * self._hop
        self._levels.append(frame_levels(samples[:whole], self._hop, complete=False))
        self._left = samples[whole:]

    def finish(self) -> Levels:
        """Of the whole recording, at least `SILENT_DBFS`."""
        last = frame_levels(self._left, self._hop, complete=True)
        return np.concatenate([*self._levels, last]).clip(SILENT_DBFS)


def plan_stretches(levels: Levels) -> list[Stretch]:
    """The stretches of a recording whose 10 ms frames have these dBFS: whole if it lasts up to 30 s, else cut.

    Each cut is in the middle of the longest silence between 10 and 30 s after the one before, or at the quietest place.
    """
    tokens = -(-len(levels) // _FRAMES)
    if tokens <= LONGEST:
        return [Stretch(0, tokens)]
    padded = np.pad(levels, (0, tokens * _FRAMES - len(levels)), constant_values=SILENT_DBFS)
    loudest = padded.reshape(tokens, _FRAMES).max(axis=1)
    frames = np.pad(find_loud(levels), (0, len(padded) - len(levels)))
    loud: Flags = frames.reshape(tokens, _FRAMES).max(axis=1)
    stretches: list[Stretch] = []
    start = 0
    while start < tokens:
        end = tokens if tokens - start <= _LONGEST_CUT else start + _choose_cut(loud[start:], loudest[start:])
        before = loud[max(0, start - _SURE) : start]
        lead = min(OVERLAP, start) if before.any() else 0
        stretches.append(Stretch(start, end, lead, is_silent=not loud[start:end].any()))
        start = end
    return stretches


def _choose_cut(loud: Flags, loudest: Levels) -> int:
    """How many tokens the next stretch has; the one after it is not shorter than the shortest either."""
    most = min(_LONGEST_CUT, len(loud) - _SHORTEST)
    quiet = np.flatnonzero(np.diff(~loud[_SHORTEST:most], prepend=False, append=False)).reshape(-1, 2)
    if len(quiet):
        first, last = max(quiet.tolist(), key=lambda run: run[1] - run[0])
        return int(_SHORTEST + (first + last + 1) // 2)
    return int(_SHORTEST + np.argmin(loudest[_SHORTEST:most])) + 1


def cut_stretches(
    pieces: Iterable[Samples], stretches: Iterable[Stretch], sample_rate: int
) -> Iterator[tuple[Stretch, Samples]]:
    """Each stretch with its samples, those of its lead first, from the recording's pieces; one stretch is kept."""
    token, source = round(TOKEN_S * sample_rate), iter(pieces)
    held, begin = np.zeros(0, np.float32), 0  # the samples from `begin` on
    for stretch in stretches:
        first, end = (stretch.start - stretch.lead) * token, stretch.end * token
        parts, until = [held], begin + len(held)
        while until < end and (piece := next(source, None)) is not None:
            parts.append(piece)
            until += len(piece)
        held = np.concatenate(parts)
        yield stretch, held[first - begin : end - begin].copy()
        keep = max(begin, end - OVERLAP * token)
        held, begin = held[keep - begin :].copy(), keep


class Splicer:
    """Puts what became of each stretch to its place: `add` in order, then `finish`. Not thread-safe.

    The beginning of every stretch is muted and faded in by the model. In a silence nothing is lost by that; elsewhere
    the lead takes the place of it, and the sound goes over from one stretch to the next within a token's 40 ms.
    """

    def __init__(self, sample_rate: int) -> None:
        self._token = round(TOKEN_S * sample_rate)
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(self._token) + 0.5) / self._token)
        self._rise: Samples = rise.astype(np.float32)
        self._last = np.zeros(0, np.float32)  # the last token so far, not returned yet
        self._position = 0

    def add(self, stretch: Stretch, sound: Samples) -> Samples:
        """The samples that are now final; `sound` (n,) begins with the lead, and is padded or cut to its length."""
        size = (stretch.end - stretch.start + stretch.lead) * self._token
        sound = np.pad(sound[:size], (0, max(0, size - len(sound))))
        body = sound[stretch.lead * self._token :]
        last = self._last
        if stretch.lead and len(last):
            before = sound[(stretch.lead - 1) * self._token : stretch.lead * self._token]
            last = last * self._rise[::-1] + before * self._rise
        self._last = body[-self._token :]
        return self._count(np.concatenate([last, body[: -self._token]]))

    def finish(self, total: int) -> Samples:
        """The remainder of a recording of `total` samples, which ends within the last token."""
        return self._count(self._last[: max(0, total - self._position)])

    def _count(self, samples: Samples) -> Samples:
        self._position += len(samples)
        return samples
