"""Cuts recordings at their silences and measures each stretch of speech. The quality limits are in `quality`.

Everything is derived from the levels of 10 ms frames, relative to the recording's own noise and its own voice, so a
quiet recording is cut like a loud one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.level import speech_level
from chatterbox_worker.audio.trim import FRAME_S, Levels, frame_levels
from chatterbox_worker.clone.recordings import SourceRecording

SILENT_DBFS = -90.0
"""Represents digital silence and levels below those of any 16-bit recording."""
_PAUSE = 30  # frames: a silence of 0.3 s is a place to cut; closures of plosives are shorter than 0.15 s
_CLICK = 8  # frames: anything shorter is not a syllable
_SHORT = 200  # frames: one or two words, joined to a neighbour
_NEAR = 80  # frames: the longest distance to that neighbour
_LONG = 1200  # frames: longer stretches are cut at their quietest place
_LULL = 10  # frames: the length of that quietest place
_MARGIN = 6  # frames of silence kept around a stretch, for soft onsets and releases
_ABOVE_NOISE_DB = 8.0  # room noise of 10 ms frames varies by a few dB
_BELOW_VOICE_DB = 35.0  # the weakest fricatives that matter
_NEAREST_DB = 8.0  # below the voice, however much noise there is
_AROUND = 200  # frames on either side in which the noise is measured
_FEW = 5  # frames: fewer are not enough to measure the noise
_WINDOW_S, _HOP_S = 0.04, 0.02  # a window contains two periods of the lowest voice
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 400.0  # the pitch of speaking voices
_PERIODIC = 0.5  # of the autocorrelation: a usual threshold for voicing


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one recording between two silences."""

    file: str
    start_s: float
    end_s: float
    level_dbfs: float
    """RMS of its speech."""
    snr_db: float
    """How far the noise in the silences around it is below its speech."""
    depth_db: float
    """How far its quietest moments are below its speech: speech has gaps between syllables, steady noise has none."""
    voiced: float
    """The fraction of its sound that has a pitch, 0 to 1."""
    clipped: int
    """How often it is clipped."""

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


def split(recording: SourceRecording) -> list[Segment]:
    """Every stretch of sound that is not a click, in order; empty if there is none."""
    levels = np.maximum(
        frame_levels(recording.audio.samples, round(FRAME_S * recording.audio.sample_rate), complete=True), SILENT_DBFS
    )
    loud = _loud(levels)
    stretches = [part for whole in _join_short(_stretches(loud)) for part in _cut(levels, *whole)]
    return [_measure(recording, levels, loud, *each) for each in _with_margins(stretches, len(levels))]


def _loud(levels: Levels) -> npt.NDArray[np.bool_]:
    """Which frames are not silent."""
    noise, voice = np.percentile(levels, 10), np.percentile(levels, 95)
    threshold = np.clip(noise + _ABOVE_NOISE_DB, voice - _BELOW_VOICE_DB, voice - _NEAREST_DB)
    loud: npt.NDArray[np.bool_] = levels > max(float(threshold), SILENT_DBFS)
    return loud


def _stretches(loud: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The first and the last-plus-one frame of each stretch between two pauses, without clicks."""
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False))
    found: list[tuple[int, int]] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if found and start - found[-1][1] < _PAUSE:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= _CLICK]


def _join_short(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches, with each short one joined to a near neighbour."""
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        is_near = bool(joined) and start - joined[-1][1] <= _NEAR
        if is_near and min(end - start, joined[-1][1] - joined[-1][0]) < _SHORT:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _cut(levels: Levels, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The stretch in parts that are not too long, cut at its quietest places."""
    if end - start <= _LONG:
        yield start, end
        return
    third = (end - start) // 3
    lulls = np.convolve(levels[start + third : end - third], np.ones(_LULL) / _LULL, "valid")
    middle = start + third + int(np.argmin(lulls)) + _LULL // 2
    yield from _cut(levels, start, middle)
    yield from _cut(levels, middle, end)


def _with_margins(stretches: list[tuple[int, int]], count: int) -> Iterator[tuple[int, int]]:
    """The stretches with some of the silence around them, without overlap."""
    for index, (start, end) in enumerate(stretches):
        before = stretches[index - 1][1] if index else 0
        after = stretches[index + 1][0] if index + 1 < len(stretches) else count
        yield max(start - _MARGIN, (before + start + 1) // 2), min(end + _MARGIN, (end + after) // 2)


def _measure(recording: SourceRecording, levels: Levels, loud: npt.NDArray[np.bool_], start: int, end: int) -> Segment:
    audio, inside = recording.audio, levels[start:end]
    hop = round(FRAME_S * audio.sample_rate)
    samples = audio.samples[start * hop : end * hop]
    speech_dbfs = speech_level(Audio(samples, audio.sample_rate))
    level = float(np.percentile(inside, 95)) if speech_dbfs is None else speech_dbfs
    start_s, end_s = start * FRAME_S, min(end * FRAME_S, audio.duration_s)
    return Segment(
        recording.name,
        start_s,
        end_s,
        level_dbfs=level,
        snr_db=level - _noise(levels, loud, start, end),
        depth_db=level - float(np.percentile(inside, 5)),
        voiced=_voiced_fraction(Audio(samples, audio.sample_rate)),
        clipped=int(np.count_nonzero((recording.clipped_s >= start_s) & (recording.clipped_s < end_s))),
    )


def _noise(levels: Levels, loud: npt.NDArray[np.bool_], start: int, end: int) -> float:
    """The usual level of the silences near a stretch, or of those in the whole recording if there are none near."""
    near = slice(max(0, start - _AROUND), end + _AROUND)
    quiet = levels[near][~loud[near]]
    if len(quiet) < _FEW:
        quiet = levels[~loud]
    return float(np.median(quiet)) if len(quiet) >= _FEW else float(np.min(levels))


def _voiced_fraction(audio: Audio) -> float:
    """The fraction of the windows within 30 dB of the loudest that are periodic at a voice's pitch."""
    size, hop = round(_WINDOW_S * audio.sample_rate), round(_HOP_S * audio.sample_rate)
    if len(audio.samples) < size:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(audio.samples, size)[::hop].astype(np.float64)
    power = np.square(windows).mean(axis=1)
    windows = windows[power > power.max() * 1e-3]
    spectrum = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True), 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :size] * (size / np.arange(size, 0, -1))  # unbiased
    lags = slice(round(audio.sample_rate / _HIGHEST_HZ), round(audio.sample_rate / _LOWEST_HZ))
    repeats = correlation[:, lags].max(axis=1) / np.maximum(correlation[:, 0], 1e-12)
    return float(np.mean(repeats > _PERIODIC)) if len(repeats) else 0.0
