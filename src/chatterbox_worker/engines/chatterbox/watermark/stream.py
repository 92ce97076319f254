"""The watermark for sound that comes in pieces.

A piece is marked in a window that reaches back into what was heard before it and ahead into what is not heard yet, and
windows begin on the mark's own frames, so that what comes out is what marking the whole would have given, but for what
the context cuts off. Each piece fades into the next over samples that both windows have marked.

The mark also depends on the loudest frame of the clip (frames of less than a twentieth of its level, on a scale of decibels
above -180 dBFS, carry none). Here the clip is the window; speech is never that quiet beside speech, so only digital
silence could tell.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chatterbox_worker.audio.clip import Audio, Samples

_FRAME_S = 0.010  # perth's hop, 320 samples at 32 kHz
_CONTEXT_S = 0.180
"""On each side. The network's field is 0.15 s and a frame's 0.064 s, but both are weak at their ends."""
_FADE_S = 0.005


class Marker(Protocol):
    """Whatever puts the watermark in."""

    def mark(self, audio: Audio) -> Audio:
        """As long as `audio`, at the same rate."""


class StreamMark:
    """One utterance's mark: `push` its pieces in order. What comes out lags by the context until the last piece."""

    def __init__(self, marker: Marker, sample_rate: int) -> None:
        self._marker, self._rate = marker, sample_rate
        self._frame = round(_FRAME_S * sample_rate)
        self._context = round(_CONTEXT_S * sample_rate)
        self._heard = np.zeros(0, np.float32)  # unmarked, from `_base` on
        self._base = 0  # samples before `_heard`, whole frames
        self._done = 0  # samples that came out
        self._seam = np.zeros(0, np.float32)  # what the last window made of the samples after `_done`

    def push(self, samples: Samples, *, last: bool) -> Samples:
        """The next piece (n,) goes in; what is marked comes out, with `last` all the rest. Changes nothing if it raises."""
        heard = np.concatenate([self._heard, samples])
        end = self._base + len(heard)
        limit = end if last else (end - self._context) // self._frame * self._frame
        if limit <= self._done:
            self._heard = heard
            return np.zeros(0, np.float32)
        marked = self._marker.mark(Audio(heard, self._rate)).samples[self._done - self._base :]
        piece = marked[: limit - self._done].copy()
        seam = self._seam[: len(piece)]
        fade = (np.arange(len(seam), dtype=np.float32) + 0.5) / max(1, len(seam))
        piece[: len(seam)] = seam * (1 - fade) + piece[: len(seam)] * fade
        self._seam = marked[limit - self._done :][: round(_FADE_S * self._rate)].copy()
        self._done = limit
        base = max(0, (limit - self._context) // self._frame * self._frame)  # no later window reaches further back
        self._heard, self._base = heard[base - self._base :].copy(), base
        return piece
