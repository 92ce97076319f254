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

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLE_RATE, SAMPLES_PER_FRAME, Vocoder

HOPS = (12, 12, 25, 50, 100)
"""Tokens per hop; the last repeats. The first two are half a second each: a reader needs 0.4 s of speech to start."""

HOPS_ON_CPU = (24, 100)
"""Fewer hops, because each solves the whole prefix, which is slow on a CPU: with full-size nano on 2 cores, `HOPS` took
2.4 times as long as the offline path for 5 s of sound.
"""

_CONTEXT = 8  # frames on either side of a seam; those farther away change the sound by 0.001 of its peak (measured)
_PITCH_REACH = 5  # frames: five convolutions of width 3
_FADE = 3 * SAMPLES_PER_FRAME  # 60 ms
_BLOCK = 50  # tokens of noise drawn at once
_SHORTEST_HOP = 6  # tokens: 12 frames less the 8 held back and one of the prompt's; the first 2 are faded in at once


def next_hop(done: int, hops: tuple[int, ...] = HOPS) -> int:
    """The first end of a hop beyond `done` tokens."""
    end, index = 0, 0
    while end <= done:
        end += hops[min(index, len(hops) - 1)]
        index += 1
    return end


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


class NoiseBank:
    """Noise by absolute frame, drawn as far as it is needed; a frame's noise does not depend on the steps in which."""

    def __init__(self, prompt_tokens: int, seed: int, device: torch.device) -> None:
        """`seed` is 0 to 2**32 - 1."""
        self._generator = torch.Generator(device).manual_seed(seed)
        self._device = device
        self.mel = torch.randn(MEL_BANDS, FRAMES_PER_TOKEN * prompt_tokens, generator=self._generator, device=device)
        """(80, frames so far), the prompt's first."""
        self.phase = (torch.rand(HARMONICS, generator=self._generator, device=device) * 2 - 1) * torch.pi
        """(9,) radians."""
        self.source = torch.zeros(HARMONICS, 0, device=device)
        """(9, samples so far from `first_sample` on)."""
        self.first_sample = 0

    def extend_to(self, frames: int) -> None:
        """Draw noise until there is enough for this many frames, the prompt's included."""
        while self.mel.shape[1] < frames:
            count = FRAMES_PER_TOKEN * _BLOCK
            mel = torch.randn(MEL_BANDS, count, generator=self._generator, device=self._device)
            samples = count * SAMPLES_PER_FRAME
            source = torch.randn(HARMONICS, samples, generator=self._generator, device=self._device)
            self.mel, self.source = torch.cat([self.mel, mel], dim=1), torch.cat([self.source, source], dim=1)

    def samples(self, start: int, end: int) -> Tensor:
        """(9, end - start) of the source's noise, by absolute sample of the utterance."""
        return self.source[:, start - self.first_sample : end - self.first_sample]

    def discard_before(self, sample: int) -> None:
        """Free the source's noise before this sample, which is not needed again."""
        self.source = self.source[:, sample - self.first_sample :].clone()
        self.first_sample = sample


class StreamedVocoder:
    """One utterance's mel to sound, hop by hop. Without watermark and fade-in."""

    def __init__(self, vocoder: Vocoder, bank: NoiseBank) -> None:
        self._vocoder, self._bank = vocoder, bank
        self._emitted = 0  # frames whose sound was returned
        self._context: Tensor | None = None  # (80, c) the mel of the last of them, as it was vocoded
        self._source: Tensor | None = None  # (n,) the source from the context's first frame to `_settled`
        self._settled = 0  # frames whose source is settled
        self._cycles = 0.0  # of the fundamental up to there, modulo 1
        self._pending: Tensor | None = None  # (n,) the sound after `_emitted`, to be crossfaded with the next

    @property
    def has_begun(self) -> bool:
        """Whether any sound was returned."""
        return self._emitted > 0

    @torch.inference_mode()
    def __call__(self, mel: Tensor, *, last: bool) -> Tensor:
        """All mel so far (80, M) to the sound that is final with it, (n,) float32. Changes no state if it raises."""
        context = 0 if self._context is None else self._context.shape[1]
        window = mel[:, self._emitted :]
        window = window if self._context is None else torch.cat([self._context, window], dim=1)
        first = self._emitted - context
        pitch = self._vocoder.pitch(window[None])[0]
        source = self._continue_source(pitch, first)
        noise = self._bank.samples(first * SAMPLES_PER_FRAME, mel.shape[1] * SAMPLES_PER_FRAME)
        sound = self._vocoder(window[None], self._bank.phase[None], noise[None], None, source[None])[0][0]
        sound = _crossfade(self._pending, sound[context * SAMPLES_PER_FRAME :])
        if last:
            return sound
        emitted = max(self._emitted, mel.shape[1] - _CONTEXT)
        cut = (emitted - self._emitted) * SAMPLES_PER_FRAME
        self._save_state(mel, pitch, source, first, emitted)
        self._pending = sound[cut:]
        return sound[:cut]

    def _continue_source(self, pitch: Tensor, first: int) -> Tensor:
        """The source (n,) for `pitch` (m,), which starts at frame `first`: the settled samples, then more in phase."""
        settled = self._settled - first
        start, end = self._settled * SAMPLES_PER_FRAME, (first + len(pitch)) * SAMPLES_PER_FRAME
        noise = self._bank.samples(start, end)
        new_pitch = pitch[settled:]
        if self._source is None:
            return self._vocoder.source(new_pitch[None], self._bank.phase[None], noise[None])[0]
        # one frame in front, at the pitch whose 480 samples advance every harmonic to the phase it has reached
        lead = new_pitch.new_tensor([self._cycles * SAMPLE_RATE / SAMPLES_PER_FRAME])
        noise = torch.cat([noise.new_zeros(HARMONICS, SAMPLES_PER_FRAME), noise], dim=1)
        continued = self._vocoder.source(torch.cat([lead, new_pitch])[None], self._bank.phase[None], noise[None])[0]
        return torch.cat([self._source, continued[SAMPLES_PER_FRAME:]])

    def _save_state(self, mel: Tensor, pitch: Tensor, source: Tensor, first: int, emitted: int) -> None:
        """Store what the next hop continues from: the context's mel, the source and its phase."""
        settled = max(self._settled, mel.shape[1] - _PITCH_REACH)
        cycles = pitch[self._settled - first : settled - first].double().sum() * (SAMPLES_PER_FRAME / SAMPLE_RATE)
        start = max(first, emitted - _CONTEXT)
        window = mel[:, self._emitted :]
        joined = window if self._context is None else torch.cat([self._context, window], dim=1)
        self._context = joined[:, start - first : emitted - first].clone()
        self._source = source[(start - first) * SAMPLES_PER_FRAME : (settled - first) * SAMPLES_PER_FRAME].clone()
        self._cycles = (self._cycles + float(cycles)) % 1.0
        self._settled, self._emitted = settled, emitted
        self._bank.discard_before(start * SAMPLES_PER_FRAME)


def _crossfade(old: Tensor | None, new: Tensor) -> Tensor:
    """`new` (n,), crossfaded at its start with `old`, the previous version of the same samples: Hann halves."""
    if old is None or not len(old):
        return new
    size = min(len(old), len(new), _FADE)
    rise = torch.hann_window(2 * size, device=new.device)[:size]
    return torch.cat([old[:size] * (1 - rise) + new[:size] * rise, new[size:]])
