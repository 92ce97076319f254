"""Which segments are good enough for a voice: a table of requirements with a message for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from chatterbox_worker.clone.segments import Segment
from chatterbox_worker.voices.clip import LEAST_DEPTH_DB, LEAST_VOICED

SHORTEST_S = 1.6
"""The voice encoder's window is 160 frames of 10 ms; a shorter segment would be mostly padding."""
TOO_BROKEN = "too short: no 0.8 s of it without a pause or a change of speaker"
LEAST_SNR_DB = 20.0
"""Between speech and silence; with less, the noise is audible in the cloned voice (the page gives the same advice)."""
GOOD_SNR_DB = 50.0
"""More is not audible."""
QUIETEST_DBFS = -50.0
"""Of a segment: 5 dB less than a recording's speech needs (`voices.clip`), as sentences differ by that much."""
REVERBERANT_S = 0.45
"""T60. The speech of eight readers near their microphones measures at most 0.41 s (single files up to 0.50 s), one of
two meetings 0.52 s; above this the embedding describes the room rather than the voice."""
_LEAST_SILENCE_S = 0.3  # a pause: less is closures and the ends of words, and their level is no noise's
MOST_CLIPPED = 2
"""A single clipped peak does no harm."""


@dataclass(frozen=True, slots=True)
class _Rule:
    is_broken: Callable[[Segment, float], bool]
    """Of a segment and the least distance of noise in dB that is asked for."""
    sentence: str
    """Formatted with the segment as `it`, what is too little of it rounded `down`, and that distance as `snr_db`."""


_TOO_SHORT = _Rule(
    lambda it, _: it.duration_s < SHORTEST_S,
    f"too short: {{duration_s}} s, at least {SHORTEST_S} s are needed",
)

_TOO_QUIET = _Rule(
    lambda it, _: it.level_dbfs < QUIETEST_DBFS,
    f"too quiet: {{level_dbfs}} dBFS, at least {QUIETEST_DBFS:.0f} are needed",
)
_NOISY = _Rule(
    lambda it, snr_db: it.snr_db < snr_db,
    "noisy: the noise is {own_db} dB below the voice, at least {snr_db:g} dB are needed (--min-snr)",
)
_CONSTANT = _Rule(
    lambda it, snr_db: it.depth_db < min(LEAST_DEPTH_DB, snr_db),
    "noisy: a constant sound is {own_depth_db} dB below the voice, at least {depth_db:g} dB are needed",
)
_BACKGROUND = (_NOISY, _CONSTANT)
_MOST_NOTES = 0.4
"""Of the windows in pauses: clean readers have at most 17 %, with other people behind them or in a room 43 %, and
chords, melodies and instruments 25 dB below them 42 % and more, except where the reader's own noise hides them."""
_MUSIC = "music: {notes} % of the pauses near it have notes, at most {most:.0f} % are accepted (--allow-music)"
_REVERBERANT = (
    "reverberant: the room rings for {room_s:.1f} s, and its echo is {own_db} dB below the voice, at least "
    "{snr_db:g} dB are needed (--min-snr)"
)
_DENSE = (
    "without a pause: only {it.silence_s:.1f} s near it are silent, and {own_db} dB below the voice, at least "
    "{snr_db:g} dB are needed (--min-snr)"
)

# The first broken rule is the reported reason.
_RULES = (
    _TOO_SHORT,
    _Rule(lambda it, _: it.clipped > MOST_CLIPPED, "clipped: in {it.clipped} places, it was recorded too loud"),
    _Rule(
        lambda it, _: it.voiced < LEAST_VOICED,
        "no voice: only {it.voiced:.0%} of it has the pitch of a voice; it is noise, breath or music",
    ),
    _NOISY,
    _CONSTANT,
    _TOO_QUIET,
)


def fault(
    segment: Segment,
    min_snr_db: float = LEAST_SNR_DB,
    reverberation_s: float | None = None,
    notes: float | None = None,
) -> str | None:
    """Why it cannot be used; None if it can.

    `min_snr_db` is how far below the voice noise has to be, `reverberation_s` how long the recording's room rings, and
    `notes` the share of the pauses with notes, None if that is not known or does not matter: what is between the words
    may be noise, music, the room's echo, or the words themselves, and is called what it is.
    """
    broken = next((rule for rule in _RULES if rule.is_broken(segment, min_snr_db)), None)
    if has_music(notes) and (broken is None or broken in _BACKGROUND):
        return _MUSIC.format(notes=math.ceil(100 * (notes or 0.0)), most=100 * _MOST_NOTES)
    if broken is None:
        return None
    if broken in _BACKGROUND and (reverberation_s or 0.0) > REVERBERANT_S:
        sentence = _REVERBERANT
    elif broken is _NOISY and segment.silence_s < _LEAST_SILENCE_S:
        sentence = _DENSE
    else:
        sentence = broken.sentence
    depth_db = min(LEAST_DEPTH_DB, min_snr_db)
    return sentence.format(
        it=segment,
        snr_db=min_snr_db,
        depth_db=depth_db,
        room_s=reverberation_s,
        duration_s=down(segment.duration_s, 1),
        level_dbfs=down(segment.level_dbfs),
        own_db=down(segment.snr_db),
        own_depth_db=down(segment.depth_db),
    )


def down(value: float, digits: int = 0) -> str:
    """What is below a limit as text, rounded down: to the nearest it could read as the limit itself."""
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}"


def has_music(notes: float | None) -> bool:
    """Whether such a share of the pauses with notes is music; not if it is not known."""
    return (notes or 0.0) > _MOST_NOTES


def is_clear(segment: Segment, min_snr_db: float) -> bool:
    """Whether who speaks in it can be distinguished, whatever its length and level."""
    return not any(rule.is_broken(segment, min_snr_db) for rule in _RULES if rule not in (_TOO_SHORT, _TOO_QUIET))
