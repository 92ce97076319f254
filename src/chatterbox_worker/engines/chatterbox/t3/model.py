"""T3, the model that turns text into speech tokens, for inference.

It is embeddings, a transformer over a static cache, and a head, built from the hub's state dict, whose shapes show
everything but the heads. A `T3` holds weights and no state: the state of utterances is in `slots.Slots`. Prefix, text
and speech are laid out as in upstream's HEAD 5de7a54:

* Llama body: [prefix][text][BOS][BOS], learned positions from 0 within prompt, text and speech, both BOS at speech
  position 0 and generated token i at i + 1; two rows per utterance, the second with the positions of its text but not
  the embeddings.
* GPT-2 body: [prefix][text][BOS], the transformer's own positions only; one row, no guidance.
* Llama body with a row for [MASK] in its speech embedding (Chatterbox-Flash): [prefix][text][BOS], then blocks, each
  with learned positions from 0; in the second row prefix and text are zeros.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_SPEECH, STOP_SPEECH
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import TensorProvider, build_tensor
from chatterbox_worker.engines.chatterbox.device.cpu_products import pack_weight, zeros_on_demand
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.t3.blocks import (
    Block,
    Rotary,
    gpt2_block,
    layer_norm,
    llama_block,
    rms_norm,
)
from chatterbox_worker.engines.chatterbox.t3.conditioning import ConditioningEncoder, conditioning_names
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.engines.chatterbox.t3.kernels.operators import Norm
from chatterbox_worker.engines.chatterbox.t3.linear import Precision, SmallWeights, Source, linear, small_weights
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling, SamplingRows
from chatterbox_worker.errors import InvalidRequest, NotReady

_HEAD_DIM = 64  # of every model upstream has published
_MOST_ROWS = 1024  # of a step by kernels
_TILES = {8: Family.STEP_OF_8, 16: Family.STEP_OF_16}  # by `operators.TILE_ROWS`
_ROTARY_LENGTH = 8192  # beyond it upstream's long-context stretching would matter; GPT-2's table has 8196


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A voice as T3's cache holds it: computed once, copied into every utterance in this voice."""

    keys_values: Tensor
    """(layers, 2 * heads, length, head_dim) in `T3.dtype`, on the model's device."""

    @property
    def length(self) -> int:
        return self.keys_values.shape[2]


