"""Sound while the model is still speaking: the recipe of CosyVoice 2, whose flow and vocoder these are.

A stream is rendered in hops. Each hop carries all tokens so far through the flow, the last three of them only to look at,
with noise that belongs to the frame and not to the hop, so that the mel of what was heard hardly moves. The whole prefix
is solved every time: with a reference of 10 s before it, bounding what lies to the left would save a third at most for
chunks of 20 s, and change the sound. The vocoder continues from eight frames of mel and their source, holds back
eight frames whose right neighbours it has not seen, and fades from them to what the next hop makes of them.

CosyVoice vocodes the held frames with nothing to their left, begins a new phase behind the cached source and fades over all
eight. Here the eight frames of mel lie before the held ones, the source goes on in phase, and the fade takes three frames,
which are all that the missing right side has hardly touched: for one and the same mel the result is the offline one
within 3e-4, and within 0.02 in the fades and four frames before them, where a fade over eight frames is off by 0.16
(measured on random weights). Its halves sum to one, as CosyVoice's Hamming halves do not (1.08).

What comes out depends on the tokens and the seed alone, never on when they came. In one hop it is what the offline path
makes of the same noise. Attention is not causal and the model was trained on whole utterances, so in several hops it is
another rendering of the same tokens: as long, and close.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLE_RATE, SAMPLES_PER_FRAME, Vocoder

HOPS = (12, 12, 25, 50, 100)
"""Tokens; the last again and again. Two of half a second: the reader needs 0.4 s of speech before it lets the first out."""

HOPS_ON_CPU = (24, 100)
"""Every hop solves the whole prefix, which a CPU feels: with full-size nano on 2 cores, `HOPS` made 5 s of sound in 2.4 times
the time that the offline path took."""

_CONTEXT = 8  # frames on either side of a seam; farther ones change the sound by a thousandth of its peak (measured)
_PITCH_REACH = 5  # frames: five convolutions of width 3
_FADE = 3 * SAMPLES_PER_FRAME  # 60 ms
_BLOCK = 50  # tokens of noise drawn at once
_SHORTEST_HOP = 6  # tokens: 12 frames less the 8 held back and one of the prompt's; the first 2 are faded in at once


def next_hop(spoken: int, hops: tuple[int, ...] = HOPS) -> int:
    """The first end of a hop after `spoken` tokens."""
    end, index = 0, 0
    while end <= spoken:
        end += hops[min(index, len(hops) - 1)]
        index += 1
    return end


class HopClock:
    """When a stream's next hop is due."""

    def __init__(self, hops: tuple[int, ...] = HOPS) -> None:
        """`hops` as in `HOPS`. Raises ValueError where the first is too short to hold what is faded in at once."""
        if hops[0] < _SHORTEST_HOP:
            raise ValueError(f"the first hop cannot have {hops[0]} tokens, it takes {_SHORTEST_HOP}")
        self._hops = hops
        self._end = next_hop(0, hops)

    def is_due(self, codes: int) -> bool:
        """Whether so many codes are enough for the next hop; True once for each."""
        if codes < self._end + LOOKAHEAD_TOKENS:
            return False
        self._end = next_hop(self._end, self._hops)
        return True


class NoiseBank:
    """Chance by absolute frame, drawn as far as it is asked for: what a frame gets does not depend on how."""

    def __init__(self, prompt_tokens: int, seed: int, device: torch.device) -> None:
        """`seed` 0 to 2**32 - 1."""
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device = device
        self.mel = torch.randn(MEL_BANDS, FRAMES_PER_TOKEN * prompt_tokens, generator=self._generator, device=device)
        """(80, frames so far), the prompt's first."""
        self.phase = (torch.rand(HARMONICS, generator=self._generator, device=device) * 2 - 1) * torch.pi
        """(9,) radians."""
        self.source = torch.zeros(HARMONICS, 0, device=device)
        """(9, samples so far from `first_sample` on)."""
        self.first_sample = 0

    def reach(self, frames: int) -> None:
        """Have noise for so many frames, the prompt's included."""
        while self.mel.shape[1] < frames:
            count = FRAMES_PER_TOKEN * _BLOCK
            mel = torch.randn(MEL_BANDS, count, generator=self._generator, device=self._device)
            samples = count * SAMPLES_PER_FRAME
            source = torch.randn(HARMONICS, samples, generator=self._generator, device=self._device)
            self.mel, self.source = torch.cat([self.mel, mel], dim=1), torch.cat([self.source, source], dim=1)

    def samples(self, start: int, end: int) -> Tensor:
        """(9, end - start) of the source's noise, by absolute sample of the utterance."""
        return self.source[:, start - self.first_sample : end - self.first_sample]

    def forget(self, sample: int) -> None:
        """No earlier sample is asked for again."""
        self.source = self.source[:, sample - self.first_sample :].clone()
        self.first_sample = sample


