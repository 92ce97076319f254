"""What a run trains, and the T3 that results from it.

* an adapter: small matrices added to the attention, which a voice file has;
* the rows of new text tokens, with or without an adapter: the result is a whole T3, whose other rows are the base's to
  the bit, and without an adapter all other weights too;
* all weights of T3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout
from chatterbox_worker.engines.chatterbox.serving.adapters import MergedWeights
from chatterbox_worker.engines.chatterbox.training.module import (
    ROWS,
    Shape,
    T3Module,
    add_adapter,
    add_trained_rows,
    train_all,
)
from chatterbox_worker.engines.chatterbox.training.voice import adapter_of

_TABLES = ("text_emb.weight", "text_head.weight")
_TAG = re.compile(r"\[[a-z]{2}\]")


@dataclass(frozen=True, slots=True)
class Scope:
    adapter: Shape | None = None
    new_rows: int = 0
    """Text tokens that the base does not have, the last ones."""
    whole: bool = False
    """All weights are trained, new rows among them, and no adapter."""

    @property
    def makes_model(self) -> bool:
        """Whether the result is a T3, not an adapter for the base's."""
        return self.whole or self.new_rows > 0

    def mark(self, module: T3Module, layout: Layout, *, seed: int) -> T3Module:
        """Add what is trained to upstream's frozen T3, and return it."""
        if self.whole:
            return train_all(module)
        if self.adapter is not None:
            add_adapter(module, layout, self.adapter, seed=seed)
        return add_trained_rows(module, self.new_rows) if self.new_rows else module

    def merge(self, base: Mapping[str, Tensor], tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
        """The T3 that was trained. `base` has rows for the new tokens; `tensors` are `Trainer.trained()`."""
        own = {name: value for name, value in tensors.items() if name in base}
        rows = {
            name: torch.cat([value[: -self.new_rows], tensors[trained]])
            for name, value in base.items()
            if (trained := name.removesuffix(".weight") + ROWS) in tensors
        }
        low_rank = {name: value for name, value in tensors.items() if not name.endswith(ROWS)}
        if self.adapter is None or not low_rank:
            return {**base, **own, **rows}
        merged = MergedWeights(base, adapter_of(low_rank, layout, "", self.adapter, half=False))
        return {**{name: merged[name] for name in merged}, **rows}


def add_rows(state: Mapping[str, Tensor], tokens: Mapping[str, int]) -> dict[str, Tensor]:
    """T3's weights with a row for each token that it does not have, in the embedding and in the text head.

    A language's tag begins as the mean of the tags that there are, and a character as the mean of all characters.

    Args:
        state: with tables of (old, width).
        tokens: of the extended tokenizer, with their ids; those from `old` on are new.
    """
    old = len(state[_TABLES[0]])
    new = sorted((number, token) for token, number in tokens.items() if number >= old)
    tags = [number for token, number in tokens.items() if number < old and _TAG.fullmatch(token)]
    characters = [number for token, number in tokens.items() if number < old and len(token) == 1]
    grown = {}
    for name in _TABLES:
        table = state[name]
        means = {True: table[tags].mean(0), False: table[characters].mean(0)}
        grown[name] = torch.cat([table, torch.stack([means[len(token) > 1] for _, token in new])])
    return {**state, **grown}