class T3:
    bos = START_SPEECH
    eos = STOP_SPEECH

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        *,
        precision: Precision,
        device: torch.device,
        head_dim: int = _HEAD_DIM,
        head: Precision = Precision.EXACT,
        provide: TensorProvider = build_tensor,
    ) -> None:
        """`weights`: upstream's `T3.state_dict()`; what inference does not use may be missing.

        `head`: the precision of the speech head. float32 with every precision of the body, because its share of a step
        is small and a logit's last bits decide tokens. `provide`: see `state_dict`.

        Raises:
            NotReady: a weight is missing, or the precision and the device do not go together.
        """
        self.precision, self.device = precision, device
        self.dtype = precision.dtype_on(device)
        """Of activations, embeddings and the cache."""
        self.kernels: frozenset[Family] = frozenset()
        """Those that a step on a GPU runs instead of torch's; without `Family.STEP` none."""
        self.mask: int | None = None
        """The token that stands for one not yet known, of a model that decodes in blocks; None for all others."""
        self.draft: T3 | None = None
        """The same model with cheaper weights, which drafts tokens (`speculative`)."""
        self.is_gpt = "tfmr.ln_f.weight" in weights
        self.tensors: dict[str, Tensor] = {}
        """Its tensors except norms and biases, on its device, by the names passed to `provide`. A name states which
        weights its tensor is computed from.
        """

        def place(name: str, build: Callable[[], Tensor]) -> Tensor:
            tensor = self.tensors[name] = provide(name, build).to(device)
            return tensor

        def place_packed(name: str, build: Callable[[], Tensor]) -> Tensor:
            tensor = self.tensors[name] = pack_weight(provide(name, build).to(device))
            return tensor

        try:
            self._load(weights, head_dim, head, place, place_packed)
        except KeyError as missing:
            raise NotReady(f"The T3 checkpoint lacks {missing}.") from missing

    def _load(
        self,
        weights: Mapping[str, Tensor],
        head_dim: int,
        head: Precision,
        provide: TensorProvider,
        provide_matrix: TensorProvider,
    ) -> None:
        def load(name: str, dtype: torch.dtype = self.dtype) -> Tensor:
            source = weights[name]
            return provide(f"{name} {dtype}", lambda: source.to(dtype))

        start = "tfmr.h." if self.is_gpt else "tfmr.layers."
        self.layers = 1 + max(
            int(name.removeprefix(start).partition(".")[0]) for name in weights if name.startswith(start)
        )
        self.vocabulary, self.width = weights["speech_head.weight"].shape
        self.mask = self.vocabulary if weights["speech_emb.weight"].shape[0] == self.vocabulary + 1 else None
        self.head_dim, self.heads = head_dim, self.width // head_dim
        build_block = gpt2_block if self.is_gpt else llama_block
        self._blocks: list[Block] = [
            build_block(weights, layer, self.precision, self.device, provide_matrix) for layer in range(self.layers)
        ]
        self._text, self._speech = load("text_emb.weight"), load("speech_emb.weight")
        if self.is_gpt:
            self._final_norm, self._final_bias = load("tfmr.ln_f.weight"), load("tfmr.ln_f.bias")
            self._positions = load("tfmr.wpe.weight")
            self.positions = self._positions.shape[0]
        else:
            self._final_norm = load("tfmr.norm.weight")
            self._text_positions, self._speech_positions = (
                load("text_pos_emb.emb.weight"),
                load("speech_pos_emb.emb.weight"),
            )
            self._rotary = Rotary(self.head_dim, _ROTARY_LENGTH, self.dtype, self.device)
            self.positions = _ROTARY_LENGTH
        self._range = torch.arange(self.positions, device=self.device)
        self._arrivals = torch.zeros(_MOST_ROWS * self.heads, device=self.device, dtype=torch.int32)
        self._visible, self._hidden = (
            torch.full((), value, dtype=self.dtype, device=self.device) for value in (0.0, -torch.inf)
        )
        self._encoder = ConditioningEncoder(
            {name: load(name, torch.float32) for name in conditioning_names(is_gpt=self.is_gpt)}
        )
        bias = weights["speech_head.bias"] if self.is_gpt else None
        source = Source("speech_head", lambda: weights["speech_head.weight"], bias, provide_matrix)
        self._head = linear(source, head, self.device)

    def small_weights(self) -> SmallWeights | None:
        """What they save and change; None if the precision has none. Waits for the device."""
        return small_weights(self.tensors, self.dtype)

    @property
    def rows(self) -> int:
        """Rows of a batch that one utterance takes: 2 where the model is guided."""
        return 1 if self.is_gpt else 2

    @property
    def max_new_tokens(self) -> int:
        """How many tokens one utterance can have by the model's positions; the cache may have fewer."""
        return self.positions if self.is_gpt else self._speech_positions.shape[0] - 1

    def cache(self, rows: int, length: int) -> Tensor:
        """An empty cache of keys and values, (layers, rows, 2 * heads, length, head_dim), zeroed."""
        shape = (self.layers, rows, 2 * self.heads, length, self.head_dim)
        if self.device.type == "cpu" and self.dtype is torch.float32:
            return zeros_on_demand(shape)
        return torch.zeros(shape, device=self.device, dtype=self.dtype)

    @torch.inference_mode()
    def encode(self, speaker: Tensor, prompt: Tensor, emotion: float | None = None) -> Prefix:
        """The voice's part of the cache.

        `speaker` is the voice encoder's embedding, (256,) float; `prompt` the reference's speech tokens, (p,) int64,
        possibly none; `emotion` upstream's `exaggeration`, None for models without it. Tensors may be on any device.

        Raises:
            ValueError: an emotion for a model without one, or none for a model with one.
        """
        prompt_ids = prompt.to(self.device)
        embedded = self._speech[prompt_ids]
        if not self.is_gpt:
            embedded = embedded + self._speech_positions[: len(prompt_ids)]
        embeddings = self._encoder(speaker, embedded, emotion).to(self.dtype)[None]
        length = embeddings.shape[1]
        cache = self.cache(1, length)
        positions = torch.arange(length, device=self.device)[None]
        self.forward(embeddings, cache, positions, length, rows=torch.zeros(1, device=self.device, dtype=torch.int64))
        return Prefix(cache[:, 0])

    def embed_text(self, ids: Sequence[int]) -> Tensor:
        """Text and the BOS that follows, (rows, n, width). `ids` include the text's start and stop tokens, if any.

        Raises:
            InvalidRequest: more ids than the model has positions for.
            ValueError: an id outside the vocabulary.
        """
        if not ids or min(ids) < 0 or max(ids) >= self._text.shape[0]:
            raise ValueError(f"text ids must be in 0..{self._text.shape[0] - 1}, got {list(ids)}")
        text = self._text[self.to_device(ids)]
        bos = self._speech[self.bos : self.bos + 1]
        if self.is_gpt:
            return torch.cat([text, bos])[None]
        if len(ids) > self._text_positions.shape[0]:
            raise InvalidRequest(
                f"The text has {len(ids)} tokens; the model takes at most {self._text_positions.shape[0]}.",
                field="text",
            )
        positions, bos = self._text_positions[: len(ids)], bos + self._speech_positions[:1]
        if self.mask is not None:
            unguided = torch.cat([torch.zeros_like(text), bos])
            return torch.stack([torch.cat([text + positions, bos]), unguided])
        return torch.stack([torch.cat([text + positions, bos, bos]), torch.cat([positions, bos, bos])])

    def to_device(self, ids: Sequence[int]) -> Tensor:
        """The ids on the device, without waiting for its pending work."""
        tensor = torch.tensor(ids)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def embed_speech(self, tokens: Tensor, steps: Tensor) -> Tensor:
        """Tokens (n,) drawn at steps (n,) -> (n * rows, 1, width), the rows of an utterance next to each other."""
        x = self._speech[tokens][:, None]
        if not self.is_gpt:
            # the token of step i is at speech position i + 1; the sum is written for all rows at once
            x = x + self._speech_positions[1:][steps][:, None].expand(-1, self.rows, -1)
        return x.reshape(-1, 1, self.width)

    def embed_block(self, tokens: Tensor) -> Tensor:
        """Tokens (n, b) of blocks, [MASK] among them, -> (n, b, width); learned positions 0 to b - 1 in every block."""
        return self._speech[tokens] + self._speech_positions[: tokens.shape[1]]

    def row_starts(self, cache: Tensor) -> Tensor:
        """Where position 0 of every row and head is in a cache's layer of (rows * 2 * heads * length, head_dim).

        (rows, 2 * heads) int64.
        """
        _, rows, heads, length, _ = cache.shape
        return (torch.arange(rows * heads, device=cache.device) * length).view(rows, heads)

    def forward(
        self,
        x: Tensor,
        cache: Tensor,
        positions: Tensor,
        length: int,
        rows: Tensor | None = None,
        *,
        row_starts: Tensor | None = None,
        until: Tensor | None = None,
        unmasked: bool = False,
        observe: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Run the transformer over embeddings x (r, n, width) at `positions` (r, n); writes keys and values to `cache`.

        Position p attends to positions 0 to p of its own row; `length` is any bound above every position. `rows` (r,)
        are the rows of the cache; None for the first r, read in place. `row_starts`: those of the cache, if they are
        known. `until` (r, n): the last position that each attends to, if it is not its own. `unmasked`: each row has
        one position, the last of `length`, so no mask is needed. `observe` is called with each layer and its rotated
        queries (r, n, heads, head_dim). Returns the normalised last layer, (r, n, width).
        """
        count, new = positions.shape
        if self.is_gpt:
            x = x + self._positions[positions]
        is_step = new == 1 and rows is None and until is None
        if self.uses_kernels and x.is_cuda and is_step and count <= _MOST_ROWS:
            starts = (self.row_starts(cache) if row_starts is None else row_starts)[:count]
            step = self._step_by_kernels(x[:, 0], cache, positions[:, 0], length, starts, observe=observe)
            return step[:, None]
        rotation = None if self.is_gpt else self._rotary.at(positions)
        mask = index = None
        if not unmasked:
            mask = self._mask(positions if until is None else until, length)
            row_starts = self.row_starts(cache) if row_starts is None else row_starts
            row_starts = row_starts[:count] if rows is None else row_starts.index_select(0, rows)
            index = row_starts[:, None] + positions[:, :, None]  # one flat index: of several, torch copies each
        for layer, block in enumerate(self._blocks):
            qkv = block.qkv(x).view(count, new, 3, self.heads, self.head_dim)
            if rotation is not None:
                qkv = self._rotary.rotate(qkv, rotation)
            if observe is not None:
                observe(layer, qkv[:, :, 0])
            keys_values = qkv[:, :, 1:].flatten(2, 3)
            if index is None:
                cache[layer][:count, :, length - new : length] = keys_values.transpose(1, 2)
            else:
                cache[layer].view(-1, self.head_dim).index_put_((index,), keys_values)
            cached = cache[layer][:, :, :length]
            cached = cached[:count] if rows is None else cached.index_select(0, rows)
            query, key, value = qkv[:, :, 0].transpose(1, 2), cached[:, : self.heads], cached[:, self.heads :]
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            x = block.after_attention(x, attended.transpose(1, 2).reshape(count, new, self.width))
        return self._normalise(x)

    def _normalise(self, x: Tensor) -> Tensor:
        """The last norm."""
        return layer_norm(x, (self._final_norm, self._final_bias)) if self.is_gpt else rms_norm(x, self._final_norm)

    @property
    def uses_kernels(self) -> bool:
        """Whether a step on a GPU is one by kernels."""
        return Family.STEP in self.kernels

    def _has_products(self, rows: int) -> bool:
        """Whether this many rows are multiplied by kernels that read each weight once, rather than by cuBLAS's."""
        by_tiles = _TILES.get(rows) in self.kernels and self.dtype in operators.TILE_TYPES
        return (rows in operators.FEW_ROWS or by_tiles) and self._has_even_widths

    @functools.cached_property
    def _has_even_widths(self) -> bool:
        """Whether all widths are powers of 2, as a program of a kernel reads a whole row."""
        return all(width & (width - 1) == 0 for width in (self.width, self._blocks[0].inner_width))

    def _step_by_kernels(
        self,
        x: Tensor,
        cache: Tensor,
        positions: Tensor,
        length: int,
        row_starts: Tensor,
        *,
        observe: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """`forward` for one position (r,) of each of the first r rows, x (r, width), by the project's own kernels."""
        table = None if self.is_gpt else self._rotary.table
        if self._has_products(len(x)):
            for number, (block, layer) in enumerate(zip(self._blocks, cache, strict=True)):
                query = block.project_few(x, table, positions, row_starts, layer)
                if observe is not None:
                    observe(number, query[:, None])
                attended = operators.attend(query, layer, positions, row_starts, length, self._arrivals)
                x = block.finish_few(x, attended.view(-1, self.width))
            return self._normalise(x)
        final: Norm = (self._final_norm, self._final_bias) if self.is_gpt else (self._final_norm,)
        following = [*(block.norm_weights for block in self._blocks[1:]), final]
        hidden = self._blocks[0].norm(x)
        for number, (block, layer, norm) in enumerate(zip(self._blocks, cache, following, strict=True)):
            qkv = block.project(hidden).view(-1, 3, self.heads, self.head_dim)
            query = operators.store_rotated(qkv, table, positions, row_starts, layer)
            if observe is not None:
                observe(number, query[:, None])
            attended = operators.attend(query, layer, positions, row_starts, length, self._arrivals)
            x, hidden = block.finish(x, attended.view(-1, self.width), norm)
        return hidden

    @torch.inference_mode()
    def try_kernels(self) -> None:
        """Run steps by the kernels, on a GPU. Raises what they raise if they cannot be compiled or launched."""
        tiles = [rows for rows, family in _TILES.items() if family in self.kernels]
        for rows in (self.rows, *tiles) if self.uses_kernels else ():
            cache = self.cache(rows, 1)
            positions = torch.zeros(rows, dtype=torch.int64, device=self.device)
            x = torch.zeros(rows, self.width, device=self.device, dtype=self.dtype)
            self._step_by_kernels(x, cache, positions, 1, self.row_starts(cache))

    @torch.inference_mode()
    def compile_kernels(self) -> None:
        """Compile the kernels of all steps, for a model on the meta device."""
        for rows in (count for count in operators.ROWS if count % self.rows == 0):
            positions = torch.empty(rows, dtype=torch.int64, device=self.device)
            x = torch.empty(rows, self.width, device=self.device, dtype=self.dtype)
            cache = self.cache(rows, 1)
            for length in operators.LENGTHS:
                self._step_by_kernels(x, cache, positions, length, self.row_starts(cache))
        for sorts in (False, True):
            logits, penalties = (torch.empty(count, self.vocabulary, device=self.device) for count in (self.rows, 1))
            columns = SamplingRows.of([Sampling()], self.vocabulary, self.device)
            keys, steps = torch.empty(2, 1, 1, dtype=torch.int64, device=self.device)
            operators.sample(logits, penalties, keys, steps[0], columns, guided=not self.is_gpt, sorts=sorts)

    def _mask(self, until: Tensor, length: int) -> Tensor:
        """The mask to add to the attention's scores, (r, 1, n, length); the same for all layers."""
        return torch.where(self._range[:length] <= until[:, None, :, None], self._visible, self._hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """(r, width) -> (r, vocabulary), float32."""
        return self._head(hidden.float())
