"""Brings the chunks of one text to one loudness.

Without a target the chunks go to the median of the first three that can be measured, which are held back until then, so
that no single chunk decides. A live stream cannot hold its first chunk back: there each chunk goes to the median of all
so far, at most 2 LU from the one before it. With a target, every chunk goes to the target by itself.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.limiter import amplify, limit
from chatterbox_worker.audio.loudness import loudness

Trim = Literal["none", "edges", "inner"]

MAX_GAIN_DB = 20.0  # for a level that was not asked for: what is quieter is breath or noise rather than a quiet take
MAX_STEP_LU = 2.0  # between neighbours in a live stream
_MOST_GAIN_DB = 40.0  # towards a target
_DECIDE = 3  # chunks: the fewest with a median that one odd chunk does not move
_SURROUNDINGS_S = 0.4  # a block of BS.1770: silence farther away is not measured together with a chunk
_CLOSE_LU, _FAR_LU = 0.05, 0.3
_ROUNDS = 6  # of gain and limiter until the loudness is close: each makes up for what the limiter took


@dataclass(frozen=True, slots=True)
class Sound:
    """What a request says about levels and silences."""

    loudness_lufs: float | None = None
    gain_db: float = 0.0
    trim: Trim = "edges"

    @property
    def needs_whole_chunks(self) -> bool:
        """Whether even the first chunk of a live stream must be known to its end."""
        return self.loudness_lufs is not None or self.gain_db != 0.0 or self.trim == "inner"


class Leveler:
    """`add` chunks in order, then `flush`. Not thread-safe."""

    def __init__(self, sample_rate: int, sound: Sound, *, live: bool) -> None:
        self._rate = sample_rate
        self._sound = sound
        self._live = live
        self._levels: list[float] = []  # LUFS of the chunks as they were spoken
        self._last: float | None = None  # LUFS of the latest chunk of a live stream as it was returned
        self._reference: float | None = sound.loudness_lufs
        self.missed_lu = 0.0
        self._held: list[tuple[Samples, Samples, float | None]] = []

    @property
    def passes(self) -> bool:
        """Whether the current chunk is returned as it arrives: the first of a live stream."""
        return self._live and self._last is None and not self._sound.needs_whole_chunks

    def pass_by(self, chunk: Samples) -> None:
        """Measure a chunk that was returned already."""
        self._last = self._measure(chunk)
        self._levels += [] if self._last is None else [self._last]

    def add(self, lead: Samples, chunk: Samples, pause: int) -> list[Samples]:
        """The silence before a chunk, the chunk, and how many samples of silence follow; returns what is final."""
        if self._sound.loudness_lufs is not None:
            return [lead, self._at_target(chunk, self._sound.loudness_lufs, len(lead), pause)]
        level = self._measure(chunk)
        self._levels += [] if level is None else [level]
        self._held.append((lead, chunk, level))
        return self.flush() if self._live or self._reference is not None or len(self._levels) >= _DECIDE else []

    def flush(self) -> list[Samples]:
        held, self._held = self._held, []
        if self._levels and (self._live or self._reference is None):
            self._reference = self._near_the_last(statistics.median(self._levels))
        return [part for lead, chunk, level in held for part in (lead, self._matched(chunk, level))]

    def _near_the_last(self, lufs: float) -> float:
        if not self._live or self._last is None:
            return lufs
        return min(max(lufs, self._last - MAX_STEP_LU), self._last + MAX_STEP_LU)

    def _matched(self, chunk: Samples, level: float | None) -> Samples:
        gain_db = 0.0
        if level is not None and self._reference is not None:
            gain_db = min(max(self._reference - level, -MAX_GAIN_DB), MAX_GAIN_DB)
            self._last = level + gain_db
        louder = amplify(chunk, gain_db + self._sound.gain_db)
        return self._limited(louder) if gain_db > 0 or self._sound.gain_db else louder

    def _measure(self, chunk: Samples) -> float | None:
        """LUFS; None for less than 0.3 s of speech, which says little about the level of a take."""
        audio = Audio(chunk, self._rate)
        level = -math.inf if speech_level(audio) is None else loudness(audio)
        return level if math.isfinite(level) else None

    def _at_target(self, chunk: Samples, target_lufs: float, before: int, after: int) -> Samples:
        """The chunk with a loudness of the target, measured together with the silence around it."""
        most = round(_SURROUNDINGS_S * self._rate)
        around = (min(before, most), min(after, most))
        gain_db, result, missing = 0.0, chunk, 0.0
        for _ in range(_ROUNDS):
            missing = target_lufs - loudness(Audio(np.pad(result, around), self._rate))
            if not math.isfinite(missing) or abs(missing) < _CLOSE_LU:
                break
            gain_db = min(gain_db + missing, _MOST_GAIN_DB)
            result = self._limited(amplify(chunk, gain_db))
        if math.isfinite(missing) and abs(missing) > _FAR_LU:
            self.missed_lu = max(self.missed_lu, abs(missing))
        return self._limited(result)

    def _limited(self, samples: Samples) -> Samples:
        return limit(Audio(samples, self._rate)).samples
