"""Recordings laid out on strips of paper of one scale: several short ones beside each other, a long one on several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STRIP_S = 60.0
_GAP_S = 2.0


@dataclass(frozen=True, slots=True)
class StripSegment:
    """A part of a recording on its strip."""

    name: str
    strip: int
    at_s: float
    """Where on the strip it begins."""
    start_s: float
    """What of the recording is shown."""
    end_s: float

    @property
    def shift_s(self) -> float:
        """From a time in the recording to a place on the strip."""
        return self.at_s - self.start_s


def lay_out(durations_s: Sequence[tuple[str, float]]) -> list[StripSegment]:
    """Every second of the recordings, by name and length, in order."""
    places: list[StripSegment] = []
    strip, at_s = 0, 0.0
    for name, duration_s in durations_s:
        if at_s and at_s + duration_s > STRIP_S:
            strip, at_s = strip + 1, 0.0
        start_s = 0.0
        while start_s < duration_s:
            end_s = min(duration_s, start_s + STRIP_S - at_s)
            places.append(StripSegment(name, strip, at_s, start_s, end_s))
            at_s += end_s - start_s + _GAP_S
            start_s = end_s
            if at_s >= STRIP_S:
                strip, at_s = strip + 1, 0.0
    return places
