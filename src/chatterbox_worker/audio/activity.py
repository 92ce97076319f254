"""Which parts of a recording are sound and which are silence, from the levels of 10 ms frames.

Everything is relative to the recording's own noise and its own voice, so a quiet recording is cut like a loud one.
`trim` does the same for generated speech, which arrives in pieces and is free of noise.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.trim import FRAME_S, Levels, frame_levels

SILENT_DBFS = -90.0
"""Represents digital silence and levels below those of any 16-bit recording."""
_PAUSE = 30  # frames: a silence of 0.3 s is a place to cut; closures of plosives are shorter than 0.15 s
_CLICK = 8  # frames: anything shorter is not a syllable
_ABOVE_NOISE_DB = 8.0  # room noise of 10 ms frames varies by a few dB
_BELOW_VOICE_DB = 35.0  # the weakest fricatives that matter
_NEAREST_DB = 8.0  # below the voice, however much noise there is
_MARGIN = 10  # frames left before the first and after the last sound: soft onsets and releases
_BLOCK = 3_000  # frames measured at once: 30 s, in doubles 12 MB at 48 kHz

Flags = npt.NDArray[np.bool_]


def measure_levels(audio: Audio) -> Levels:
    """The dBFS of each 10 ms frame, at least `SILENT_DBFS`."""
    hop = round(FRAME_S * audio.sample_rate)
    blocks = (audio.samples[start : start + _BLOCK * hop] for start in range(0, len(audio.samples), _BLOCK * hop))
    levels: Levels = np.concatenate([frame_levels(block, hop, complete=True) for block in blocks])
    return levels.clip(SILENT_DBFS)


def find_loud(levels: Levels) -> Flags:
    """Which frames are not silent."""
    noise = np.percentile(levels, 10)
    distinct = levels[levels > max(noise + _ABOVE_NOISE_DB, SILENT_DBFS)]  # a few seconds of voice in a minute, too
    voice = np.percentile(distinct if len(distinct) else levels, 95)
    threshold = np.clip(noise + _ABOVE_NOISE_DB, voice - _BELOW_VOICE_DB, voice - _NEAREST_DB)
    loud: Flags = levels > max(float(threshold), SILENT_DBFS)
    return loud


def find_stretches(loud: Flags) -> list[tuple[int, int]]:
    """The first and the last-plus-one frame of each stretch between two pauses, without clicks."""
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if found and start - found[-1][1] < _PAUSE:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= _CLICK]


def trim_silence(audio: Audio) -> Audio:
    """The recording from 0.1 s before its first sound to 0.1 s after its last; an end with less than a pause stays.

    Unchanged if there is no silence to compare with, or nothing longer than a click.
    """
    levels = measure_levels(audio)
    stretches = find_stretches(find_loud(levels))
    if not stretches:
        return audio
    first, last = stretches[0][0], stretches[-1][1]
    hop = round(FRAME_S * audio.sample_rate)
    start = (first - _MARGIN) * hop if first >= _PAUSE else 0
    end = (last + _MARGIN) * hop if len(levels) - last >= _PAUSE else len(audio.samples)
    return audio if end - start == len(audio.samples) else Audio(audio.samples[start:end].copy(), audio.sample_rate)
