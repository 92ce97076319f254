"""Lays recordings out on strips of one minute: several short ones on one strip, a long one on several."""

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
    """Its start on the strip."""
    start_s: float
    """Its start in the recording."""
    end_s: float
    """Its end in the recording."""

    @property
    def shift_s(self) -> float:
        """From a time in the recording to a time on the strip."""
        return self.at_s - self.start_s


def lay_out(durations_s: Sequence[tuple[str, float]]) -> list[StripSegment]:
    """The places of all recordings, given by name and duration, in order."""
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
