"""Overlapping windows of speech with the voice encoder's embedding of each: what speakers are distinguished by.

A window never crosses a silence of 0.3 s, so that turns with a pause between them are embedded separately.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.audio.resample import resample
from chatterbox_worker.clone.recordings import SourceRecording

WINDOW_S = 1.6
"""The voice encoder's own window, 160 frames of 10 ms."""
STEP_S = 0.4
"""Between windows: two turns of 1.5 s have a window that is at least seven eighths one person's."""
_LEAST_S = 0.8  # of a stretch, repeated to fill a window; half a window of speech is enough to recognise a voice
_RATE = 16_000  # Hertz, the encoder's


class Encoder(Protocol):
    """The network that distinguishes speakers."""

    @property
    def made_by(self) -> str:
        """SHA-256 (hex) of its weights."""

    @property
    def name(self) -> str:
        """Its file and origin, for people to read."""

    def windows(self, speech: Samples) -> Samples:
        """Embeddings (n, 256) float32, of length 1, of windows of 1.6 s at 16 kHz (n, 25600) at any level."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    file: str
    start_s: float
    end_s: float
    """At most 1.6 s later; less if it is all that there is between two silences."""
    share_s: float
    """The seconds of its stretch that it stands for; those of all windows are the speech without its silences."""
    embedding: Samples
    """(256,), of length 1."""

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2


def embed_windows(
    encoder: Encoder, recording: SourceRecording, stretches: Sequence[tuple[float, float]]
) -> list[Window]:
    """The windows of the stretches, given by start and end in seconds; none of those shorter than 0.8 s."""
    found = [(stretch, _spans(*stretch)) for stretch in stretches]
    spans = [span for _, each in found for span in each]
    shares = [(end_s - start_s) / len(each) for (start_s, end_s), each in found for _ in each]
    if not spans:
        return []
    speech, size = resample(recording.audio, _RATE).samples, round(WINDOW_S * _RATE)
    parts = [speech[round(start_s * _RATE) : round(end_s * _RATE)][:size] for start_s, end_s in spans]
    embeddings = np.nan_to_num(encoder.windows(np.stack([np.resize(part, size) for part in parts])))
    return [
        Window(recording.name, *span, share_s, embedding)
        for span, share_s, embedding in zip(spans, shares, embeddings, strict=True)
    ]


def _spans(start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Evenly from the first to the last, at most `STEP_S` apart."""
    rest_s = end_s - start_s - WINDOW_S
    if rest_s <= 0:
        return [(start_s, end_s)] if end_s - start_s >= _LEAST_S else []
    starts = np.linspace(start_s, start_s + rest_s, 1 + math.ceil(rest_s / STEP_S))
    return [(float(at_s), float(at_s) + WINDOW_S) for at_s in starts]
