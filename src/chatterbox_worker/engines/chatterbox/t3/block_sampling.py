"""From logits to the tokens of a block, for many rows at once: a pass of Chatterbox-Flash (arXiv 2605.30748).

Every pass draws a token for every position and keeps the best ones. Positions are ranked by pointwise mutual
information, the log-probability of the drawn token less its log-probability in a prior, combined by the guidance, plus
Gumbel noise. Nothing here waits for the host, so a pass can be captured in a CUDA graph. The arithmetic is that of the
package chatterbox-flash 0.1.0, so that equal logits and equal noise give equal tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.counter import counters, keys, uniform_at
from chatterbox_worker.engines.chatterbox.t3.sampling import divisor_of
from chatterbox_worker.errors import InvalidRequest, quote

BLOCK = 16
"""Positions of a block, as the model was trained; a smaller block leaves the last ones out."""
MOST_PASSES = 32
"""More change nothing: each pass keeps one token at least."""
_SHIFT = 0.5  # of the schedule: fewer tokens in the first passes (`omnivoice_schedule_t_shift`)
_EARLY = 0.1  # how far the quantile above which tokens are kept early falls until the last pass (`time_shift_tau`)
_LEAST_LOG = math.log(1e-8)  # of a probability in the ranking
_TINY = 1e-10  # keeps the Gumbel noise finite


@dataclass(frozen=True, slots=True)
class BlockSampling:
    """How one utterance is sampled; the defaults are the package's."""

    temperature: float = 0.6
    cfg_weight: float = 1.0
    steps: int = 10
    """The most passes over a block."""
    position_temperature: float = 5.0
    """0: the positions are ranked without noise. The package adds the same noise for every value above 0."""
    block_size: int = BLOCK
    max_tokens: int = 1000
    """The last block is as short as the rest."""

    def __post_init__(self) -> None:
        bounds = {
            "temperature": 0.0 <= self.temperature < math.inf,
            "cfg_weight": 0.0 <= self.cfg_weight < math.inf,
            "steps": 1 <= self.steps <= MOST_PASSES,
            "position_temperature": 0.0 <= self.position_temperature < math.inf,
            "block_size": 1 <= self.block_size <= BLOCK,
            "max_tokens": self.max_tokens >= 1,
        }
        for name, is_in_bounds in bounds.items():
            if not is_in_bounds:
                raise InvalidRequest(f"{name} cannot be {quote(getattr(self, name))}.", field=name)


class BlockNoise(Protocol):
    """Where the noise of a batch of slots comes from."""

    def seed(self, slot: int, seed: int) -> None:
        """Start an utterance in this slot; `seed` is 0 to 2**63 - 1."""

    def __call__(self, blocks: Tensor, passes: Tensor) -> tuple[Tensor, Tensor]:
        """Exp(1) noise (n, BLOCK, V) for tokens and uniform numbers (n, BLOCK) for positions, float32.

        For these passes over these blocks, (n,) int64 both, of slots 0 to n - 1.
        """


class CounterBlockNoise:
    """Noise that depends only on (seed, block, pass, position, token): see `counter`."""

    def __init__(self, slots: int, vocabulary: int, device: torch.device) -> None:
        self._seeds = torch.zeros(slots, 1, device=device, dtype=torch.int64)
        self._tokens = counters(vocabulary, device=device)
        self._positions = torch.arange(BLOCK + 1, device=device)  # the last stream is that of the positions themselves

    def seed(self, slot: int, seed: int) -> None:
        self._seeds[slot].fill_(seed)

    def __call__(self, blocks: Tensor, passes: Tensor) -> tuple[Tensor, Tensor]:
        streams = (blocks * MOST_PASSES + passes)[:, None] * (BLOCK + 1) + self._positions
        own = keys(self._seeds[: len(blocks)].expand_as(streams), streams)
        return -torch.log(uniform_at(own[:, :BLOCK], self._tokens)), uniform_at(own[:, BLOCK], self._tokens[:BLOCK])


