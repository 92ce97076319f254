"""Where a recording is clipped: its peaks are flat, at full scale or at another ceiling.

Measured at the file's own rate, because resampling rounds flat peaks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio

_FULL = 0.99  # of full scale; a lossy codec changes clipped peaks a little
_FLAT = 0.9995  # of the recording's own peak: 16-bit rounding at -30 dBFS
_RUN = 3  # consecutive samples: a natural peak touches the ceiling once


def clipped_at(audio: Audio) -> npt.NDArray[np.float64]:
    """(n,) seconds: the start of each run of at least 3 samples at the ceiling."""
    starts, _ = _runs(audio)
    return starts / audio.sample_rate


def clipped_share(audio: Audio) -> float:
    """The share of the samples that are in such runs, 0 to 1."""
    starts, ends = _runs(audio)
    return float(np.sum(ends - starts)) / max(1, len(audio.samples))


def _runs(audio: Audio) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first and the last-plus-one sample of each run."""
    loud = np.abs(audio.samples)
    at_ceiling = (loud >= min(_FULL, _FLAT * float(loud.max(initial=0.0)))) & (loud > 0)
    edges = np.flatnonzero(np.diff(at_ceiling, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    are_runs = ends - starts >= _RUN
    return starts[are_runs], ends[are_runs]
