"""What sounds behind a segment, from the pauses near it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chatterbox_worker.clone.recordings import SourceRecording
from chatterbox_worker.clone.segments import Segment

_NEAR_S = 10.0
_ENOUGH = 15  # windows, half a second of pauses


def notes_near(segment: Segment, recordings: Mapping[str, SourceRecording]) -> float | None:
    """The share of windows with notes in the pauses within 10 s, or in the whole recording if these are few.

    The fewer there are, the more the pauses of all recordings count, as if they were half a second of its own. None if
    all together are less than that.
    """
    everywhere = np.concatenate([each.pauses.has_notes for each in recordings.values()])
    if len(everywhere) < _ENOUGH:
        return None
    own = recordings[segment.file].pauses
    is_near = (own.at_s > segment.start_s - _NEAR_S) & (own.at_s < segment.end_s + _NEAR_S)
    near = own.has_notes[is_near] if np.count_nonzero(is_near) >= _ENOUGH else own.has_notes
    return float((np.count_nonzero(near) + _ENOUGH * everywhere.mean()) / (len(near) + _ENOUGH))
