"""The clip of a voice as the models condition on it, whichever way the recording came in.

The models take the beginning of a clip (the first 6 to 15 s), so silence there would become the voice. What is left
without it decides whether the clip is long enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio.activity import measure_levels, trim_silence
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.clipping import clipped_share
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.rumble import without_rumble
from chatterbox_worker.audio.voicing import voiced_fraction
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.errors import InvalidRequest, choices
from chatterbox_worker.voices.reference import MAX_DURATION_S, MIN_DURATION_S

QUIETEST_DBFS = -45.0
"""Of speech: the noise of 16 bits and of cheap converters is about 40 dB below that."""
LEAST_DEPTH_DB = 14.0
"""Between speech and its own quietest moments; white noise 10 dB below speech leaves 11."""
LEAST_VOICED = 0.2
"""Of the sound; in running speech more than half has a pitch, in noise nothing."""
_MOST_CLIPPED = 0.01  # of the samples
_USED_S = 15.0  # of a clip, by the model that uses most


def decode_clip(data: bytes, *, field: str) -> Audio:
    """A recording without the silence at its ends: mono, at most 48 kHz.

    Raises:
        InvalidRequest: names `field`; not a recording, longer than 300 s, or shorter than any model can use.
    """
    return trim_clip(decode(data, field=field, max_s=MAX_DURATION_S), field=field)


def trim_clip(clip: Audio, *, field: str) -> Audio:
    """The same for a recording that is decoded already."""
    trimmed = trim_silence(clip)
    if trimmed.duration_s < MIN_DURATION_S:
        silence = "" if trimmed is clip else f" besides {clip.duration_s - trimmed.duration_s:.1f} s of silence"
        raise InvalidRequest(
            f"{field} lasts {trimmed.duration_s:.2f} s{silence}; every model needs at least {MIN_DURATION_S:g} s, and "
            "10 s are best",
            field=field,
        )
    return trimmed


@dataclass(frozen=True, slots=True)
class _Measures:
    level_dbfs: float
    depth_db: float
    voiced: float
    clipped: float


_WARNINGS: Mapping[str, Callable[[_Measures], bool]] = {
    "the voice is very quiet, {it.level_dbfs:.0f} dBFS: record it louder or nearer": (
        lambda it: it.level_dbfs < QUIETEST_DBFS
    ),
    "{it.clipped:.0%} of it is clipped: it was recorded too loud, and the voice will sound distorted": (
        lambda it: it.clipped > _MOST_CLIPPED
    ),
    "it is mostly noise, breath or music: only {it.voiced:.0%} of it has the pitch of a voice, and the voice will be "
    "noisy": lambda it: it.voiced < LEAST_VOICED,
    "a constant noise is only {it.depth_db:.0f} dB below the voice, and the voice will be noisy": (
        lambda it: it.voiced >= LEAST_VOICED and it.depth_db < LEAST_DEPTH_DB
    ),
}


def warnings_about(clip: Audio) -> list[str]:
    """Warnings for the caller who saves this clip: which models refuse it, and what will make the voice worse."""
    measures = _measure(Audio(clip.samples[: round(_USED_S * clip.sample_rate)], clip.sample_rate))
    found = [sentence.format(it=measures) for sentence, applies in _WARNINGS.items() if applies(measures)]
    strict = [card for card in MODELS.values() if card.clones_voices and clip.duration_s <= card.reference_min_s]
    if strict:
        names, least_s = choices(card.name for card in strict), max(card.reference_min_s for card in strict)
        found.append(
            f"it cannot be used with {names}, which need more than {least_s:g} s; it lasts {clip.duration_s:.1f}"
        )
    return found


def _measure(clip: Audio) -> _Measures:
    filtered = without_rumble(clip)
    levels = measure_levels(filtered)
    speech_dbfs = speech_level(filtered)
    level = float(np.percentile(levels, 95)) if speech_dbfs is None else speech_dbfs
    return _Measures(level, level - float(np.percentile(levels, 5)), voiced_fraction(clip), clipped_share(clip))
