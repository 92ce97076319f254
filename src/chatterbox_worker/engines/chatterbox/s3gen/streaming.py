"""Sound while T3 is still generating: the method of CosyVoice 2, whose flow and vocoder these are.

A stream is rendered in hops. Each hop solves the flow for all tokens so far, the last three of them as look-ahead
only, with noise that belongs to the frame and not to the hop, so that the mel that was already played hardly changes.
The whole prefix is solved every time: with a reference of 10 s before it, bounding the left context would save a third
at most for chunks of 20 s, and change the sound. The vocoder continues from eight frames of mel and their source,
holds back eight frames whose right context is not known yet, and fades from them to the next hop's version of them.

CosyVoice vocodes the frames held back without left context, starts a new phase after the cached source and fades over
all eight. Here the eight frames of mel precede the frames held back, the source continues in phase, and the fade takes
three frames, those that the missing right context has hardly changed: for the same mel the result is the offline one
within 3e-4, and within 0.02 in the fades and four frames before them, where a fade over eight frames is off by 0.16
(measured on random weights). Its halves sum to one; CosyVoice's Hamming halves do not (1.08).

The sound depends only on the tokens and the seed, never on when the tokens came. In one hop it is the result of the
offline path with the same noise. Attention is not causal and the model was trained on whole utterances, so in several
hops it is another rendering of the same tokens: equally long, and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import LOOKAHEAD_TOKENS
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLE_RATE, SAMPLES_PER_FRAME, Vocoder

HOPS = (12, 12, 25, 50, 100)
"""Tokens per hop; the last repeats. The first two are half a second each: a reader needs 0.4 s of speech to start."""

HOPS_ON_CPU = (24, 100)
"""Fewer hops, because each solves the whole prefix, which is slow on a CPU: with full-size nano on 2 cores, `HOPS` took
2.4 times as long as the offline path for 5 s of sound.
"""

_BLOCK_HOPS, _BLOCK_HOPS_ON_CPU = (13, 16, 32, 48, 96), (29, 96)
"""The same for a T3 that decodes in blocks of 16: a hop and its look-ahead end with a block, so none waits for the rest
of the next one.
"""

_CONTEXT = 8  # frames on either side of a seam; those farther away change the sound by 0.001 of its peak (measured)
_PITCH_REACH = 5  # frames: five convolutions of width 3
_FADE = 3 * SAMPLES_PER_FRAME  # 60 ms
_SHORTEST_HOP = 6  # tokens: 12 frames less the 8 held back and one of the prompt's; the first 2 are faded in at once


def next_hop(done: int, hops: tuple[int, ...]) -> int:
    """The first end of a hop beyond `done` tokens."""
    end, index = 0, 0
    while end <= done:
        end += hops[min(index, len(hops) - 1)]
        index += 1
    return end


def hops_of(*, blocks: bool, on_gpu: bool) -> tuple[int, ...]:
    """The tokens per hop of a T3 that decodes in `blocks` or token by token."""
    if blocks:
        return _BLOCK_HOPS if on_gpu else _BLOCK_HOPS_ON_CPU
    return HOPS if on_gpu else HOPS_ON_CPU


class HopClock:
    """When a stream's next hop is due."""

    def __init__(self, hops: tuple[int, ...] = HOPS) -> None:
        """`hops` as in `HOPS`. Raises ValueError if the first is shorter than the fade-in needs."""
        if hops[0] < _SHORTEST_HOP:
            raise ValueError(f"the first hop has {hops[0]} tokens; it needs at least {_SHORTEST_HOP}")
        self._hops = hops
        self._end = next_hop(0, hops)

    def is_due(self, codes: int) -> bool:
        """Whether this many codes are enough for the next hop; True once per hop."""
        if codes < self._end + LOOKAHEAD_TOKENS:
            return False
        self._end = next_hop(self._end, self._hops)
        return True


