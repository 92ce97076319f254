"""From logits to codes: one row per utterance, each with its own random generator.

The arithmetic and the use of the generator are those of transformers' `generate` for one utterance (temperature, top_k,
softmax, multinomial), so a seed draws the same codes as there, whatever else is in the batch. A temperature of 0 means
the most probable code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.sampling import divisor_of


@dataclass(frozen=True, slots=True, eq=False)
class CodeSampling:
    """How one utterance's codes are drawn."""

    temperature: float
    top_k: int
    """0 for no limit."""
    generator: torch.Generator

    @classmethod
    def of(cls, seed: int, temperature: float, top_k: int, device: torch.device) -> CodeSampling:
        return cls(temperature, top_k, torch.Generator(device).manual_seed(seed))


def draw(logits: Tensor, samplings: Mapping[int, CodeSampling], codes: int) -> Tensor:
    """Codes (n,) from logits (n, V), from the first `codes` of the vocabulary; 0 for rows without a sampling.

    Codes of a row that is not finite have no meaning: torch draws none from it, and on a GPU that ends the process.
    """
    logits = logits.float().nan_to_num()
    logits[:, codes:] = -torch.inf
    drawn = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    for row, sampling in samplings.items():
        drawn[row] = _draw(logits[row], sampling)
    return drawn


def _draw(logits: Tensor, sampling: CodeSampling) -> Tensor:
    if sampling.temperature == 0:
        return logits.argmax()
    scores = logits / divisor_of(sampling.temperature)
    if 0 < sampling.top_k < len(scores):
        least = scores.topk(sampling.top_k).values[-1]
        scores = scores.masked_fill(scores < least, -torch.inf)
    return torch.multinomial(scores.softmax(-1), 1, generator=sampling.generator)[0]
