"""From logits to a token, for many rows at once: upstream's two filter orders, with noise from a pure function.

Every row has its own parameters, and nothing here synchronises with the host, so all of it can be captured in a CUDA
graph. The filters repeat the arithmetic of the Hugging Face processors that upstream calls, ties included, so that
equal logits and equal noise give equal tokens:

* Llama body: repetition penalty, temperature, min_p, top_p.
* GPT-2 body: temperature, top_k, top_p, repetition penalty last.

A temperature of 0 means the most probable token: filters at temperature 1, no noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.counter import keys, uniform
from chatterbox_worker.errors import InvalidRequest, quote

Noise = Callable[[Tensor, Tensor, int], Tensor]
"""(seeds (n,) int64, steps (n,) int64, vocabulary size V) -> Exp(1) noise (n, V), float32 and positive."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one utterance is sampled. The neutral values do nothing."""

    temperature: float = 1.0
    repetition_penalty: float = 1.0
    min_p: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    """0 for no limit."""
    cfg_weight: float = 0.0

    def __post_init__(self) -> None:
        bounds = {  # those of the Hugging Face processors; a negative guidance weight has no meaning upstream
            "temperature": self.temperature >= 0.0,
            "repetition_penalty": self.repetition_penalty > 0.0,
            "min_p": 0.0 <= self.min_p <= 1.0,
            "top_p": 0.0 <= self.top_p <= 1.0,
            "top_k": self.top_k >= 0,
            "cfg_weight": self.cfg_weight >= 0.0,
        }
        for name, is_in_bounds in bounds.items():
            if not is_in_bounds or getattr(self, name) == float("inf"):
                raise InvalidRequest(f"{name} cannot be {quote(getattr(self, name))}.", field=name)

    @property
    def sorts(self) -> bool:
        """Whether sampling needs sorted logits. top_p = 1 removes only tokens that have no probability anyway."""
        return self.top_p < 1.0 or self.top_k > 0


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """`Sampling` for n rows as tensors (n, 1) on the device, float32; `top_k` is int64."""

    temperature: Tensor
    repetition_penalty: Tensor
    min_p: Tensor
    tail: Tensor
    """1 - top_p, subtracted in double precision as Hugging Face does: rounding top_p first moves the edge."""
    top_k: Tensor
    cfg_weight: Tensor

    @classmethod
    def of(cls, samplings: Sequence[Sampling], device: torch.device) -> Self:
        def column(dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(len(samplings), 1, device=device, dtype=dtype)

        table = cls(column(), column(), column(), column(), column(torch.int64), column())
        for row, sampling in enumerate(samplings):
            table.put(row, sampling)
        return table

    def put(self, row: int, sampling: Sampling) -> None:
        self.temperature[row].fill_(sampling.temperature)  # a fill carries its value: no copy, no sync
        self.repetition_penalty[row].fill_(sampling.repetition_penalty)
        self.min_p[row].fill_(sampling.min_p)
        self.tail[row].fill_(1.0 - sampling.top_p)
        self.top_k[row].fill_(sampling.top_k)
        self.cfg_weight[row].fill_(sampling.cfg_weight)

    def first(self, rows: int) -> SamplingRows:
        """The first `rows` rows, as views."""
        return SamplingRows(*(getattr(self, field.name)[:rows] for field in fields(self)))


def guide(conditional: Tensor, unconditional: Tensor, cfg_weight: Tensor) -> Tensor:
    """Classifier-free guidance, (n, V) each: c + w (c - u), upstream `T3.inference`."""
    return conditional + cfg_weight * (conditional - unconditional)


def penalise(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Divide positive and multiply negative logits (n, V) of the `seen` (n, V) tokens by penalty (n, 1).

    Keskar et al. 2019, as in Hugging Face.
    """
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def filter_llama(logits: Tensor, seen: Tensor, rows: SamplingRows, *, sorts: bool) -> Tensor:
    """Upstream `T3.inference`: penalty, temperature, min_p, top_p. Logits (n, V) -> (n, V), -inf for removed tokens."""
    logits = penalise(logits, seen, rows.repetition_penalty) / _divisor(rows)
    probabilities = logits.softmax(-1)
    most, most_at = probabilities.max(-1, keepdim=True)
    removed = (probabilities < rows.min_p * most).scatter(-1, most_at, value=False)
    logits = logits.masked_fill(removed, -torch.inf)
    return _nucleus(logits, rows) if sorts else logits


def filter_gpt2(logits: Tensor, seen: Tensor, rows: SamplingRows, *, sorts: bool) -> Tensor:
    """Upstream `T3.inference_turbo`: temperature, top_k, top_p, then the penalty. Shapes as in `filter_llama`."""
    logits = logits / _divisor(rows)
    if sorts:
        logits = _nucleus(logits, rows)
    return penalise(logits, seen, rows.repetition_penalty)


def draw(logits: Tensor, noise: Tensor, rows: SamplingRows) -> Tensor:
    """One token per row (n,): argmax of p / q with q ~ Exp(1), which is how torch.multinomial draws a single sample."""
    noise = torch.where(rows.temperature == 0.0, 1.0, noise)
    return (logits.softmax(-1) / noise).argmax(-1)


def _divisor(rows: SamplingRows) -> Tensor:
    return torch.where(rows.temperature == 0.0, 1.0, rows.temperature)


def _nucleus(logits: Tensor, rows: SamplingRows) -> Tensor:
    """top_k, then top_p among the rest, from one ascending sort.

    Ties at the edge of top_k all stay; ties at the edge of top_p are decided by index.
    """
    ascending, order = _ascending(logits, rows)
    count = ascending.shape[-1]
    top_k = torch.where(rows.top_k > 0, rows.top_k, count).clamp(max=count)
    edge = ascending.gather(-1, count - top_k)
    removed = ascending < edge
    ascending = ascending.masked_fill(removed, -torch.inf)
    removed = removed | ((ascending.softmax(-1).cumsum(-1) <= rows.tail) & (rows.tail > 0.0))
    removed[:, -1].fill_(False)  # at least one token stays
    out = torch.ones_like(logits, dtype=torch.bool).scatter(-1, order, removed)
    return logits.masked_fill(out, -torch.inf)


def _ascending(logits: Tensor, rows: SamplingRows) -> tuple[Tensor, Tensor]:
    """Logits in ascending order and their indices, (n, m) both; equal logits in the order of their indices.

    m is the whole vocabulary or, on a CPU, the largest top_k, which is a tenth of the work.
    """
    most = int(rows.top_k.max()) if logits.device.type == "cpu" else 0  # on a GPU, reading it would wait for the device
    if 0 < most < logits.shape[-1] and bool((rows.top_k > 0).all()):
        indices = logits.topk(most, sorted=False).indices.sort().values
        top, within = logits.gather(-1, indices).sort(dim=-1, stable=True)
        # else there are ties at the edge, and all of them stay
        if bool(((logits >= top[:, :1]).sum(-1) == most).all()):
            return top, indices.gather(-1, within)
    return logits.sort(dim=-1, stable=True)


def counter_noise(seeds: Tensor, steps: Tensor, vocabulary: int) -> Tensor:
    """Exp(1) noise (n, V), -log of uniform numbers that depend only on (seed, step, token): see `counter`.

    `seeds` below 2**63, `steps` from 0, both (n,) int64.
    """
    return -torch.log(uniform(keys(seeds, steps), vocabulary))
