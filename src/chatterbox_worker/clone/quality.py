"""Which segments are good enough for a voice: a table of requirements with a message for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.voices.clip import LEAST_DEPTH_DB, LEAST_VOICED, QUIETEST_DBFS

SHORTEST_S = 1.6
"""The voice encoder's window is 160 frames of 10 ms; a shorter segment would be mostly padding."""
LEAST_SNR_DB = 20.0
"""Between speech and silence; with less, the noise is audible in the cloned voice (the page gives the same advice)."""
MOST_CLIPPED = 2
"""A single clipped peak does no harm."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_broken: Callable[[Segment], bool]
    sentence: str
    """Formatted with the segment as `it`."""


# The first broken rule is the reported reason.
_RULES = (
    _Rule(
        lambda it: it.duration_s < SHORTEST_S,
        f"too short: {{it.duration_s:.1f}} s, at least {SHORTEST_S} s are needed",
    ),
    _Rule(lambda it: it.clipped > MOST_CLIPPED, "clipped: in {it.clipped} places, it was recorded too loud"),
    _Rule(
        lambda it: it.voiced < LEAST_VOICED,
        "no voice: only {it.voiced:.0%} of it has the pitch of a voice; it is noise, breath or music",
    ),
    _Rule(
        lambda it: it.snr_db < LEAST_SNR_DB,
        f"noisy: the noise is {{it.snr_db:.0f}} dB below the voice, at least {LEAST_SNR_DB:.0f} dB are needed",
    ),
    _Rule(
        lambda it: it.depth_db < LEAST_DEPTH_DB,
        "noisy: a constant sound is {it.depth_db:.0f} dB below the voice, "
        f"at least {LEAST_DEPTH_DB:.0f} dB are needed",
    ),
    _Rule(
        lambda it: it.level_dbfs < QUIETEST_DBFS,
        f"too quiet: {{it.level_dbfs:.0f}} dBFS, at least {QUIETEST_DBFS:.0f} are needed",
    ),
)


def fault(segment: Segment) -> str | None:
    """Why it cannot be used; None if it can."""
    return next((rule.sentence.format(it=segment) for rule in _RULES if rule.is_broken(segment)), None)
