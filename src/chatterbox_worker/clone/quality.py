"""Which segments are good enough for a voice: a table of requirements with a message for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.voices.clip import LEAST_DEPTH_DB, LEAST_VOICED

SHORTEST_S = 1.6
"""The voice encoder's window is 160 frames of 10 ms; a shorter segment would be mostly padding."""
TOO_BROKEN = "too short: no 0.8 s of it without a pause or a change of speaker"
LEAST_SNR_DB = 20.0
"""Between speech and silence; with less, the noise is audible in the cloned voice (the page gives the same advice)."""
QUIETEST_DBFS = -50.0
"""Of a segment: 5 dB less than a recording's speech needs (`voices.clip`), as sentences differ by that much."""
MOST_CLIPPED = 2
"""A single clipped peak does no harm."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_broken: Callable[[Segment, float], bool]
    """Of a segment and the least distance of noise in dB that is asked for."""
    sentence: str
    """Formatted with the segment as `it` and that distance as `snr_db`."""


_TOO_SHORT = _Rule(
    lambda it, _: it.duration_s < SHORTEST_S,
    f"too short: {{it.duration_s:.1f}} s, at least {SHORTEST_S} s are needed",
)

# The first broken rule is the reported reason.
_RULES = (
    _TOO_SHORT,
    _Rule(lambda it, _: it.clipped > MOST_CLIPPED, "clipped: in {it.clipped} places, it was recorded too loud"),
    _Rule(
        lambda it, _: it.voiced < LEAST_VOICED,
        "no voice: only {it.voiced:.0%} of it has the pitch of a voice; it is noise, breath or music",
    ),
    _Rule(
        lambda it, snr_db: it.snr_db < snr_db,
        "noisy: the noise is {it.snr_db:.0f} dB below the voice, at least {snr_db:.0f} dB are needed (--min-snr)",
    ),
    _Rule(
        lambda it, snr_db: it.depth_db < min(LEAST_DEPTH_DB, snr_db),
        "noisy: a constant sound is {it.depth_db:.0f} dB below the voice, at least {depth_db:.0f} dB are needed",
    ),
    _Rule(
        lambda it, _: it.level_dbfs < QUIETEST_DBFS,
        f"too quiet: {{it.level_dbfs:.0f}} dBFS, at least {QUIETEST_DBFS:.0f} are needed",
    ),
)


def fault(segment: Segment, min_snr_db: float = LEAST_SNR_DB) -> str | None:
    """Why it cannot be used; None if it can. `min_snr_db` is how far below the voice noise has to be."""
    broken = next((rule for rule in _RULES if rule.is_broken(segment, min_snr_db)), None)
    depth_db = min(LEAST_DEPTH_DB, min_snr_db)
    return None if broken is None else broken.sentence.format(it=segment, snr_db=min_snr_db, depth_db=depth_db)


def is_clear(segment: Segment, min_snr_db: float) -> bool:
    """Whether who speaks in it can be distinguished, whatever its length."""
    return not any(rule.is_broken(segment, min_snr_db) for rule in _RULES if rule is not _TOO_SHORT)
