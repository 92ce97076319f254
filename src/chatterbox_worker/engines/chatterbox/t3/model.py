"""T3, the model that turns text into speech tokens, for inference: embeddings, a transformer over a static cache, a head.

Built from the hub's state dict, whose shapes say everything but the heads. One `T3` holds weights and no state: what is being spoken
lives in `t3_slots.Slots`. Prefix, text and speech are laid out as upstream does at HEAD 5de7a54:

* Llama body: [prefix][text][BOS][BOS], learned positions from 0 within prompt, text and speech, both BOS at speech position 0 and
  generated token i at i + 1; two rows to an utterance, the second with its text embeddings zeroed but for their positions.
* GPT-2 body: [prefix][text][BOS], the transformer's own positions only; one row, no guidance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_SPEECH, STOP_SPEECH
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Keep, made
from chatterbox_worker.engines.chatterbox.device.cpu_products import packed
from chatterbox_worker.engines.chatterbox.t3.blocks import Block, Rotary, gpt2_block, layer_norm, llama_block, rms_norm
from chatterbox_worker.engines.chatterbox.t3.conditioning import ConditioningEncoder
from chatterbox_worker.engines.chatterbox.t3.linear import Precision, Source, linear
from chatterbox_worker.errors import InvalidRequest, NotReady

_HEAD_DIM = 64  # of every model upstream has published
_ROTARY_LENGTH = 8192  # where upstream's long-context stretching would begin to matter; GPT-2's table has 8196


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """A voice as T3's cache holds it: computed once, copied into every utterance that it speaks."""

    keys_values: Tensor
    """(layers, 2 * heads, length, head_dim) in the precision's dtype, on the model's device."""

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
        keep: Keep = made,
    ) -> None:
        """`weights`: upstream's `T3.state_dict()`; what inference does not use may be missing. `keep`: see `State`.

        `head`: of the speech head. float32 beside every precision of the body: its share of a step is small, a logit's last bits
        decide tokens.

        Raises:
            NotReady: a weight is missing, or the precision and the device do not go together.
        """
        self.precision, self.device = precision, device
        self.draft: T3 | None = None
        """The same model, cheaper: what guesses ahead (`lookahead`)."""
        self.is_gpt = "tfmr.ln_f.weight" in weights
        self.tensors: dict[str, Tensor] = {}
        """What it is made of, norms and biases aside, on its device: by the names given to `keep`, which tell of what they are made."""

        def placed(name: str, make: Callable[[], Tensor]) -> Tensor:
            tensor = self.tensors[name] = keep(name, make).to(device)
            return tensor

        def laid_out(name: str, make: Callable[[], Tensor]) -> Tensor:
            tensor = self.tensors[name] = packed(keep(name, make).to(device))
            return tensor

        try:
            self._load(weights, head_dim, head, placed, laid_out)
        except KeyError as missing:
            raise NotReady(f"The T3 checkpoint lacks {missing}.") from missing

    def _load(
        self, weights: Mapping[str, Tensor], head_dim: int, head: Precision, keep: Keep, keep_matrix: Keep
    ) -> None:
        def held(name: str, dtype: torch.dtype = self.precision.dtype) -> Tensor:
            source = weights[name]
            return keep(f"{name} {dtype}", lambda: source.to(dtype))

        start = "tfmr.h." if self.is_gpt else "tfmr.layers."
        self.layers = 1 + max(
            int(name.removeprefix(start).partition(".")[0]) for name in weights if name.startswith(start)
        )
        self.vocabulary, self.width = weights["speech_head.weight"].shape
        self.head_dim, self.heads = head_dim, self.width // head_dim
        make = gpt2_block if self.is_gpt else llama_block
        self._blocks: list[Block] = [
            make(weights, layer, self.precision, self.device, keep_matrix) for layer in range(self.layers)
        ]
        self._text, self._speech = held("text_emb.weight"), held("speech_emb.weight")
        if self.is_gpt:
            self._final_norm, self._final_bias = held("tfmr.ln_f.weight"), held("tfmr.ln_f.bias")
            self._positions = held("tfmr.wpe.weight")
            self.positions = self._positions.shape[0]
        else:
            self._final_norm = held("tfmr.norm.weight")
            self._text_positions, self._speech_positions = (
                held("text_pos_emb.emb.weight"),
                held("speech_pos_emb.emb.weight"),
            )
            self._rotary = Rotary(self.head_dim, _ROTARY_LENGTH, self.precision.dtype, self.device)
            self.positions = _ROTARY_LENGTH
        self._encoder = ConditioningEncoder(
            {name: held(name, torch.float32) for name in weights if name.startswith("cond_enc.")}
        )
        bias = weights["speech_head.bias"] if self.is_gpt else None
        source = Source("speech_head", lambda: weights["speech_head.weight"], bias, keep_matrix)
        self._head = linear(source, head, self.device)

    @property
    def rows(self) -> int:
        """Rows of a batch that one utterance takes: 2 where the model is guided."""
        return 1 if self.is_gpt else 2

    @property
    def max_new_tokens(self) -> int:
        """How many tokens one utterance can have for want of positions, its length in the cache aside."""
        return self.positions if self.is_gpt else self._speech_positions.shape[0] - 1

    def cache(self, rows: int, length: int) -> Tensor:
        """Room for keys and values, (layers, rows, 2 * heads, length, head_dim), zeroed."""
        shape = (self.layers, rows, 2 * self.heads, length, self.head_dim)
        if self.device.type == "cpu" and self.precision.dtype is torch.float32:
            return torch.from_numpy(np.zeros(shape, np.float32))  # takes no memory and no time until it is written to
        return torch.zeros(shape, device=self.device, dtype=self.precision.dtype)

    @torch.inference_mode()
    def encode(self, speaker: Tensor, prompt: Tensor, emotion: float | None = None) -> Prefix:
        """The voice's part of the cache.

        `speaker` is the voice encoder's embedding, (256,) float; `prompt` the reference's speech tokens, (p,) int64, maybe none;
        `emotion` upstream's `exaggeration`, None for models that do not know it. Any device.

        Raises:
            ValueError: an emotion for a model without one, or none for a model with one.
        """
        prompt_ids = prompt.to(self.device)
        embedded = self._speech[prompt_ids]
        if not self.is_gpt:
            embedded = embedded + self._speech_positions[: len(prompt_ids)]
        embeddings = self._encoder(speaker, embedded, emotion).to(self.precision.dtype)[None]
        length = embeddings.shape[1]
        cache = self.cache(1, length)
        positions = torch.arange(length, device=self.device)[None]
        self.forward(embeddings, cache, positions, length, rows=torch.zeros(1, device=self.device, dtype=torch.int64))
        return Prefix(cache[:, 0])

    def embed_text(self, ids: Sequence[int]) -> Tensor:
        """Text and the BOS that follows, (rows, n, width). `ids` come whole, with the start and stop tokens that the tokenizer adds.

        Raises:
            InvalidRequest: more ids than the model has positions for.
            ValueError: an id outside the vocabulary.
        """
        if not ids or min(ids) < 0 or max(ids) >= self._text.shape[0]:
            raise ValueError(f"text ids must be in 0..{self._text.shape[0] - 1}, got {list(ids)}")
        text = self._text[self._sent(ids)]
        bos = self._speech[self.bos : self.bos + 1]
        if self.is_gpt:
            return torch.cat([text, bos])[None]
        if len(ids) > self._text_positions.shape[0]:
            raise InvalidRequest(
                f"The text has {len(ids)} tokens; the model takes {self._text_positions.shape[0]} at once.",
                field="text",
            )
        places, bos = self._text_positions[: len(ids)], bos + self._speech_positions[:1]
        return torch.stack([torch.cat([text + places, bos, bos]), torch.cat([places, bos, bos])])

    def _sent(self, ids: Sequence[int]) -> Tensor:
        """The ids on the device, without waiting for what it is doing."""
        here = torch.tensor(ids)
        return here.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else here

    def embed_speech(self, tokens: Tensor, places: Tensor) -> Tensor:
        """Tokens (n,) at speech positions (n,) -> (n * rows, 1, width), the rows of an utterance next to each other."""
        x = self._speech[tokens]
        if not self.is_gpt:
            x = x + self._speech_positions[places]
        return x[:, None].expand(-1, self.rows, -1).reshape(-1, 1, self.width)

    def forward(
        self,
        x: Tensor,
        cache: Tensor,
        positions: Tensor,
        length: int,
        rows: Tensor | None = None,
        *,
        sees_all: bool = False,
    ) -> Tensor:
        """Run the transformer over embeddings x (r, n, width) at `positions` (r, n), and leave their keys and values in the cache.

        Position p sees positions 0 to p of its own row; `length` is any bound above every position. `rows` (r,) says which rows
        of the cache these are; None: the first r, read in place. `sees_all`: there is one position to a row, the last
        of `length`, so that nothing need be masked. Returns the normalised last layer, (r, n, width).
        """
        count, new = positions.shape
        if self.is_gpt:
            x = x + self._positions[positions]
        angles = None if self.is_gpt else self._rotary.at(positions)
        mask = None if sees_all else self._mask(positions, length)
        at = torch.arange(count, device=x.device) if rows is None else rows
        index = (at[:, None, None], torch.arange(2 * self.heads, device=x.device)[None, :, None], positions[:, None, :])
        for layer, block in enumerate(self._blocks):
            qkv = block.qkv(x).view(count, new, 3, self.heads, self.head_dim)
            if angles is not None:
                qkv = self._rotary.turn(qkv, angles)
            keys_values = qkv[:, :, 1:].flatten(2, 3).transpose(1, 2)
            if sees_all:
                cache[layer][:count, :, length - new : length] = keys_values
            else:
                cache[layer].index_put_(index, keys_values)
            held = cache[layer][:, :, :length]
            held = held[:count] if rows is None else held.index_select(0, rows)
            query, key, value = qkv[:, :, 0].transpose(1, 2), held[:, : self.heads], held[:, self.heads :]
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
            x = block.rest(x, attended.transpose(1, 2).reshape(count, new, self.width))
        return layer_norm(x, (self._final_norm, self._final_bias)) if self.is_gpt else rms_norm(x, self._final_norm)

    def _mask(self, positions: Tensor, length: int) -> Tensor:
        """What to add to the attention's scores, (r, 1, n, length); made once for all layers."""
        sees = torch.arange(length, device=positions.device) <= positions[:, None, :, None]
        return torch.zeros(sees.shape, device=positions.device, dtype=self.precision.dtype).masked_fill(
            ~sees, -torch.inf
        )

    def logits(self, hidden: Tensor) -> Tensor:
        """(r, width) -> (r, vocabulary), float32."""
        return self._head(hidden.float())
