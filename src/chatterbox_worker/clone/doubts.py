"""Signs that what is kept is not one person's, each as a sentence; the voice encoder alone cannot say it surely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chatterbox_worker.clone.quality import REVERBERANT_S, down
from chatterbox_worker.clone.recordings import SourceRecording
from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.clone.speakers import ONE_PERSON, Groups, most_spread, one_person

_ENOUGH = 40  # windows, 16 s: the directions of fewer are chance
_MOST_REVERBERANT = 0.5  # of the kept speech


def likeness(groups: Groups, speaker: int) -> Iterator[str]:
    """Whether the speaker's windows may be two people's."""
    count, halves, spread = groups.counts[speaker], groups.halves[speaker], groups.spreads[speaker]
    if halves < one_person(count):
        yield (
            f"the speech falls in two parts that are {down(halves, 2)} similar; one person's are at least "
            f"{one_person(count):.2f}: it may be two people, or one in two places or moods"
        )
    elif count >= _ENOUGH and halves < ONE_PERSON and spread > most_spread(count):
        yield (
            f"{spread:.1%} of the differences within the speech are in one direction; one person's are at most "
            f"{most_spread(count):.1%}: it may be two people, or one in two places or moods"
        )


def echo(kept: Sequence[Segment], recordings: Mapping[str, SourceRecording]) -> Iterator[str]:
    """Whether the room is louder than what distinguishes people."""
    total_s = sum(each.duration_s for each in kept)
    echoing = [each for each in kept if (recordings[each.file].reverberation_s or 0.0) > REVERBERANT_S]
    if echoing and sum(each.duration_s for each in echoing) > _MOST_REVERBERANT * total_s:
        t60_s = float(np.median([recordings[each.file].reverberation_s or 0.0 for each in echoing]))
        yield (
            f"the room rings for {t60_s:.1f} s (at most {REVERBERANT_S:g} s is near a microphone): people in it "
            "resemble each other, and the voice will have its echo"
        )
