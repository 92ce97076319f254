"""Whether music plays between the words.

A note is a narrow peak of the spectrum that stays at its frequency (peaks that last as a sign of music: Hawley,
Structure out of sound, MIT, 1993). Noise and breath have no such peaks, and the voice's move. Mains hum has them at the
multiples of 50 and 60 Hz, a machine's whine at the same frequency all the time: neither counts.

Here: peaks 10 dB above their surroundings in windows of 0.13 s, which are still there 0.1 s later, two or more at once.
bench/RESULTS.md has what share of the windows has them, for readers alone, with music and with other sounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.activity import Flags, find_loud, measure_levels
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.audio.trim import FRAME_S, Levels

_RATE = 16_000  # Hertz
_SIZE, _HOP, _LATER = 2048, 512, 3  # samples of a window, between two, and windows until a peak is looked for again
_BLOCK = 256  # windows at once: 30 MB
_LOWEST_HZ, _HIGHEST_HZ = 200.0, 3000.0  # notes and their overtones
_QUIET_DB = 14.0  # below the voice: the weakest syllables are louder, and music may be louder than silence
_PAUSE, _GUARD = 30, 8  # frames: the shortest pause, and what the decay of the voice takes at both of its ends
_PEAK = 10.0  # times the median around: white noise is that high in 1 of 1000
_AROUND = 20  # bins of 8 Hz on either side
_SAME_HZ = 6.0  # between a peak and the same later
_MAINS_HZ, _NEAR_HZ, _NEAR_SHARE = (50.0, 60.0), 2.2, 0.0004  # the mains' frequency varies by less
_CONSTANT = 0.8  # of the windows: a peak in more of them is a machine's
_AUDIBLE_DB = 45.0  # below the voice
_NOTES = 2
_LOBE = 1.5  # of a tone's power to that of the highest bin of its peak (Hann window)

_Spectra = npt.NDArray[np.float64]
_Peaks = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PauseWindows:
    """The windows in the pauses of a recording."""

    at_s: npt.NDArray[np.float64]
    """(n,) seconds where each begins."""
    has_notes: npt.NDArray[np.bool_]
    """(n,): whether there are two notes or more, at most 45 dB below the voice."""


NO_WINDOWS = PauseWindows(np.zeros(0), np.zeros(0, np.bool_))


def find_notes(audio: Audio) -> PauseWindows:
    """Of `audio` without rumble; none if it has no speech or no pause of 0.3 s."""
    levels = measure_levels(audio)
    loud = find_loud(levels)
    if not loud.any():
        return NO_WINDOWS
    voice = float(np.mean(10 ** (levels[loud] / 10)))
    samples = resample(audio, _RATE).samples
    starts = [start for pause in _pauses(levels, loud, voice) for start in _blocks(samples, *pause)]
    if not starts:
        return NO_WINDOWS
    found = [_lasting(_power(samples, *each)) for each in starts]
    notes, power = np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])
    at_s = np.concatenate([(start + _HOP * np.arange(count)) / _RATE for start, count in starts])
    notes &= _widen(notes).mean(axis=0) <= _CONSTANT
    is_audible = _LOBE * np.where(notes, power, 0.0).sum(axis=1) > voice * 10 ** (-_AUDIBLE_DB / 10)
    return PauseWindows(at_s, (_count_apart(notes) >= _NOTES) & is_audible)


def _pauses(levels: Levels, loud: Flags, voice: float) -> Iterator[tuple[int, int]]:
    """The first and the last-plus-one frame of each, without the decay of the voice."""
    quiet = ~loud | (levels < 10 * np.log10(voice) - _QUIET_DB)
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start >= _PAUSE:
            yield start + _GUARD, end - _GUARD


def _blocks(samples: Samples, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The first sample and the number of the windows of a pause, given by its frames, that have another later."""
    frame = round(FRAME_S * _RATE)
    first, last = start * frame, min(end * frame, len(samples))
    count = (last - first - _SIZE) // _HOP + 1 - _LATER
    yield from ((first + at * _HOP, min(_BLOCK, count - at)) for at in range(0, count, _BLOCK))


def _power(samples: Samples, start: int, count: int) -> _Spectra:
    """Mean power of `count` windows and those that follow them, (count + 3, bins)."""
    part = samples[start : start + (count + _LATER - 1) * _HOP + _SIZE].astype(np.float64)
    shape = np.hanning(_SIZE)
    windows = np.lib.stride_tricks.sliding_window_view(part, _SIZE)[::_HOP] * shape
    power: _Spectra = np.square(np.abs(np.fft.rfft(windows))) * (2 / _SIZE / np.square(shape).sum())
    return power[:, _bins()]


def _bins() -> slice:
    width = _RATE / _SIZE
    return slice(round(_LOWEST_HZ / width), round(_HIGHEST_HZ / width))


def _lasting(power: _Spectra) -> tuple[_Peaks, _Spectra]:
    """Which bins are peaks of which one is there three windows later, and their power; both (windows - 3, bins)."""
    padded = np.pad(power, ((0, 0), (_AROUND, _AROUND)), "edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1, axis=1), axis=-1)
    peaks = power > _PEAK * around
    peaks[:, 1:-1] &= (power[:, 1:-1] >= power[:, :-2]) & (power[:, 1:-1] >= power[:, 2:])
    peaks[:, [0, -1]] = False
    hertz = _refine(power)
    peaks &= ~_is_mains(hertz)
    hertz = np.where(peaks, hertz, np.nan)
    same = [np.abs(hertz[:-_LATER] - np.roll(hertz[_LATER:], step, axis=1)) < _SAME_HZ for step in (-1, 0, 1)]
    return peaks[:-_LATER] & np.logical_or.reduce(same), power[:-_LATER]


def _refine(power: _Spectra) -> _Spectra:
    """The frequency of the peak at each bin, in Hertz: the top of a parabola through it and its neighbours in dB."""
    level = np.log(np.maximum(power, 1e-30))
    slope, bend = level[:, :-2] - level[:, 2:], level[:, :-2] - 2 * level[:, 1:-1] + level[:, 2:]
    off = np.zeros_like(level)
    np.divide(slope, 2 * bend, out=off[:, 1:-1], where=bend < 0)
    hertz: _Spectra = (np.arange(power.shape[1]) + _bins().start + off.clip(-0.5, 0.5)) * (_RATE / _SIZE)
    return hertz


def _is_mains(hertz: _Spectra) -> _Peaks:
    off = [np.abs(hertz - mains * np.round(hertz / mains)) for mains in _MAINS_HZ]
    near: _Peaks = np.minimum(*off) < _NEAR_HZ + _NEAR_SHARE * hertz
    return near


def _widen(peaks: _Peaks) -> _Peaks:
    """With the bins next to each."""
    wide = peaks.copy()
    wide[:, 1:] |= peaks[:, :-1]
    wide[:, :-1] |= peaks[:, 1:]
    return wide


def _count_apart(peaks: _Peaks) -> npt.NDArray[np.int64]:
    """Of each window, those at least three bins above the one before."""
    apart = peaks.copy()
    apart[:, 1:] &= ~peaks[:, :-1]
    apart[:, 2:] &= ~peaks[:, :-2]
    counts: npt.NDArray[np.int64] = np.count_nonzero(apart, axis=1)
    return counts