@dataclass(frozen=True, slots=True)
class BlockRows:
    """`BlockSampling` for n rows as tensors (n,) on the device."""

    divisor: Tensor
    """`divisor_of` the temperature; float32, as the next but one and the one after."""
    is_greedy: Tensor
    """Whether the temperature is 0; bool."""
    cfg_weight: Tensor
    noise: Tensor
    """1 if positions are ranked with noise, else 0."""
    passes: Tensor
    """int64, as the next one."""
    block_size: Tensor
    log_prior: Tensor
    """(n, V) float32: what `block_size` makes of a block before which there is only the BOS."""

    @classmethod
    def empty(cls, rows: int, vocabulary: int, device: torch.device) -> BlockRows:
        def column(value: float, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.full((rows,), value, device=device, dtype=dtype)

        return cls(
            divisor=column(1.0),
            is_greedy=column(0, torch.bool),
            cfg_weight=column(1.0),
            noise=column(1.0),
            passes=column(1, torch.int64),
            block_size=column(BLOCK, torch.int64),
            log_prior=torch.zeros(rows, vocabulary, device=device),
        )

    def put(self, row: int, sampling: BlockSampling, log_prior: Tensor) -> None:
        self.divisor[row].fill_(divisor_of(sampling.temperature))  # a fill carries its value: no copy, no sync
        self.is_greedy[row].fill_(sampling.temperature == 0.0)
        self.cfg_weight[row].fill_(sampling.cfg_weight)
        self.noise[row].fill_(float(sampling.position_temperature > 0.0))
        self.passes[row].fill_(sampling.steps)
        self.block_size[row].fill_(sampling.block_size)
        self.log_prior[row].copy_(log_prior)

    def first(self, rows: int) -> BlockRows:
        """The first `rows` rows, as views."""
        return BlockRows(
            self.divisor[:rows], self.is_greedy[:rows], self.cfg_weight[:rows], self.noise[:rows], self.passes[:rows],
            self.block_size[:rows], self.log_prior[:rows],
        )  # fmt: skip


def draw_block(
    conditional: Tensor, unconditional: Tensor, noise: tuple[Tensor, Tensor], rows: BlockRows
) -> tuple[Tensor, Tensor]:
    """A token for every position, and its score, (n, BLOCK) both, from logits (n, BLOCK, V) of the two guided rows.

    The tokens are drawn by (1 + w) log p - w log u at the temperature, where p and u are the two rows' distributions.
    """
    tokens_noise, uniform = noise
    weight = rows.cfg_weight[:, None]
    own, other = conditional.log_softmax(-1), unconditional.log_softmax(-1)
    guided = own + weight[..., None] * (own - other)
    exponential = tokens_noise.masked_fill(rows.is_greedy[:, None, None], 1.0)
    drawn = ((guided / rows.divisor[:, None, None]).softmax(-1) / exponential).argmax(-1)
    prior = rows.log_prior.gather(1, drawn).clamp_min(_LEAST_LOG)
    information, unguided = (
        each.gather(-1, drawn[..., None])[..., 0].clamp_min(_LEAST_LOG) - prior for each in (own, other)
    )
    gumbel = -torch.log(-torch.log(uniform + _TINY) + _TINY)
    return drawn, (1.0 + weight) * information - weight * unguided + rows.noise[:, None] * gumbel


def choose(scores: Tensor, masked: Tensor, width: Tensor, passes: Tensor, most: Tensor) -> Tensor:
    """Which of the masked positions a pass keeps, (n, BLOCK) bool.

    `scores` and `masked` (n, BLOCK); blocks of `width` positions in pass number `passes`, from 0, of `most`, (n,) int64
    each. As many as the schedule has, or as many as score above the pass's quantile, whichever is more; the last pass
    keeps all.
    """
    count = masked.sum(1)
    scores = scores.masked_fill(~masked, -torch.inf)
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    above = (scores >= _quantile(ordered, count, 1.0 - _EARLY * (passes + 1) / most.double())[:, None]).sum(1)
    scheduled = _unmasked(width, passes + 1, most) - _unmasked(width, passes, most)
    kept = torch.where(passes + 1 >= most, count, torch.maximum(scheduled, above))
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(BLOCK, device=order.device).expand_as(order))
    return masked & (rank < kept[:, None])


def _unmasked(width: Tensor, passes: Tensor, most: Tensor) -> Tensor:
    """How many of `width` positions the schedule has unmasked after so many passes, (n,) int64 all.

    width * r(s) with r(s) = t s / (1 + (t - 1) s) for the shift t (arXiv 2604.00688, equation 3).
    """
    share = passes / most.double()
    return (width * (_SHIFT * share / (1.0 + (_SHIFT - 1.0) * share))).round().long()


def _quantile(ordered: Tensor, count: Tensor, level: Tensor) -> Tensor:
    """torch.quantile of the first `count` (n,) of scores in descending order (n, BLOCK) at levels (n,), float64."""
    last = (count - 1).clamp_min(0)
    rank = level.clamp_min(0.0).float() * last
    low, high = (
        ordered.gather(1, (last - each.long()).clamp(0, BLOCK - 1)[:, None])[:, 0]
        for each in (rank.floor(), rank.ceil())
    )
    return torch.lerp(low, high, rank - rank.floor())
