"""Places in the batch: one row of keys and values each, stepped together, a frame at a time.

All rows are computed in every step, over the whole length of the cache, so that the shapes, and with them the rounding,
are the same whoever sits beside whom: an utterance's codes depend on nothing but itself. What an empty or longer row
holds is masked. Reading the keys so far costs little beside reading the weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from chatterbox_worker.engines.csm.draw import CodeSampling, draw
from chatterbox_worker.engines.csm.model import Csm


@dataclass(slots=True, eq=False)
class _Cache:
    """What the backbone's attention takes for a cache: (rows, heads, length, width) for each layer."""

    keys: list[Tensor]
    values: list[Tensor]
    positions: Tensor
    """(rows,) where the next of each row goes."""
    rows: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.rows = torch.arange(len(self.positions), device=self.positions.device)

    def update(self, keys: Tensor, values: Tensor, layer: int, _: Any = None) -> tuple[Tensor, Tensor]:
        self.keys[layer][self.rows, :, self.positions] = keys[:, :, 0]
        self.values[layer][self.rows, :, self.positions] = values[:, :, 0]
        return self.keys[layer], self.values[layer]


class CsmSlots:
    """For one thread."""

    def __init__(self, csm: Csm, size: int) -> None:
        self.csm, self.size = csm, size
        config, dtype, device = csm.model.config, csm.model.lm_head.weight.dtype, csm.device
        shape = (size, config.num_key_value_heads, csm.positions, config.head_dim)

        def layers() -> list[Tensor]:
            return [torch.zeros(shape, dtype=dtype, device=device) for _ in range(config.num_hidden_layers)]

        self._cache = _Cache(layers(), layers(), torch.zeros(size, dtype=torch.int64, device=device))
        self._hidden = torch.zeros(size, config.hidden_size, dtype=dtype, device=device)
        self._length = torch.arange(csm.positions, device=device)
        self._chances: dict[int, CodeSampling] = {}

    @property
    def free(self) -> list[int]:
        return [slot for slot in range(self.size) if slot not in self._chances]

    @torch.inference_mode()
    def enter(self, slot: int, prompt: Tensor, sampling: CodeSampling) -> None:
        """Read a prompt (1, n, width), n under `Csm.positions`, into a free slot."""
        read = DynamicCache()
        told = self.csm.model.backbone_model(inputs_embeds=prompt, past_key_values=read, use_cache=True)
        for layer, kept in enumerate(read.layers):
            self._cache.keys[layer][slot, :, : prompt.shape[1]] = kept.keys[0]
            self._cache.values[layer][slot, :, : prompt.shape[1]] = kept.values[0]
        self._hidden[slot] = told.last_hidden_state[0, -1]
        self._cache.positions[slot] = prompt.shape[1]
        self._chances[slot] = sampling

    def leave(self, slot: int) -> None:
        del self._chances[slot]
        self._cache.positions[slot] = 0

    @torch.inference_mode()
    def step(self) -> list[list[int]]:
        """The next frame of every slot; that of an empty one means nothing. Who has no position left must not be there."""
        frames = self._frames()
        positions = self._cache.positions[:, None]
        told = self.csm.model.backbone_model(
            inputs_embeds=self.csm.frames(frames)[:, None],
            attention_mask=(self._length <= positions)[:, None, None],
            position_ids=positions,
            cache_position=self._length[:1],  # one for all rows: unread, where mask and positions are given
            past_key_values=self._cache,
            use_cache=True,
        )
        self._hidden = told.last_hidden_state[:, 0].clone()
        self._cache.positions[list(self._chances)] += 1
        codes: list[list[int]] = frames.tolist()
        return codes

    def _frames(self) -> Tensor:
        """(slots, codebooks): the first code by the backbone, the others by the depth decoder, each after the last."""
        csm = self.csm
        code = draw(csm.model.lm_head(self._hidden), self._chances, csm.codebook_size)
        codes, past = [code], DynamicCache()
        fed = torch.stack([torch.zeros_like(code), code], dim=1)  # the zero stands where the hidden state goes
        seen = 0
        while len(codes) < csm.codebooks:
            told = csm.model.depth_decoder(
                input_ids=fed,
                backbone_last_hidden_state=self._hidden if seen == 0 else None,
                cache_position=torch.arange(seen, seen + fed.shape[1], device=code.device),
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
            seen += fed.shape[1]
            code = draw(told.logits[:, -1], self._chances, csm.codebook_size)
            codes.append(code)
            fed = code[:, None]
        return torch.stack(codes, dim=1)
