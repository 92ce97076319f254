"""S3Gen's random numbers in the order in which upstream draws them, to compare with its sound."""

from __future__ import annotations

import math

import torch

from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME


def draw(tokens: int, prompt: Prompt, generator: torch.Generator, *, meanflow: bool) -> Noise:
    """Noise for an utterance of this many tokens; a generator with upstream's seed repeats upstream.

    The order (S3Token2Wav.flow_inference, SineGen): meanflow's own noise, the flow's, phases, the source's, and one
    draw that is not used.
    """
    frames = FRAMES_PER_TOKEN * (len(prompt.tokens) + tokens)
    own = torch.randn(1, 80, FRAMES_PER_TOKEN * tokens, generator=generator) if meanflow else None
    mel = torch.randn(1, 80, frames, generator=generator)
    if own is not None:
        mel[:, :, frames - own.shape[2] :] = own
    phase = torch.rand(1, HARMONICS, 1, generator=generator) * (2 * math.pi) - math.pi
    samples = SAMPLES_PER_FRAME * (frames - len(prompt.mel))
    source = torch.randn(1, HARMONICS, samples, generator=generator)
    torch.randn(1, 1, samples, generator=generator)
    return Noise(mel[0], phase[0, :, 0], source[0])
