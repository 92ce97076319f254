"""Which stretches of speech are good enough to learn a voice from; a table of what is wanted, and the sentence for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatterbox_worker.clone.segments import Segment

SHORTEST_S = 1.6
"""The voice encoder listens to 160 frames of 10 ms at a time; less than that is mostly padding."""
QUIETEST_DBFS = -45.0
"""The noise of 16 bits and of cheap converters lies some 40 dB below that."""
LEAST_SNR_DB = 20.0
"""Between speech and silence; below it the noise is heard in the voice that is made (the page's advice says the same)."""
LEAST_DEPTH_DB = 14.0
"""Between speech and its own quietest moments; white noise 10 dB below speech leaves 11."""
LEAST_VOICED = 0.2
"""Of the sound; in running speech more than half has a pitch, in noise nothing."""
MOST_CLIPPED = 2
"""One touch of full scale is no harm."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_broken: Callable[[Segment], bool]
    sentence: str
    """Formatted with the segment as `it`."""


# The first that is broken is the reason that is given.
_RULES = (
    _Rule(lambda it: it.duration_s < SHORTEST_S, f"too short: {{it.duration_s:.1f}} s, at least {SHORTEST_S} are wanted"),
    _Rule(lambda it: it.clipped > MOST_CLIPPED, "clipped: in {it.clipped} places, it was recorded too loud"),
    _Rule(lambda it: it.voiced < LEAST_VOICED, "no voice: {it.voiced:.0%} of it has the pitch of one; noise, breath or music"),
    _Rule(
        lambda it: it.snr_db < LEAST_SNR_DB,
        f"noisy: the noise lies {{it.snr_db:.0f}} dB below the voice, at least {LEAST_SNR_DB:.0f} are wanted",
    ),
    _Rule(
        lambda it: it.depth_db < LEAST_DEPTH_DB,
        "noisy: something sounds under the voice all the time, {it.depth_db:.0f} dB below it; "
        f"at least {LEAST_DEPTH_DB:.0f} are wanted",
    ),
    _Rule(
        lambda it: it.level_dbfs < QUIETEST_DBFS,
        f"too quiet: {{it.level_dbfs:.0f}} dBFS, at least {QUIETEST_DBFS:.0f} are wanted",
    ),
)  # fmt: skip


def fault(segment: Segment) -> str | None:
    """Why it cannot be used; None where it can."""
    return next((rule.sentence.format(it=segment) for rule in _RULES if rule.is_broken(segment)), None)