@dataclass(frozen=True, slots=True, eq=False)
class HopInputs:
    """Hops of B streams in M frames, right-padded; a row starts with frames that were vocoded before."""

    mel: Tensor
    """(B, 80, M)."""
    phase: Tensor
    """(B, 9) radians."""
    noise: Tensor
    """(B, 9, 480·M)."""
    source: Tensor
    """(B, 480·M): the source of the first `settled` frames, then anything."""
    settled: Tensor
    """(B,) int64: how many frames have their source from the last hop."""
    next_settled: Tensor
    """(B,) int64: how many frames of this row will be settled after this hop."""
    cycles: Tensor
    """(B,) float64: of the fundamental up to the settled frames, modulo 1."""
    frames: Tensor | None
    """(B,) int64: each row's own frames; None if every row is full."""

    def tensors(self) -> tuple[Tensor, ...]:
        """The fields in order; without the frames if every row is full."""
        given = (self.mel, self.phase, self.noise, self.source, self.settled, self.next_settled, self.cycles)
        return given if self.frames is None else (*given, self.frames)

    @classmethod
    def empty(cls, rows: int, frames: int, device: torch.device) -> HopInputs:
        """Rows of zeros, full, without a past."""
        samples = frames * SAMPLES_PER_FRAME
        none = torch.zeros(rows, dtype=torch.int64, device=device)
        return cls(
            mel=torch.zeros(rows, MEL_BANDS, frames, device=device),
            phase=torch.zeros(rows, HARMONICS, device=device),
            noise=torch.zeros(rows, HARMONICS, samples, device=device),
            source=torch.zeros(rows, samples, device=device),
            settled=none,
            next_settled=none.clone(),
            cycles=torch.zeros(rows, dtype=torch.float64, device=device),
            frames=torch.full((rows,), frames, device=device),
        )


def vocode(vocoder: Vocoder, hops: HopInputs) -> tuple[Tensor, Tensor, Tensor]:
    """Sound (B, 480·M), its source (B, 480·M), and the cycles (B,) up to `next_settled`. No host sync.

    The source continues in phase: before the new frames stands one at the pitch whose 480 samples advance every
    harmonic to the phase it has reached, and nothing before that.
    """
    pitch = vocoder.pitch(hops.mel, hops.frames)
    position = torch.arange(pitch.shape[1], device=pitch.device)
    settled = hops.settled[:, None]
    lead = (hops.cycles * (SAMPLE_RATE / SAMPLES_PER_FRAME)).to(pitch.dtype)[:, None]
    driving = torch.where(position >= settled, pitch, torch.where(position == settled - 1, lead, 0.0))
    made = vocoder.source(driving, hops.phase, hops.noise)
    sample = torch.arange(made.shape[1], device=pitch.device)
    source = torch.where(sample < settled * SAMPLES_PER_FRAME, hops.source, made)
    newly = (position >= settled) & (position < hops.next_settled[:, None])
    advance = (pitch.double() * newly).sum(1) * (SAMPLES_PER_FRAME / SAMPLE_RATE)
    return vocoder.filter(hops.mel, source, hops.frames), source, (hops.cycles + advance) % 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One stream's next piece, to be vocoded, alone or with other streams'."""

    mel: Tensor
    """(80, m): the context and all frames whose sound was not returned yet."""
    noise: Tensor
    """(9, 480·m)."""
    phase: Tensor
    """(9,)."""
    source: Tensor
    """(n,): of the first `settled` frames."""
    settled: int
    next_settled: int
    cycles: Tensor
    """() float64."""

    @property
    def frames(self) -> int:
        return self.mel.shape[1]


def pack_hops(hops: Sequence[Hop], rows: int, frames: int, *, padded: bool) -> HopInputs:
    """The hops as one batch of `rows` rows of `frames` frames; the last hop stands for the rows that are missing.

    `padded`: whether the batch has lengths even if no row needs them.
    """
    batch = HopInputs.empty(rows, frames, hops[0].mel.device)
    given = [*hops, *[hops[-1]] * (rows - len(hops))]
    for row, hop in enumerate(given):
        batch.mel[row, :, : hop.frames] = hop.mel
        batch.noise[row, :, : hop.noise.shape[1]] = hop.noise
        batch.source[row, : len(hop.source)] = hop.source
        for tensor, value in ((batch.settled, hop.settled), (batch.next_settled, hop.next_settled)):
            tensor[row].fill_(value)
        batch.frames[row].fill_(hop.frames)  # type: ignore[index]
    full = not padded and all(hop.frames == frames for hop in given)
    return replace(
        batch,
        phase=torch.stack([hop.phase for hop in given]),
        cycles=torch.stack([hop.cycles for hop in given]),
        frames=None if full else batch.frames,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """What a stream's next hop continues from."""

    emitted: int
    """Frames whose sound was returned."""
    context: Tensor
    """(80, c): the mel of the last of them, as it was vocoded."""
    settled: int
    """Frames whose source is settled."""
    source: Tensor
    """(n,): the source from the context's first frame to `settled`."""
    cycles: Tensor
    """() float64: of the fundamental up to there, modulo 1."""
    pending: Tensor
    """(n,): the sound after `emitted`, to be crossfaded with the next."""

    @property
    def first(self) -> int:
        """The frame with which the context starts."""
        return self.emitted - self.context.shape[1]


