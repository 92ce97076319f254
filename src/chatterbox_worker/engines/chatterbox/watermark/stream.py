"""The watermark for sound that comes in pieces.

A piece is marked in a window with context before and after it, and windows begin on the mark's own frames. So the
result is that of marking the whole, except for the effect of the limited context. Each piece is crossfaded with the
next over samples that both windows have marked.

The mark also depends on the loudest frame of the clip: frames below a twentieth of its level, on a scale of decibels
above -180 dBFS, carry none. Here the clip is the window. Within speech no frame is that quiet, so this makes a
difference for digital silence only.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chatterbox_worker.audio.clip import Audio, Samples

_FRAME_S = 0.010  # perth's hop, 320 samples at 32 kHz
_CONTEXT_S = 0.180
"""On each side. The network's receptive field is 0.15 s and a frame is 0.064 s, but both are weak at their ends."""
_FADE_S = 0.005


class Marker(Protocol):
    """An embedder of the watermark."""

    def mark(self, audio: Audio) -> Audio:
        """`audio` with the mark: the same length and rate."""


class StreamMark:
    """One utterance's mark: `push` its pieces in order. The output lags by the context until the last piece."""

    def __init__(self, marker: Marker, sample_rate: int) -> None:
        self._marker, self._rate = marker, sample_rate
        self._frame = round(_FRAME_S * sample_rate)
        self._context = round(_CONTEXT_S * sample_rate)
        self._unmarked = np.zeros(0, np.float32)  # from `_base` on
        self._base = 0  # samples before `_unmarked`, whole frames
        self._emitted = 0  # samples returned so far
        self._overlap = np.zeros(0, np.float32)  # the samples after `_emitted` as marked in the last window

    def push(self, samples: Samples, *, last: bool) -> Samples:
        """Take the next piece (n,) and return what is marked by now, with `last` all that remains.

        Changes nothing if it raises.
        """
        unmarked = np.concatenate([self._unmarked, samples])
        end = self._base + len(unmarked)
        limit = end if last else (end - self._context) // self._frame * self._frame
        if limit <= self._emitted:
            self._unmarked = unmarked
            return np.zeros(0, np.float32)
        marked = self._marker.mark(Audio(unmarked, self._rate)).samples[self._emitted - self._base :]
        piece = marked[: limit - self._emitted].copy()
        overlap = self._overlap[: len(piece)]
        fade = (np.arange(len(overlap), dtype=np.float32) + 0.5) / max(1, len(overlap))
        piece[: len(overlap)] = overlap * (1 - fade) + piece[: len(overlap)] * fade
        self._overlap = marked[limit - self._emitted :][: round(_FADE_S * self._rate)].copy()
        self._emitted = limit
        base = max(0, (limit - self._context) // self._frame * self._frame)  # no later window reaches further back
        self._unmarked, self._base = unmarked[base - self._base :].copy(), base
        return piece