class StreamedVocoder:
    """One utterance's mel to sound, hop by hop. Not watermarked, not faded."""

    def __init__(self, vocoder: Vocoder, bank: NoiseBank) -> None:
        self._vocoder, self._bank = vocoder, bank
        self._given = 0  # frames whose sound came out
        self._context: Tensor | None = None  # (80, c) the mel of the last of them, as it was heard
        self._source: Tensor | None = None  # (n,) the source from the context's first frame to `_sung`
        self._sung = 0  # frames whose source is settled
        self._cycles = 0.0  # of the fundamental up to there, the whole ones left out
        self._held: Tensor | None = None  # (n,) the sound after `_given`, still to be crossfaded

    @property
    def has_begun(self) -> bool:
        """Whether any sound came out."""
        return self._given > 0

    @torch.inference_mode()
    def __call__(self, mel: Tensor, *, last: bool) -> Tensor:
        """All mel so far (80, M) to the sound that it settles, (n,) float32. Commits nothing if it raises."""
        behind = 0 if self._context is None else self._context.shape[1]
        window = mel[:, self._given :]
        window = window if self._context is None else torch.cat([self._context, window], dim=1)
        first = self._given - behind
        pitch = self._vocoder.pitch(window[None])[0]
        source = self._sing(pitch, first)
        noise = self._bank.samples(first * SAMPLES_PER_FRAME, mel.shape[1] * SAMPLES_PER_FRAME)
        sound = self._vocoder(window[None], self._bank.phase[None], noise[None], None, source[None])[0][0]
        sound = _crossfaded(self._held, sound[behind * SAMPLES_PER_FRAME :])
        if last:
            return sound
        keep = max(self._given, mel.shape[1] - _CONTEXT)
        cut = (keep - self._given) * SAMPLES_PER_FRAME
        self._settle(mel, pitch, source, first, keep)
        self._held = sound[cut:]
        return sound[:cut]

    def _sing(self, pitch: Tensor, first: int) -> Tensor:
        """The source (n,) under `pitch` (m,), whose frames begin at `first`: the settled samples, then on in phase."""
        settled = self._sung - first
        start, end = self._sung * SAMPLES_PER_FRAME, (first + len(pitch)) * SAMPLES_PER_FRAME
        noise = self._bank.samples(start, end)
        fresh = pitch[settled:]
        if self._source is None:
            return self._vocoder.source(fresh[None], self._bank.phase[None], noise[None])[0]
        # a frame before the first, at the pitch whose 480 samples carry every harmonic to where it has got to
        lead = fresh.new_tensor([self._cycles * SAMPLE_RATE / SAMPLES_PER_FRAME])
        noise = torch.cat([noise.new_zeros(HARMONICS, SAMPLES_PER_FRAME), noise], dim=1)
        sung = self._vocoder.source(torch.cat([lead, fresh])[None], self._bank.phase[None], noise[None])[0]
        return torch.cat([self._source, sung[SAMPLES_PER_FRAME:]])

    def _settle(self, mel: Tensor, pitch: Tensor, source: Tensor, first: int, keep: int) -> None:
        """What the next hop must find as it was: the context's mel, the source, and where its phase has got to."""
        sung = max(self._sung, mel.shape[1] - _PITCH_REACH)
        cycles = pitch[self._sung - first : sung - first].double().sum() * (SAMPLES_PER_FRAME / SAMPLE_RATE)
        start = max(first, keep - _CONTEXT)
        window = mel[:, self._given :]
        known = window if self._context is None else torch.cat([self._context, window], dim=1)
        self._context = known[:, start - first : keep - first].clone()
        self._source = source[(start - first) * SAMPLES_PER_FRAME : (sung - first) * SAMPLES_PER_FRAME].clone()
        self._cycles = (self._cycles + float(cycles)) % 1.0
        self._sung, self._given = sung, keep
        self._bank.forget(start * SAMPLES_PER_FRAME)


def _crossfaded(old: Tensor | None, new: Tensor) -> Tensor:
    """`new` (n,), its beginning faded in over the end of what was there before: Hann halves."""
    if old is None or not len(old):
        return new
    size = min(len(old), len(new), _FADE)
    rise = torch.hann_window(2 * size, device=new.device)[:size]
    return torch.cat([old[:size] * (1 - rise) + new[:size] * rise, new[size:]])
