"""A batch that decodes speech tokens, as the scheduler sees it, and what its two kinds share.

The kinds are `slots.Slots` and `block_slots.BlockSlots`.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Graphed
from chatterbox_worker.engines.chatterbox.t3.attention import Observe
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling

CONTEXT_STEP = 128  # positions, on a GPU: a smaller step means more graphs, a larger one reads more than is used
TEXT_STEP = 32  # positions, on a GPU: texts are padded to a captured length
LONGEST_TEXT = 512  # positions that are captured in advance; longer texts run without a graph
TOKENS_AT_ONCE = TEXT_STEP  # of an utterance's own tokens: no more than the shortest text on a GPU

Shape = tuple[int, int, bool]
"""Slots computed, positions attended to, whether the logits are sorted."""
TextShape = tuple[int, int]
"""Positions attended to, positions read."""


class Decoder(ABC):
    """Utterances in slots: they join and leave at any step. For one thread and one stream."""

    tokens: Tensor
    """(size, ...) int64: what the last step has left for `read`."""
    _occupants: Mapping[int, object]
    _cache: Tensor
    _step: Graphed[Shape]
    _prefill: Graphed[TextShape]
    _reserved: int
    """Positions that a text must leave free."""

    def __init__(self, t3: T3, size: int, length: int, context_step: int | None) -> None:
        """`size` slots of `length` positions each.

        `context_step`: contexts are rounded up to its multiples; None for 128 on a GPU and 1 on a CPU, where no mask is
        needed then.
        """
        self.t3, self.size, self.length = t3, size, length
        self._context_step = context_step or (CONTEXT_STEP if t3.device.type == "cuda" else 1)
        self._text_step = TEXT_STEP if self._context_step > 1 else 1
        self._dirty = [0] * size  # positions of each slot that may have been written

    @staticmethod
    @abstractmethod
    def sampling(parameters: Mapping[str, float], max_tokens: int) -> Sampling | BlockSampling:
        """How an utterance of at most so many tokens is sampled, from the model's own parameters.

        Raises:
            InvalidRequest: a parameter is out of its range.
        """

    @property
    @abstractmethod
    def carried(self) -> Tensor:
        """What the next step goes on from."""

    @property
    @abstractmethod
    def steps_left(self) -> int:
        """How many more steps every utterance can take; without utterances, as many as the slots are long."""

    @property
    @abstractmethod
    def next_shape(self) -> Shape:
        """Of the next step."""

    def has_overflowed(self, slot: int) -> bool:
        """Whether what the slot's next step goes on from is not finite. Waits for the device."""
        rows = self.t3.rows
        return not bool(self.carried[slot * rows : (slot + 1) * rows].isfinite().all())

    @abstractmethod
    def remaining_steps(self, slot: int) -> int:
        """How many more tokens the slot's utterance can have."""

    @abstractmethod
    def prefill(
        self,
        slot: int,
        prefix: Prefix,
        text_ids: Sequence[int],
        sampling: Sampling | BlockSampling,
        seed: int,
        *,
        tokens: Sequence[int] = (),
        observe: bool = False,
    ) -> None:
        """Put an utterance into a free slot; the next step is its first, or the one after `tokens`.

        `text_ids` as in `T3.embed_text`; `seed` is 0 to 2**63 - 1. `tokens`: those that `read` has returned for it in
        another slot or batch, none of which ended it. They are read after the text, and it goes on as it would have
        there. `observe`: its attention to the text is wanted.

        Raises:
            InvalidRequest: the text does not fit.
            ValueError: the slot is taken, or the ids or the sampling are not the model's.
        """

    @abstractmethod
    def step(self) -> Tensor:
        """One step of every utterance. Returns `tokens`, which the next step overwrites.

        Nothing waits for the device: read the tokens through a pinned copy, enqueued before the next step. Entries of
        free slots have no meaning. Without utterances nothing happens.
        """

    @abstractmethod
    def read(self, output: Tensor) -> list[list[int]]:
        """The tokens that the step with this output has completed, by slot. `output`: a copy of `tokens`, on the host.

        A stop token is the last of its utterance's tokens that count. Call it in the order of the steps.
        """

    @abstractmethod
    def attention(self, slot: int, tokens: int) -> Tensor | None:
        """How the queries at the slot's first `tokens` tokens attend to its text; None if it is not observed.

        (heads, tokens, text ids), float32, on the device, without waiting for it. The query at a token predicts the
        next one.
        """

    @abstractmethod
    def release(self, slot: int) -> None:
        """Free the slot of its utterance. Raises KeyError if it has none."""

    @abstractmethod
    def step_shapes(self, *, sorts: bool) -> list[Shape]:
        """All shapes that steps can have, those of few slots and short contexts first."""

    @property
    def free(self) -> list[int]:
        """Slots without an utterance. Use the lowest: a step costs as much as its highest slot."""
        return [slot for slot in range(self.size) if slot not in self._occupants]

    @property
    def active(self) -> list[int]:
        return sorted(self._occupants)

    def release_all(self) -> None:
        """Free all slots."""
        for slot in self.active:
            self.release(slot)

    def text_shapes(self, prefix_length: int) -> list[TextShape]:
        """The shapes of texts after such a prefix, the short ones first."""
        longest = min(LONGEST_TEXT, min(self.length, self.t3.positions) - prefix_length - self._reserved)
        return [
            (self.context_of(prefix_length + padded), padded)
            for padded in range(self._text_step, longest + 1, self._text_step)
        ]

    @torch.inference_mode()
    def warm_step(self, shape: Shape) -> bool:
        """Capture the step of this shape in advance, if there is memory for it; no utterance changes."""
        return self._step.capture(shape)

    @torch.inference_mode()
    def warm_text(self, shape: TextShape) -> bool:
        """The same for texts. Raises ValueError if no slot is free to write to."""
        if not self.free:
            raise ValueError("no slot is free")
        context, padded = shape
        size = (self.t3.rows, padded, self.t3.width)
        embeddings = torch.zeros(size, device=self.t3.device, dtype=self.t3.dtype)
        row = self.free[0] * self.t3.rows
        return self._prefill.capture(shape, *self._text(embeddings, row, context - padded, padded))

    def wanted(self) -> Callable[[], bool] | None:
        """The capture of a shape that has run twice without a graph; None if none is needed, or possible now."""
        if shapes := self._step.wanted:
            return functools.partial(self.warm_step, shapes[0])
        if (texts := self._prefill.wanted) and self.free:
            return functools.partial(self.warm_text, texts[0])
        return None

    def close(self) -> None:
        """Free the cache and the graphs at once. Nothing may be called afterwards."""
        self._step.close()
        self._prefill.close()
        self._cache = self._cache.new_zeros(0)

    def context_of(self, positions: int) -> int:
        """How many positions are attended to when this many are filled."""
        return min(-(-positions // self._context_step) * self._context_step, self.length)

    def _check_free(self, slot: int) -> None:
        if slot not in range(self.size) or slot in self._occupants:
            raise ValueError(f"slot {slot} is not free; free are {self.free}")

    def _clear(self, slot: int, start: int, end: int) -> None:
        """Zero what was written from `start` on, before a text whose padding reaches up to `end` is read.

        Attention masks it, but 0 * inf is not 0.
        """
        first = slot * self.t3.rows
        self._cache[:, first : first + self.t3.rows, :, start : self._dirty[slot]].fill_(0)
        self._dirty[slot] = end

    def _read_tokens(
        self,
        slot: int,
        start: int,
        embeddings: Tensor,
        part: int,
        *,
        in_blocks: bool = False,
        observer: Callable[[Tensor], Observe] | None = None,
    ) -> Tensor:
        """Read an utterance's own tokens, embeddings (rows, n, width), from position `start` on.

        `part` of them at a time, so that little memory is needed; `in_blocks`: each part attends to itself as a whole.
        `observer` as `TextAttention.observer` of this slot. Returns the last hidden state, (rows, width).
        """
        rows = self.t3.rows
        cache, hidden = self._cache[:, slot * rows : (slot + 1) * rows], embeddings
        for x in torch.split(embeddings, part, 1):
            end = start + x.shape[1]
            positions = torch.arange(start, end, device=self.t3.device).expand(rows, -1)
            hidden = self.t3.forward(
                x, cache, positions, self.context_of(end),
                until=torch.full_like(positions, end - 1) if in_blocks else None,
                observe=None if observer is None else observer(positions),
            )  # fmt: skip
            start = end
        return hidden[:, -1]

    def _all_step_shapes(self, *, sorts: bool) -> list[Shape]:
        counts = [count for count in (1 << bit for bit in range(self.size.bit_length())) if count < self.size]
        contexts = range(self._context_step, self.length + self._context_step, self._context_step)
        return [(count, min(context, self.length), sorts) for count in (*counts, self.size) for context in contexts]

    def _text(self, embeddings: Tensor, row: int, start: int, size: int) -> tuple[Tensor, ...]:
        """The inputs of `_prefill`: a text of `size` positions from `start` on, in the cache's rows from `row` on."""
        rows = torch.arange(row, row + self.t3.rows, device=self.t3.device)
        positions = torch.arange(start, start + embeddings.shape[1], device=self.t3.device)
        return embeddings, rows, positions, torch.full((1,), size - 1, device=self.t3.device)
