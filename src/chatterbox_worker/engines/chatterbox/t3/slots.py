"""A batch of utterances in generation: they join and leave at any step, and a step draws one token for each.

Everything that a step needs is in device tensors of static shape, so that a step is a replay of one CUDA graph and
never waits for the host. The shapes stay close to what is needed: a step computes the slots up to the highest active
one, rounded up to a power of two, and attends to the longest active context, on a GPU rounded up to 128. An utterance's
tokens depend only on its own inputs and seed; its neighbours can change the last bits of its logits, because other
shapes run other kernels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.device.graphs import Graphed, recorder_of
from chatterbox_worker.engines.chatterbox.t3.attention import ObservedText, TextAttention
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.decoder import TOKENS_AT_ONCE, Decoder, Shape, TextShape
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import (
    CounterNoise,
    Noise,
    Sampling,
    SamplingRows,
    draw,
    filter_gpt2,
    filter_llama,
    guide,
)
from chatterbox_worker.engines.chatterbox.t3.speculative import MAX_DRAFT_TOKENS, DecodingPosition, SpeculativeDecoder
from chatterbox_worker.errors import InvalidRequest


class Slots(Decoder):
    """One token of each utterance at a step."""

    _reserved = 1

    def __init__(
        self,
        t3: T3,
        size: int,
        length: int,
        noise: Noise | None = None,
        context_step: int | None = None,
        *,
        graphs: bool = True,
        aligned_heads: Sequence[tuple[int, int]] = (),
    ) -> None:
        """`context_step` as in `Decoder`. `noise`: None for `CounterNoise`. `graphs`: whether a GPU replays graphs.
        `aligned_heads`: the (layer, head) whose attention `attention` returns; not observed if the model is too small
        to have them.
        """
        super().__init__(t3, size, length, context_step)
        device = t3.device
        self.tokens = torch.zeros(size, device=device, dtype=torch.int64)
        """(size,) the tokens drawn by the last step."""
        self.logits = torch.zeros(size * t3.rows, t3.vocabulary, device=device)
        """(size * rows, V) float32 for the next step to draw from; a guided utterance has its conditional row first."""
        self._noise = noise or CounterNoise(size, length, t3.vocabulary, device)
        # For every row, so that a step counts all of them at once: how many tokens were drawn, and the next position.
        # An even width: kernels are compiled for addresses that 16 bytes divide.
        width = size * t3.rows + size * t3.rows % 2
        self._counts = torch.zeros(2, width, device=device, dtype=torch.int64)[:, : size * t3.rows]
        self._active = torch.zeros(size * t3.rows, device=device, dtype=torch.int64)
        self._penalties = torch.ones(size, t3.vocabulary, device=device)
        self._sampling = SamplingRows.of([Sampling()] * size, t3.vocabulary, device)
        self._cache = t3.cache(size * t3.rows, length)
        self._row_starts = t3.row_starts(self._cache)
        self._occupants: dict[int, Sampling] = {}
        self._used = [0] * size  # positions filled
        self._drawn = [0] * size
        exist = all(layer < t3.layers and head < t3.heads for layer, head in aligned_heads)
        self._aligned_heads = tuple(aligned_heads) if exist else ()
        self._attention: TextAttention | None = None  # allocated when it is first wanted; graphs keep its address
        self._observed: dict[int, ObservedText] = {}
        # Counted once for all utterances, and added to their own numbers when one joins or leaves.
        self._steps_done = 0
        self._summarise()
        state = [self.tokens, self.logits, self._counts, self._penalties]
        recorder = recorder_of(device, "tokens") if graphs else None
        self._step = Graphed[Shape](self._step_once, recorder, state)
        # Graphs of their own, captured only when they are wanted.
        self._observed_step = Graphed[Shape](functools.partial(self._step_once, observed=True), recorder, state)
        self._prefill = Graphed[TextShape](self._read_text, recorder, [self.logits])
        self._speculative = SpeculativeDecoder(t3)

    @staticmethod
    def sampling(parameters: Mapping[str, float], max_tokens: int) -> Sampling:  # noqa: ARG004 - the scheduler ends it
        return Sampling(**parameters)  # type: ignore[arg-type]  # the parser has checked that top_k is an integer

    @property
    def carried(self) -> Tensor:
        """The logits."""
        return self.logits

    def remaining_steps(self, slot: int) -> int:
        done = self._steps_done if slot in self._occupants else 0
        return min(self.length - self._used[slot], self.t3.max_new_tokens - self._drawn[slot]) - done

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
        observe: bool = False,
    ) -> None:
        self._check_free(slot)
        if isinstance(sampling, BlockSampling) or (
            sampling.min_p or sampling.cfg_weight if self.t3.is_gpt else sampling.top_k
        ):
            raise ValueError(f"this model does not sample with {sampling}")
        embeddings = self.t3.embed_text(text_ids)
        if observe and self._aligned_heads and self._attention is None:
            self._attention = TextAttention(self.t3, self._aligned_heads, self.size, self.length)
        text = embeddings.shape[1]
        padded = -(-text // self._text_step) * self._text_step
        filled = prefix.length + text
        if prefix.length + padded >= min(self.length, self.t3.positions):
            raise InvalidRequest(
                f"The text has {len(text_ids)} tokens, more than fit into the context together with the voice.",
                field="text",
            )
        first = slot * self.t3.rows
        own_cache = self._cache[:, first : first + self.t3.rows]
        own_cache[:, :, :, : prefix.length] = prefix.keys_values[:, None]
        self._clear(slot, filled, max(prefix.length + padded, filled + len(tokens)))
        embeddings = torch.nn.functional.pad(embeddings, (0, 0, 0, padded - text))
        shape = self.context_of(prefix.length + padded), padded
        self._prefill(shape, *self._text(embeddings, first, prefix.length, text))
        ids = self._read_drawn(slot, filled, tokens, observe=observe) if tokens else None
        self._sampling.put(slot, sampling)
        self._noise.seed(slot, seed)
        self._penalties[slot].fill_(1.0)  # an assignment to one element would wait for the device
        if ids is None or not self.t3.is_gpt:
            self._penalties[slot, self.t3.bos].fill_(sampling.repetition_penalty)
        if ids is not None:
            self._penalties[slot].index_fill_(0, ids, sampling.repetition_penalty)
        used = filled + len(tokens)
        self._set_counts(slot, drawn=len(tokens), position=used, active=1)
        self._settle()
        self._occupants[slot], self._used[slot], self._drawn[slot] = sampling, used, len(tokens)
        if observe and self._aligned_heads:
            self._observed[slot] = ObservedText(prefix.length, len(text_ids), filled)
        self._summarise()

    def _read_drawn(self, slot: int, start: int, tokens: Sequence[int], *, observe: bool) -> Tensor:
        """Read tokens that were drawn elsewhere, from position `start` on, and return them on the device."""
        t3, attention = self.t3, self._attention if observe else None
        ids = t3.to_device(tokens)
        steps = torch.arange(len(tokens), device=t3.device)
        x = t3.embed_speech(ids, steps).view(len(tokens), t3.rows, t3.width).transpose(0, 1)
        observer = None if attention is None else functools.partial(attention.observer, first=slot)
        hidden = self._read_tokens(slot, start, x, TOKENS_AT_ONCE, observer=observer)
        self.logits[slot * t3.rows : (slot + 1) * t3.rows] = t3.logits(hidden)
        return ids

    @property
    def steps_left(self) -> int:
        return self._most_steps - self._steps_done

    def release(self, slot: int) -> None:
        self._settle()
        del self._occupants[slot]
        self._dirty[slot] = max(self._dirty[slot], self._used[slot] + MAX_DRAFT_TOKENS)
        self._observed.pop(slot, None)
        self._summarise()
        self._speculative.reset()  # also for a neighbour: it was not called in the steps of both
        self._set_counts(slot, drawn=0, position=0, active=0)

    def _set_counts(self, slot: int, *, drawn: int, position: int, active: int) -> None:
        rows = slice(slot * self.t3.rows, (slot + 1) * self.t3.rows)
        for tensor, value in ((self._counts[0], drawn), (self._counts[1], position), (self._active, active)):
            tensor[rows].fill_(value)

    @torch.inference_mode()
    def step(self) -> Tensor:
        """As in `Decoder`: one token for every active slot, which continues after its `T3.eos` until it is released.

        Raises:
            ValueError: an active slot is full.
        """
        if not self._occupants:
            return self.tokens
        if self.steps_left < 1:
            raise ValueError(f"slots {[slot for slot in self._occupants if self.remaining_steps(slot) < 1]} are full")
        (self._observed_step if self._observed else self._step)(self.next_shape)
        self._steps_done += 1
        return self.tokens

    def read(self, output: Tensor) -> list[list[int]]:
        """The token that each slot has drawn; of `tokens` on the host."""
        return [[token] for token in output.tolist()]

    @torch.inference_mode()
    def attention(self, slot: int, tokens: int) -> Tensor | None:
        text = self._observed.get(slot)
        if text is None or self._attention is None:
            return None
        return self._attention.read(self._cache, slot, text, tokens)

    def step_shapes(self, *, sorts: bool) -> list[Shape]:
        return self._all_step_shapes(sorts=sorts)

    @torch.inference_mode()
    def _warm_observed_step(self, shape: Shape) -> bool:
        return self._observed_step.capture(shape)

    def wanted(self) -> Callable[[], bool] | None:
        if not self._step.wanted and (observed := self._observed_step.wanted):
            return functools.partial(self._warm_observed_step, observed[0])
        return super().wanted()

    def close(self) -> None:
        self._observed_step.close()
        super().close()

    def _settle(self) -> None:
        """Add the steps since the last time to the utterances' own numbers."""
        for slot in self._occupants:
            self._used[slot] += self._steps_done
            self._drawn[slot] += self._steps_done
        self._steps_done = 0

    def _summarise(self) -> None:
        """What a step needs to know of all utterances, while their own numbers are settled."""
        occupants = self._occupants
        self._most_steps = min((self.remaining_steps(slot) for slot in occupants), default=self.length)
        self._most_used = max((self._used[slot] for slot in occupants), default=0)
        self._computed = min(1 << max(occupants, default=0).bit_length(), self.size)
        self._sorts = any(sampling.sorts for sampling in occupants.values())

    @property
    def next_shape(self) -> Shape:
        return self._computed, self.context_of(self._most_used + self._steps_done + 1), self._sorts

    def _read_text(self, shape: TextShape, embeddings: Tensor, rows: Tensor, positions: Tensor, last: Tensor) -> None:
        context, _ = shape
        at = positions.expand(self.t3.rows, -1)
        hidden = self.t3.forward(embeddings, self._cache, at, context, rows)
        self.logits.index_copy_(0, rows, self.t3.logits(hidden.index_select(1, last)[:, 0]))

    def _step_once(self, shape: Shape, *, observed: bool = False) -> None:
        slots, length, sorts = shape
        t3, rows = self.t3, slots * self.t3.rows
        logits, penalties, penalty = (
            self.logits[:rows],
            self._penalties[:slots],
            self._sampling.repetition_penalty[:slots],
        )
        counts = self._counts[:, :rows]
        steps, positions = counts[0, :: t3.rows], counts[1]
        attention = self._attention if observed else None
        tokens = self._draw(logits, penalties, steps, sorts=sorts)
        if t3.draft is not None and slots == 1 and self._context_step == 1:
            draw_next = functools.partial(self._draw, sorts=sorts)
            start = DecodingPosition(
                self._cache,
                self._used[0] + self._steps_done,
                self._drawn[0] + self._steps_done,
                penalties,
                penalty,
                remaining=self.remaining_steps(0) - 1,
                attention=attention,
            )
            next_logits = self._speculative.next_logits(tokens, t3.draft, start, draw_next)
        else:
            x = t3.embed_speech(tokens, steps)
            unmasked = slots == 1 and self._context_step == 1
            hidden = t3.forward(
                x,
                self._cache,
                positions[:, None],
                length,
                row_starts=self._row_starts,
                unmasked=unmasked,
                observe=None if attention is None else attention.observer(positions[:, None]),
            )
            next_logits = t3.logits(hidden[:, 0])
        is_first = steps == 0
        # State changes only after everything that can run out of memory, so that a failed step can be repeated.
        logits.copy_(next_logits)
        if t3.is_gpt:  # upstream penalises the BOS for the first token only
            penalties[:, t3.bos].masked_fill_(is_first, 1.0)
        penalties.scatter_(1, tokens[:, None], penalty)
        self.tokens[:slots] = tokens
        counts += self._active[:rows]

    def _draw(self, logits: Tensor, penalties: Tensor, steps: Tensor, *, sorts: bool) -> Tensor:
        """The next tokens (n,) of the first n slots, by logits (n * rows, V), penalties (n, V) and steps (n,)."""
        rows, noise_of = self._sampling.first(len(steps)), self._noise
        if self.t3.uses_kernels and logits.is_cuda and isinstance(noise_of, CounterNoise):
            return operators.sample(
                logits, penalties, noise_of.keys, steps, rows, guided=not self.t3.is_gpt, sorts=sorts
            )
        noise = noise_of(steps)
        if self.t3.is_gpt:
            return draw(filter_gpt2(logits, penalties, rows, sorts=sorts), noise, rows)
        guided = guide(logits[0::2], logits[1::2], rows.cfg_weight)
        return draw(filter_llama(guided, penalties, rows, sorts=sorts), noise, rows)
