"""Joins chunks of speech: trimmed, at the same level, with pauses between them and without clicks.

`Joiner` takes the pieces of the chunks in order and returns the samples that are already final. The output does not
depend on how a chunk was cut into pieces, so a stream and `join` of whole chunks give the same samples.

Per chunk: silence and noise before the first and after the last word are removed, except for a guard; every edge gets a
5 ms raised-cosine fade; then `leveling` brings the chunk to the loudness of the others, by one gain for all of it. Only
a live stream returns its first chunk as its pieces arrive; any other is returned when its level is known.

A pause is measured from the last frame of speech to the first of the next chunk. The guards are part of it, so no pause
is shorter than they are (0.15 s, or less if a chunk had less around its words), unless it is exact: then they are
shortened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from chatterbox_worker.audio import trim
from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.audio.leveling import Leveler, Sound

# Seconds at speed 1. Readers pause 0.20 to 0.98 s between sentences and 0.40 to 1.34 s between paragraphs when they
# read fast, 0.34 to 1.36 and 0.75 to 1.80 when slow (Kazlauskienė and Kalašinskaitė 2020, Respectus Philologicus 37).
# These are in the fast readers' lower half, as Chatterbox itself speaks fast. A clause's is just above the guards.
NO_PAUSE_S = 0.0
CLAUSE_PAUSE_S = 0.2
LINE_PAUSE_S = 0.3  # of a list or a verse: between a clause's and a sentence's
SENTENCE_PAUSE_S = 0.4
PARAGRAPH_PAUSE_S = 0.8

GUARD_BEFORE_S = 0.050  # an aspirated onset, and the first frames under the threshold
GUARD_AFTER_S = 0.100  # the decay of a final fricative or of the room's reverberation
_NOTHING: Samples = np.zeros(0, np.float32)
_FADE_S = 0.005  # short enough to preserve a plosive, long enough to avoid a click


@dataclass(frozen=True, slots=True)
class Span:
    """The position of a chunk in the output, in samples: start inclusive, end exclusive. Empty for a silent chunk."""

    start: int
    end: int
    removed: int = field(default=0, compare=False)
    """How many samples of the chunk were removed before its first."""


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    audio: Audio
    spans: tuple[Span, ...]
    """One per chunk."""


class Joiner:
    """`add` the pieces of a chunk, then `end_chunk`; after the last chunk `finish`. Not thread-safe."""

    _samples: Samples
    """Of the current chunk, so far."""
    _start: int | None
    """Where the retained part begins in _samples, once known."""
    _emitted: int
    """How many of _samples were returned already, the removed start included."""

    def __init__(
        self, sample_rate: int, lead_s: float = 0.0, sound: Sound | None = None, *, live: bool = False
    ) -> None:
        """`lead_s`: exact silence before the first word, in seconds. `live`: the first chunk is returned at once."""
        self._rate = sample_rate
        self._hop = round(trim.FRAME_S * sample_rate)
        self._fade = round(_FADE_S * sample_rate)
        self._spans: list[Span] = []
        self._trim = (sound or Sound()).trim
        self._leveler = Leveler(sample_rate, sound or Sound(), live=live)
        self._position = 0  # samples joined so far, those that the leveler holds back included
        self._pause = round(lead_s * sample_rate)  # samples of silence still due before the next word
        self._exact = lead_s > 0  # whether no guard may make that pause longer
        self._begin_chunk()

    @property
    def joined_s(self) -> float:
        """Seconds of audio so far, returned or held back."""
        return self._position / self._rate

    @property
    def missed_lu(self) -> float:
        """How far the chunk that is farthest from the target is from it; 0 if all are close."""
        return self._leveler.missed_lu

    @property
    def spans(self) -> tuple[Span, ...]:
        """Of the chunks that have ended."""
        return tuple(self._spans)

    def add(self, piece: Audio) -> Audio:
        """Take the next piece of the current chunk; return the samples that are now final, possibly none.

        Raises:
            ValueError: the piece has another sample rate.
        """
        if piece.sample_rate != self._rate:
            raise ValueError(f"cannot join a piece of {piece.sample_rate} Hz to speech of {self._rate} Hz")
        self._samples = np.concatenate([self._samples, piece.samples])
        if not self._leveler.passes:
            return self._output([])
        levels = trim.frame_levels(self._samples, self._hop, complete=False)
        onset = trim.onset(levels, complete=False)
        if onset is None:
            return self._output([])
        # One frame is withheld: if the chunk ends here, its last 5 ms are faded
        certain = (trim.certain_end(levels) - 1) * self._hop
        return self._output(self._place([*self._lead_in(onset), self._take(certain, ends=False)]))

    def end_chunk(self, pause_s: float, *, exact: bool = False) -> Audio:
        """Finish the current chunk, with `pause_s` seconds of pause after it; return the remainder of it.

        `exact`: a pause that was asked for in seconds; the pauses around a silent chunk then add up.
        """
        pause = round(pause_s * self._rate)
        levels = trim.frame_levels(self._samples, self._hop, complete=True)
        if trim.is_silent(levels):
            self._spans.append(Span(self._position, self._position))
            self._pause = self._pause + pause if exact else max(self._pause, pause)
            self._begin_chunk()
            return self._output([])
        onset = trim.onset(levels, complete=True)
        assert onset is not None  # noqa: S101 - guaranteed for a complete chunk, which the type cannot express
        last = min(trim.final_end(levels) * self._hop, len(self._samples))
        guard = round(GUARD_AFTER_S * self._rate)
        end = min(last + (min(guard, pause) if exact else guard), len(self._samples))
        end = len(self._samples) if self._trim == "none" else end
        rest = max(0, pause - (end - last))
        output = self._end_at(end, self._lead_in(onset), rest)
        self._spans.append(Span(self._chunk_start, self._position, self._start or 0))
        self._pause, self._exact = rest, exact
        self._begin_chunk()
        return output

    def _end_at(self, end: int, lead_in: list[Samples], rest: int) -> Audio:
        """Join the chunk up to `end`, which `rest` samples of silence follow; return what is final."""
        taken = self._take(end, ends=True)
        if self._leveler.passes:
            output = self._output(self._place([*lead_in, taken]))
            self._leveler.pass_by(self._samples[self._start : end])
            return output
        if self._trim == "inner":
            taken = trim.shorten_silences(taken, self._rate)
        self._place([*lead_in, taken])
        return self._output(self._leveler.add(np.concatenate([_NOTHING, *lead_in]), taken, rest))

    def release(self) -> Audio:
        """The chunks that are held back until their level is known, for a text that ends early."""
        return self._output(self._leveler.flush())

    def finish(self) -> Audio:
        """The remainder of the pause after the last chunk."""
        pause, self._pause = self._pause, 0
        return self._output([*self._leveler.flush(), *self._place([np.zeros(pause, np.float32)])])

    def _begin_chunk(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._start = None
        self._emitted = 0
        self._chunk_start = self._position

    def _lead_in(self, onset: int) -> list[Samples]:
        """Set where the chunk begins, once; return the remainder of the pause before it."""
        if self._start is not None:
            return []
        first = onset * self._hop
        guard = round(GUARD_BEFORE_S * self._rate)
        guard = first if self._trim == "none" else min(guard, self._pause) if self._exact else guard
        self._start = self._emitted = max(0, first - guard)
        silence = np.zeros(max(0, self._pause - (first - self._start)), np.float32)
        self._pause = 0
        self._chunk_start = self._position + len(silence)
        return [silence]

    def _take(self, end: int, *, ends: bool) -> Samples:
        """The samples up to `end` that were not returned yet, with the fades that fall within them."""
        start = self._start or 0
        begin, self._emitted = self._emitted, max(self._emitted, end)
        taken = self._samples[begin : self._emitted].copy()
        fade = min(self._fade, (self._emitted - start) // 2) if ends else self._fade
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(1, fade))).astype(np.float32)
        rising = ramp[begin - start :][: len(taken)]
        taken[: len(rising)] *= rising
        if ends and fade:
            taken[-fade:] *= ramp[::-1]
        return taken

    def _place(self, parts: list[Samples]) -> list[Samples]:
        self._position += sum(map(len, parts))
        return parts

    def _output(self, parts: list[Samples]) -> Audio:
        return Audio(np.concatenate([_NOTHING, *parts]), self._rate)


def join(chunks: Iterable[tuple[Audio, float]], sample_rate: int, sound: Sound | None = None) -> Joined:
    """Join whole chunks with a `Joiner`; each comes with the seconds of pause after it."""
    joiner = Joiner(sample_rate, sound=sound)
    parts: list[Samples] = []
    for audio, pause_s in chunks:
        parts += [joiner.add(audio).samples, joiner.end_chunk(pause_s).samples]
    parts.append(joiner.finish().samples)
    return Joined(Audio(np.concatenate(parts), sample_rate), joiner.spans)
