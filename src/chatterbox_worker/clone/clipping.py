"""Where a recording is clipped: its peaks are flat, at full scale or at whatever ceiling the sound was pressed against.

Told at the file's own rate, because resampling rounds flat peaks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chatterbox_worker.audio.clip import Audio

_FULL = 0.99  # of full scale; a lossy codec spreads what was clipped around it
_FLAT = 0.9995  # of the recording's own peak: 16-bit rounding at -30 dBFS
_RUN = 3  # samples in a row: a natural peak touches the ceiling once


def clipped_at(audio: Audio) -> npt.NDArray[np.float64]:
    """(n,) seconds: where each run of at least 3 samples at the ceiling begins."""
    loud = np.abs(audio.samples)
    at_ceiling = (loud >= min(_FULL, _FLAT * float(loud.max(initial=0.0)))) & (loud > 0)
    edges = np.flatnonzero(np.diff(at_ceiling, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    return starts[ends - starts >= _RUN] / audio.sample_rate
