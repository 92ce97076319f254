"""From logits to a token, for many rows at once: upstream's two filter orders, with noise from a pure function.

Every row has its own parameters, and nothing here synchronises with the host, so all of it can be captured in a CUDA
graph. The filters repeat the arithmetic of the Hugging Face processors that upstream calls, ties included, so that
equal logits and equal noise give equal tokens:

* Llama body: repetition penalty, temperature, min_p, top_p.
* GPT-2 body: temperature, top_k, top_p, repetition penalty last.

A temperature of 0 means the most probable token: filters at temperature 1, no noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.counter import counters, keys, uniform_at
from chatterbox_worker.errors import InvalidRequest, quote

_LEAST_TEMPERATURE = 1e-30
"""With a smaller one logits would overflow float32; with this one the most probable token has all the probability."""


class Noise(Protocol):
    """Where the noise of a batch of slots comes from."""

    def seed(self, slot: int, seed: int) -> None:
        """Start an utterance in this slot; `seed` is 0 to 2**63 - 1."""

    def __call__(self, steps: Tensor) -> Tensor:
        """Exp(1) noise (n, V), float32 and positive, for the steps (n,) int64 of slots 0 to n - 1."""


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
    """`Sampling` for n rows as tensors (n, 1) on the device, in the form in which the arithmetic needs it."""

    divisor: Tensor
    """`divisor_of` the temperature; float32 as the others, if not stated otherwise."""
    is_greedy: Tensor
    """Whether the temperature is 0; bool."""
    repetition_penalty: Tensor
    min_p: Tensor
    tail: Tensor
    """1 - top_p, subtracted in double precision as Hugging Face does: rounding top_p first moves the edge. -1 for a
    top_p of 1, which no probability reaches.
    """
    dropped: Tensor
    """How many of the vocabulary's lowest logits top_k removes; int64."""
    cfg_weight: Tensor
    vocabulary: int

    @classmethod
    def of(cls, samplings: Sequence[Sampling], vocabulary: int, device: torch.device) -> Self:
        def column(dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(len(samplings), 1, device=device, dtype=dtype)

        table = cls(
            divisor=column(), is_greedy=column(torch.bool), repetition_penalty=column(), min_p=column(), tail=column(),
            dropped=column(torch.int64), cfg_weight=column(), vocabulary=vocabulary,
        )  # fmt: skip
        for row, sampling in enumerate(samplings):
            table.put(row, sampling)
        return table

    def put(self, row: int, sampling: Sampling) -> None:
        self.divisor[row].fill_(divisor_of(sampling.temperature))  # a fill carries its value: no copy, no sync
        self.is_greedy[row].fill_(sampling.temperature == 0.0)
        self.repetition_penalty[row].fill_(sampling.repetition_penalty)
        self.min_p[row].fill_(sampling.min_p)
        self.tail[row].fill_(1.0 - sampling.top_p if sampling.top_p < 1.0 else -1.0)
        self.dropped[row].fill_(max(self.vocabulary - sampling.top_k, 0) if sampling.top_k else 0)
        self.cfg_weight[row].fill_(sampling.cfg_weight)

    def first(self, rows: int) -> SamplingRows:
        """The first `rows` rows, as views."""
        columns = (field.name for field in fields(self) if field.name != "vocabulary")
        return replace(self, **{name: getattr(self, name)[:rows] for name in columns})


def divisor_of(temperature: float) -> float:
    """What logits are divided by: the temperature, or 1 if it is 0; never so little that they overflow."""
    return max(temperature, _LEAST_TEMPERATURE) if temperature else 1.0


def guide(conditional: Tensor, unconditional: Tensor, cfg_weight: Tensor) -> Tensor:
    """Classifier-free guidance, (n, V) each: c + w (c - u), upstream `T3.inference`."""
    return torch.addcmul(conditional, cfg_weight, conditional - unconditional)


def penalise(logits: Tensor, penalties: Tensor) -> Tensor:
    """Divide positive and multiply negative logits by the penalties, (n, V) both: those of tokens already seen, else 1.

    Keskar et al. 2019, as in Hugging Face.
    """
    return torch.where(logits < 0, logits * penalties, logits / penalties)


def filter_llama(logits: Tensor, penalties: Tensor, rows: SamplingRows, *, sorts: bool) -> Tensor:
    """Upstream `T3.inference`: penalty, temperature, min_p, top_p. Logits (n, V) -> (n, V), -inf for removed tokens."""
    logits = penalise(logits, penalties) / rows.divisor
    probabilities = logits.softmax(-1)
    # min_p is at most 1, so the most probable token always stays
    logits = logits.masked_fill(probabilities < rows.min_p * probabilities.amax(-1, keepdim=True), -torch.inf)
    return _nucleus(logits, rows) if sorts else logits


def filter_gpt2(logits: Tensor, penalties: Tensor, rows: SamplingRows, *, sorts: bool) -> Tensor:
    """Upstream `T3.inference_turbo`: temperature, top_k, top_p, then the penalty. Shapes as in `filter_llama`."""
    logits = logits / rows.divisor
    return penalise(_nucleus(logits, rows) if sorts else logits, penalties)


def draw(logits: Tensor, noise: Tensor, rows: SamplingRows) -> Tensor:
    """One token per row (n,): argmax of p / q with q ~ Exp(1), which is how torch.multinomial draws a single sample."""
    return (logits.softmax(-1) / noise.masked_fill(rows.is_greedy, 1.0)).argmax(-1)


def _nucleus(logits: Tensor, rows: SamplingRows) -> Tensor:
    """top_k, then top_p among the rest, from one ascending sort.

    Ties at the edge of top_k all stay; ties at the edge of top_p are decided by index.
    """
    ascending, order = _ascending(logits, rows)
    count, size = ascending.shape[-1], logits.shape[-1]
    dropped = rows.dropped if count == size else rows.dropped - (size - count)
    kept = ascending.masked_fill(ascending < ascending.gather(-1, dropped), -torch.inf)
    improbable = kept.softmax(-1).cumsum(-1)[:, :-1] <= rows.tail  # not the last: at least one token stays
    kept[:, :-1].masked_fill_(improbable, -torch.inf)
    out = torch.empty_like(logits) if count == size else torch.full_like(logits, -torch.inf)
    return out.scatter_(-1, order, kept)


def _ascending(logits: Tensor, rows: SamplingRows) -> tuple[Tensor, Tensor]:
    """Logits in ascending order and their indices, (n, m) both; equal logits in the order of their indices.

    m is the whole vocabulary or, on a CPU, the largest top_k, which is a tenth of the work.
    """
    size = logits.shape[-1]
    # on a GPU, reading it would wait for the device
    most = size - int(rows.dropped.min()) if logits.device.type == "cpu" else size
    if most < size:
        indices = logits.topk(most, sorted=False).indices.sort().values
        top, within = logits.gather(-1, indices).sort(dim=-1, stable=True)
        # else there are ties at the edge, and all of them stay
        if bool(((logits >= top[:, :1]).sum(-1) == most).all()):
            return top, indices.gather(-1, within)
    return logits.sort(dim=-1, stable=True)


class CounterNoise:
    """-log of uniform numbers that depend only on (seed, step, token): see `counter`.

    An utterance's keys are computed when it starts, so that a step has only the tokens to hash.
    """

    def __init__(self, slots: int, steps: int, vocabulary: int, device: torch.device) -> None:
        """For utterances of at most `steps` steps."""
        self.keys = torch.zeros(slots, steps, device=device, dtype=torch.int64)
        self._steps = torch.arange(steps, device=device)
        self._tokens = counters(vocabulary, device=device)

    def seed(self, slot: int, seed: int) -> None:
        self.keys[slot] = keys(torch.full_like(self._steps, seed), self._steps)

    def __call__(self, steps: Tensor) -> Tensor:
        keys_now = self.keys[: len(steps)].gather(1, steps[:, None])[:, 0]
        return -torch.log(uniform_at(keys_now, self._tokens))
