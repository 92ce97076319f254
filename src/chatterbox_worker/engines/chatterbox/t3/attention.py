"""How the heads that follow the text attend to it, read once at the end of an utterance.

Only the queries of those heads are stored while an utterance is generated. The keys are in the cache anyway, so their
products, and with them the attention of every step, are computed when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.t3.model import T3

Observe = Callable[[int, Tensor], None]
"""(layer, its rotated queries (r, n, heads, head_dim)) -> None."""


@dataclass(frozen=True, slots=True)
class ObservedText:
    """Where the text of an observed utterance is in its slot's cache."""

    start: int
    size: int
    filled: int
    """The position of the first token that is drawn."""


class TextAttention:
    """The queries of some heads at every position of `size` slots, and their attention.

    Nothing here waits for the device, and `observer` can be captured in a CUDA graph. For one thread and one stream.
    """

    def __init__(self, t3: T3, heads: Sequence[tuple[int, int]], size: int, length: int) -> None:
        """`heads`: (layer, head). Takes size * length * 64 * heads values of T3's dtype."""
        self._t3, self._heads, self._length = t3, tuple(heads), length
        dtype = t3.dtype
        self._queries = [torch.zeros(size * length, t3.head_dim, device=t3.device, dtype=dtype) for _ in self._heads]
        self._starts = torch.arange(size, device=t3.device)[:, None] * length

    def observer(self, positions: Tensor, first: int = 0) -> Observe:
        """For `T3.forward` at these positions (r, n) of the rows from slot `first` on: stores the conditional rows'
        queries.
        """
        rows = self._t3.rows
        at = (self._starts[first : first + len(positions) // rows] + positions[::rows]).flatten()

        def observe(layer: int, query: Tensor) -> None:
            for (observed, head), queries in zip(self._heads, self._queries, strict=True):
                if observed == layer:
                    queries.index_copy_(0, at, query[::rows, :, head].flatten(0, 1))

        return observe

    def read(self, cache: Tensor, slot: int, text: ObservedText, tokens: int) -> Tensor:
        """The attention to the text of the queries at the first `tokens` drawn tokens: (heads, tokens, text), float32.

        softmax(q k / sqrt(d)) over all earlier positions, as in the models, of which the text's are returned.
        """
        last = text.filled + tokens
        visible = torch.ones(tokens, last, dtype=torch.bool, device=cache.device).tril(text.filled)
        first = slot * self._length + text.filled
        rows = []
        for (layer, head), queries in zip(self._heads, self._queries, strict=True):
            query, key = queries[first : first + tokens], cache[layer, slot * self._t3.rows, head, :last]
            scores = (query.float() @ key.float().T) / self._t3.head_dim**0.5
            weights = scores.masked_fill(~visible, -torch.inf).softmax(-1)
            rows.append(weights[:, text.start : text.start + text.size])
        return torch.stack(rows)