class StreamedVocoder:
    """One utterance's mel to sound, hop by hop: `hop` says what is to be vocoded, `accept` takes what became of it, and
    `commit` goes on to the next. Without watermark and fade-in.
    """

    def __init__(self, noise: SeededNoise) -> None:
        self._noise = noise
        none = noise.phase.new_zeros(0)
        self._state = _State(
            emitted=0,
            context=none.new_zeros(MEL_BANDS, 0),
            settled=0,
            source=none,
            cycles=none.new_zeros((), dtype=torch.float64),
            pending=none,
        )

    @property
    def has_begun(self) -> bool:
        """Whether any sound was returned."""
        return self._state.emitted > 0

    def hop(self, mel: Tensor) -> Hop:
        """What is to be vocoded, given all mel so far (80, M)."""
        old, total = self._state, mel.shape[1]
        return Hop(
            mel=self._window(mel),
            noise=self._noise.source(old.first * SAMPLES_PER_FRAME, total * SAMPLES_PER_FRAME),
            phase=self._noise.phase,
            source=old.source,
            settled=old.settled - old.first,
            next_settled=max(old.settled, total - _PITCH_REACH) - old.first,
            cycles=old.cycles,
        )

    def accept(self, mel: Tensor, made: tuple[Tensor, Tensor, Tensor], *, last: bool) -> tuple[Tensor, _State]:
        """The sound that is final with all mel so far (80, M), (n,) float32, and the state to `commit`.

        `made`: of its hop, the sound (480·m,), the source (480·m,) and the cycles (), as from `vocode`.
        """
        old = self._state
        sound, source, cycles = made
        sound = _crossfade(old.pending, sound[(old.emitted - old.first) * SAMPLES_PER_FRAME :])
        if last:
            return sound, old
        emitted, settled = max(old.emitted, mel.shape[1] - _CONTEXT), max(old.settled, mel.shape[1] - _PITCH_REACH)
        cut, start = (emitted - old.emitted) * SAMPLES_PER_FRAME, max(old.first, emitted - _CONTEXT)
        samples = slice((start - old.first) * SAMPLES_PER_FRAME, (settled - old.first) * SAMPLES_PER_FRAME)
        return sound[:cut], _State(
            emitted=emitted,
            context=self._window(mel)[:, start - old.first : emitted - old.first].clone(),
            settled=settled,
            source=source[samples].clone(),
            cycles=cycles.clone(),
            pending=sound[cut:].clone(),
        )

    def commit(self, state: _State) -> None:
        """Go on from the state that `accept` returned."""
        self._state = state

    def _window(self, mel: Tensor) -> Tensor:
        return torch.cat([self._state.context, mel[:, self._state.emitted :]], dim=1)


def _crossfade(old: Tensor, new: Tensor) -> Tensor:
    """`new` (n,), crossfaded at its start with `old`, the previous version of the same samples: Hann halves."""
    if not len(old):
        return new
    size = min(len(old), len(new), _FADE)
    rise = torch.hann_window(2 * size, device=new.device)[:size]
    return torch.cat([old[:size] * (1 - rise) + new[:size] * rise, new[size:]])
