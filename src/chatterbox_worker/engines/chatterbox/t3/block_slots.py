"""A batch of utterances that are decoded in blocks, each in a block and a pass of its own (Chatterbox-Flash).

A block starts as [MASK] at every position. A pass reads the whole block and what precedes it, draws a token for every
position and keeps some (`block_sampling`). Once none is left, the next pass reads the complete block: it leaves its
keys and values for the blocks that follow and the hidden state that predicts their first token; every other token is
predicted by the hidden state before it. A stop token ends the utterance with its block.

A step is one pass of every utterance, whichever it is in. Its shapes depend on the number of slots and the longest
context only, so it is a replay of one CUDA graph and never waits for the host. An utterance's tokens depend only on its
own inputs and seed; its neighbours can change the last bits of its logits, because other shapes run other kernels.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Graphed, recorder_of
from chatterbox_worker.engines.chatterbox.t3.block_sampling import (
    BLOCK,
    MOST_PASSES,
    BlockNoise,
    BlockRows,
    BlockSampling,
    CounterBlockNoise,
    choose,
    draw_block,
)
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder, Shape, TextShape
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.errors import InvalidRequest

_TOKENS_PER_TEXT_TOKEN, _FEWEST_TOKENS = 6, 300  # the package's limit of an utterance: tts.py, 0.1.0
_COMPLETE, _START, _UTTERANCE, _STEPS = range(BLOCK, BLOCK + 4)
"""Columns of `BlockSlots.tokens` after those of the block."""


@dataclass(slots=True)
class _Occupant:
    """What the host knows of an utterance; the device is ahead of it."""

    number: int
    filled: int
    """Positions before its first block."""
    budget: int
    block_size: int
    start: int
    """Where its block started after `known` steps."""
    known: int = 0
    taken: int = 0

    @property
    def end(self) -> int:
        """No position from here on is written by its next step: a block takes two steps at least."""
        started = self.start + self.block_size * -(-(self.taken - self.known) // 2)
        last = self.filled + (self.budget - 1) // self.block_size * self.block_size
        return min(started, last) + BLOCK


class BlockSlots(Decoder):
    """One pass over the block of each utterance at a step."""

    _reserved = BLOCK

    def __init__(
        self,
        t3: T3,
        size: int,
        length: int,
        noise: BlockNoise | None = None,
        context_step: int | None = None,
        *,
        graphs: bool = True,
        aligned_heads: Sequence[tuple[int, int]] = (),  # noqa: ARG002 - as of every decoder
    ) -> None:
        """`context_step` as in `Decoder`. `noise`: None for `CounterBlockNoise`. `graphs`: whether a GPU replays
        them. No attention is observed, whatever `aligned_heads` are.

        Raises:
            ValueError: the model does not decode in blocks.
        """
        if t3.mask is None:
            raise ValueError("this model has no [MASK]")
        super().__init__(t3, size, length, context_step)
        self._mask = t3.mask
        device = t3.device
        self.tokens = torch.zeros(size, BLOCK + 4, device=device, dtype=torch.int64)
        """(size, BLOCK + 4): each slot's block after the last step, and how far it is; see `read`."""
        self._noise = noise or CounterBlockNoise(size, t3.vocabulary, device)
        self._offsets = torch.arange(BLOCK, device=device)
        self._block = torch.full((size, BLOCK), self._mask, device=device, dtype=torch.int64)
        self._counts = torch.zeros(6, size, device=device, dtype=torch.int64)
        # rows of the counts: the block's start in the cache, tokens left in the budget, the block's number, the pass's
        # number in it, the utterance, the steps it has taken
        self._start, self._left, self._number, self._pass, self._utterance, self._steps = self._counts
        self._left.fill_(BLOCK)
        self._hidden = torch.zeros(size * t3.rows, t3.width, device=device, dtype=t3.dtype)
        self._sampling = BlockRows.empty(size, t3.vocabulary, device)
        self._cache = t3.cache(size * t3.rows, length)
        self._row_starts = t3.row_starts(self._cache)
        self._priors: dict[int, Tensor] = {}
        self._occupants: dict[int, _Occupant] = {}
        self._utterances = 0
        recorder = recorder_of(device, "tokens") if graphs else None
        self._step = Graphed[Shape](self._step_once, recorder, [self.tokens, self._block, self._counts, self._hidden])
        self._prefill = Graphed[TextShape](self._read_text, recorder, [self._hidden])
        self._log_prior(BLOCK)

    @staticmethod
    def sampling(parameters: Mapping[str, float], max_tokens: int) -> BlockSampling:
        return BlockSampling(**parameters, max_tokens=max_tokens)  # type: ignore[arg-type]  # the parser checks integers

    @property
    def carried(self) -> Tensor:
        """(size * rows, width): the last hidden states before each block."""
        return self._hidden

    def remaining_steps(self, slot: int) -> int:
        return self._occupants[slot].budget

    @property
    def steps_left(self) -> int:
        """Always one: an utterance that has used its budget up does not change any more."""
        return 1

    @torch.inference_mode()
    def prefill(
        self,
        slot: int,
        prefix: Prefix,
        text_ids: Sequence[int],
        sampling: Sampling | BlockSampling,
        seed: int,
        *,
        tokens: Sequence[int] = (),
        observe: bool = False,  # noqa: ARG002 - as of every decoder
    ) -> None:
        self._check_free(slot)
        if not isinstance(sampling, BlockSampling):
            raise ValueError(f"this model does not sample with {sampling}")  # noqa: TRY004 - as the other decoder
        embeddings = self.t3.embed_text(text_ids)
        text = embeddings.shape[1]
        padded = -(-text // self._text_step) * self._text_step
        filled = prefix.length + text
        room = min(self.length, self.t3.positions) - BLOCK - filled
        if prefix.length + padded > self.length or room < 0:
            raise InvalidRequest(
                f"The text has {len(text_ids)} tokens, more than fit into the context together with the voice.",
                field="text",
            )
        first = slot * self.t3.rows
        own_cache = self._cache[:, first : first + self.t3.rows]
        own_cache[:, 0, :, : prefix.length] = prefix.keys_values
        own_cache[:, 1, :, : prefix.length].fill_(0)  # nothing but zeros comes out of layers without biases for zeros
        self._clear(slot, filled, max(prefix.length + padded, filled + len(tokens)))
        embeddings = torch.nn.functional.pad(embeddings, (0, 0, 0, padded - text))
        shape = self.context_of(prefix.length + padded), padded
        self._prefill(shape, *self._text(embeddings, first, prefix.length, text))
        if tokens:
            blocks_read = self.t3.embed_block(self.t3.to_device(tokens).view(-1, sampling.block_size)).flatten(0, 1)
            spoken = blocks_read.expand(self.t3.rows, -1, -1)
            last = self._read_tokens(slot, filled, spoken, sampling.block_size, in_blocks=True)
            self._hidden[first : first + self.t3.rows] = last
        blocks = room // sampling.block_size + 1
        budget = min(
            sampling.max_tokens,
            max(_TOKENS_PER_TEXT_TOKEN * len(text_ids), _FEWEST_TOKENS),
            blocks * sampling.block_size,
        )
        self._sampling.put(slot, sampling, self._log_prior(sampling.block_size))
        self._noise.seed(slot, seed)
        self._utterances += 1
        self._block[slot].fill_(self._mask)
        start, left, number = filled + len(tokens), budget - len(tokens), len(tokens) // sampling.block_size
        for counts, value in zip(self._counts, (start, left, number, 0, self._utterances, 0), strict=True):
            counts[slot].fill_(value)
        self._occupants[slot] = _Occupant(self._utterances, start, left, sampling.block_size, start)

    def release(self, slot: int) -> None:
        self._left[slot].fill_(1)  # its block is the last: steps of higher slots compute it too
        self._dirty[slot] = max(self._dirty[slot], self._occupants.pop(slot).end)

    @torch.inference_mode()
    def step(self) -> Tensor:
        if self._occupants:
            self._step(self.next_shape)
            for occupant in self._occupants.values():
                occupant.taken += 1
        return self.tokens

    def read(self, output: Tensor) -> list[list[int]]:
        """The tokens of each slot's block if a step has completed it, up to a stop token; of `tokens` on the host."""
        return [self._read_slot(slot, row) for slot, row in enumerate(output.tolist())]

    def _read_slot(self, slot: int, row: list[int]) -> list[int]:
        occupant = self._occupants.get(slot)
        if occupant is None or occupant.number != row[_UTTERANCE]:
            return []
        # the pass over a complete block comes after the step that completes it, so the block starts there still
        done = row[_START] - occupant.filled
        occupant.start, occupant.known = row[_START], row[_STEPS]
        if not row[_COMPLETE]:
            return []
        block = row[: min(occupant.block_size, occupant.budget - done)]
        ended = block[: block.index(self.t3.eos) + 1] if self.t3.eos in block else block
        return [token for token in ended if token != self._mask]

    def attention(self, slot: int, tokens: int) -> None:  # noqa: ARG002 - as of every decoder
        """None: which heads follow the text while blocks are decoded is not known."""
        return

    def step_shapes(self, *, sorts: bool) -> list[Shape]:
        """As in `Decoder`; none that sort logits."""
        return [] if sorts else self._all_step_shapes(sorts=False)

    @property
    def next_shape(self) -> Shape:
        computed = min(1 << max(self._occupants, default=0).bit_length(), self.size)
        end = max((occupant.end for occupant in self._occupants.values()), default=BLOCK)
        return computed, self.context_of(end), False

    @torch.inference_mode()
    def _log_prior(self, block_size: int) -> Tensor:
        """(V,): the logarithm of a masked block's mean distribution after the BOS alone; causal, unlike a pass."""
        if block_size not in self._priors:
            t3 = self.t3
            ids = torch.full((1, 1 + block_size), self._mask, device=t3.device, dtype=torch.int64)
            ids[:, 0].fill_(t3.bos)
            positions = torch.arange(1 + block_size, device=t3.device)[None]
            hidden = t3.forward(t3.embed_block(ids), t3.cache(1, 1 + block_size), positions, 1 + block_size)
            self._priors[block_size] = t3.logits(hidden[0, :block_size]).softmax(-1).mean(0).log()
        return self._priors[block_size]

    def _read_text(self, shape: TextShape, embeddings: Tensor, rows: Tensor, positions: Tensor, last: Tensor) -> None:
        context, _ = shape
        hidden = self.t3.forward(embeddings, self._cache, positions.expand(self.t3.rows, -1), context, rows)
        self._hidden.index_copy_(0, rows, hidden.index_select(1, last)[:, 0])

    def _step_once(self, shape: Shape) -> None:
        slots, length, _ = shape
        t3, count = self.t3, slots * self.t3.rows
        block, rows = self._block[:slots], self._sampling.first(slots)
        start, left, number, passes = (counts[:slots] for counts in self._counts[:4])
        width = torch.minimum(rows.block_size, left)
        is_own = self._offsets < width[:, None]
        masked = (block == self._mask) & is_own
        has_stop = ((block == t3.eos) & is_own).any(1)
        was_complete = has_stop | ~masked.any(1)

        positions = start[:, None] + self._offsets
        until = (start + width - 1)[:, None].expand_as(positions)
        each_row = functools.partial(torch.repeat_interleave, repeats=t3.rows, dim=0, output_size=count)
        hidden = t3.forward(
            each_row(t3.embed_block(block)), self._cache, each_row(positions), length, row_starts=self._row_starts,
            until=each_row(until),
        )  # fmt: skip
        before = torch.cat([self._hidden[:count, None], hidden[:, :-1]], 1)
        logits = t3.logits(before.flatten(0, 1)).view(slots, t3.rows, BLOCK, -1)
        this_pass = passes.clamp(max=MOST_PASSES - 1)
        drawn, scores = draw_block(logits[:, 0], logits[:, 1], self._noise(number, this_pass), rows)
        kept = choose(scores, masked, width, passes, rows.passes) & ~was_complete[:, None]
        denoised = torch.where(kept, drawn, block)

        is_complete = ~((denoised == self._mask) & is_own).any(1) | ((denoised == t3.eos) & is_own).any(1)
        goes_on = was_complete & ~has_stop & (left > width)
        last = hidden.gather(1, each_row(width - 1)[:, None, None].expand(-1, 1, t3.width))[:, 0]
        done = goes_on * width
        following = torch.stack(
            [
                start + done,
                left - done,
                number + goes_on,
                torch.where(goes_on, 0, passes + ~was_complete),
                self._utterance[:slots],
                self._steps[:slots] + 1,
            ]
        )
        # State changes only after everything that can run out of memory, so that a failed step can be repeated.
        shown = [(is_complete & ~was_complete).long(), following[0], following[4], following[5]]
        tokens = torch.cat([denoised, torch.stack(shown, 1)], 1)
        block = denoised.masked_fill(goes_on[:, None], self._mask)
        kept = torch.where(each_row(goes_on)[:, None], last, self._hidden[:count])
        self.tokens[:slots], self._block[:slots], self._hidden[:count] = tokens, block, kept
        self._counts[:, :slots] = following
