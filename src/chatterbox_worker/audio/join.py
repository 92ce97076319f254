"""Chunks of speech to one stretch: trimmed, level with each other, with pauses between and no click.

`Joiner` takes the pieces of the chunks in order and gives back what can be heard already. What comes out does not
depend on how a chunk was cut into pieces, so a stream and `join` of whole chunks are the same samples.

Per chunk: silence and noise before the first and after the last word go, but for a guard; every edge gets a 5 ms
raised-cosine fade; from the second on, one gain for the whole chunk brings its speech to the median of those before,
within 6 dB. The first chunk keeps its level and comes out as its pieces go in; a later one comes out at its end,
when its level is known.

A pause is what is heard: from the last frame of speech to the first of the next chunk. The guards are part of it, so
no pause is shorter than they are (0.15 s, less where a chunk had less around its words).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from chatterbox_worker.audio import trim
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.level import gain_towards, speech_level, true_peak

# Seconds at speed 1. Readers pause 0.20 to 0.98 s between sentences and 0.40 to 1.34 s between paragraphs when they
# read fast, 0.34 to 1.36 and 0.75 to 1.80 when slow (Kazlauskienė and Kalašinskaitė 2020, Respectus Philologicus 37):
# ours lie in the fast readers' lower half, as Chatterbox itself speaks fast. A clause's is just above the guards.
NO_PAUSE_S = 0.0
CLAUSE_PAUSE_S = 0.2
SENTENCE_PAUSE_S = 0.4
PARAGRAPH_PAUSE_S = 0.8

GUARD_BEFORE_S = 0.050  # an aspirated onset, and the first frames under the threshold
GUARD_AFTER_S = 0.100  # the fading end of a final fricative or of the room
_FADE_S = 0.005  # short enough to spare a plosive, long enough that no click is heard


@dataclass(frozen=True, slots=True)
class Span:
    """Where a chunk lies in what came out, in samples: start inclusive, end exclusive. Empty for a silent chunk."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    audio: Audio
    spans: tuple[Span, ...]
    """One for each chunk."""


class Joiner:
    """`add` the pieces of a chunk, `end_chunk`, the next chunk, and `finish` after the last. Not for several threads."""

    _samples: Samples
    """Of the current chunk, so far."""
    _start: int | None
    """Where its kept part begins in _samples, once known."""
    _heard: int
    """How far into _samples things came out."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._hop = round(trim.FRAME_S * sample_rate)
        self._fade = round(_FADE_S * sample_rate)
        self._spans: list[Span] = []
        self._levels: list[float] = []  # dBFS of the chunks that came out
        self._position = 0  # samples that came out
        self._pause = 0  # samples still to be heard before the next word
        self._begin_chunk()

    @property
    def spans(self) -> tuple[Span, ...]:
        """Of the chunks that have ended."""
        return tuple(self._spans)

    def add(self, piece: Audio) -> Audio:
        """The next piece of the current chunk goes in; what can be heard comes out, which may be nothing.

        Raises:
            ValueError: the piece has another sample rate.
        """
        if piece.sample_rate != self._rate:
            raise ValueError(f"cannot join a piece of {piece.sample_rate} Hz to speech of {self._rate} Hz")
        self._samples = np.concatenate([self._samples, piece.samples])
        if self._levels:  # there is a level to be brought to, so the whole chunk must be known
            return self._out([])
        levels = trim.frame_levels(self._samples, self._hop, complete=False)
        onset = trim.onset(levels, complete=False)
        if onset is None:
            return self._out([])
        # One frame is withheld: should the chunk end right here, its last 5 ms fade
        certain = (trim.certain_end(levels) - 1) * self._hop
        return self._out([*self._lead_in(onset), self._taken(certain, ends=False)])

    def end_chunk(self, pause_s: float) -> Audio:
        """The current chunk is whole, and `pause_s` seconds are to be heard after it; the rest of it comes out."""
        levels = trim.frame_levels(self._samples, self._hop, complete=True)
        if trim.is_silent(levels):
            self._spans.append(Span(self._position, self._position))
            self._pause = max(self._pause, round(pause_s * self._rate))
            self._begin_chunk()
            return self._out([])
        onset = trim.onset(levels, complete=True)
        assert onset is not None  # noqa: S101 - a promise of `onset` that its type cannot make
        last = min(trim.final_end(levels) * self._hop, len(self._samples))
        end = min(last + round(GUARD_AFTER_S * self._rate), len(self._samples))
        lead_in = self._lead_in(onset)
        self._bring_to_level(end)
        out = self._out([*lead_in, self._taken(end, ends=True)])
        self._spans.append(Span(self._chunk_start, self._position))
        self._pause = max(0, round(pause_s * self._rate) - (end - last))
        self._begin_chunk()
        return out

    def finish(self) -> Audio:
        """What is left of the pause after the last chunk."""
        rest, self._pause = self._pause, 0
        return self._out([np.zeros(rest, np.float32)])

    def _begin_chunk(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._start = None
        self._heard = 0
        self._chunk_start = self._position

    def _lead_in(self, onset: int) -> list[Samples]:
        """Fix where the chunk begins, once; gives what is left of the pause before it."""
        if self._start is not None:
            return []
        first = onset * self._hop
        self._start = self._heard = max(0, first - round(GUARD_BEFORE_S * self._rate))
        silence = np.zeros(max(0, self._pause - (first - self._start)), np.float32)
        self._pause = 0
        self._chunk_start = self._position + len(silence)
        return [silence]

    def _taken(self, end: int, *, ends: bool) -> Samples:
        """The samples up to `end` that have not come out yet, with the fades that fall among them."""
        start = self._start or 0
        begin, self._heard = self._heard, max(self._heard, end)
        taken = self._samples[begin : self._heard].copy()
        fade = min(self._fade, (self._heard - start) // 2) if ends else self._fade
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(1, fade))).astype(np.float32)
        rising = ramp[begin - start :][: len(taken)]
        taken[: len(rising)] *= rising
        if ends and fade:
            taken[-fade:] *= ramp[::-1]
        return taken

    def _bring_to_level(self, end: int) -> None:
        """One gain for the whole chunk where there are chunks to compare with; remembers the level that results."""
        kept = Audio(self._samples[self._start : end], self._rate)
        level = speech_level(kept)
        if level is None:
            return
        if self._levels:
            gain = gain_towards(statistics.median(self._levels), level, true_peak(kept))
            self._samples = self._samples * np.float32(10 ** (gain / 20))
            level += gain
        self._levels.append(level)

    def _out(self, parts: list[Samples]) -> Audio:
        out = np.concatenate([np.zeros(0, np.float32), *parts])
        self._position += len(out)
        return Audio(out, self._rate)


def join(chunks: Iterable[tuple[Audio, float]], sample_rate: int) -> Joined:
    """Whole chunks, each with the seconds of pause after it: what a `Joiner` makes of them."""
    joiner = Joiner(sample_rate)
    parts: list[Samples] = []
    for audio, pause_s in chunks:
        parts += [joiner.add(audio).samples, joiner.end_chunk(pause_s).samples]
    parts.append(joiner.finish().samples)
    return Joined(Audio(np.concatenate(parts), sample_rate), joiner.spans)
