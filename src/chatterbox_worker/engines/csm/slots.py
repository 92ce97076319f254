"""Slots of the batch: one row of keys and values each, stepped together, a frame at a time.

All rows are computed in every step, over the whole length of the cache. So the shapes, and with them the rounding, are
the same whatever else is in the batch: an utterance's codes depend only on itself. Unused positions are masked. Reading
the keys costs little compared to reading the weights. A fine-tuned voice's adapter belongs to its row (`adapters`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from chatterbox_worker.engine import Adapter
from chatterbox_worker.engines.csm.adapters import RowAdapters
from chatterbox_worker.engines.csm.draw import CodeSampling, draw
from chatterbox_worker.engines.csm.model import Csm


@dataclass(slots=True, eq=False)
class _Cache:
    """The cache as the backbone's attention uses it: (rows, heads, length, width) for each layer."""

    keys: list[Tensor]
    values: list[Tensor]
    positions: Tensor
    """(rows,) the next position to be written in each row."""
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
        self._samplings: dict[int, CodeSampling] = {}
        self._adapters = RowAdapters(csm.model, size)

    @property
    def free(self) -> list[int]:
        return [slot for slot in range(self.size) if slot not in self._samplings]

    @torch.inference_mode()
    def enter(self, slot: int, prompt: Tensor, sampling: CodeSampling, adapter: Adapter | None = None) -> None:
        """Read a prompt (1, n, width), n under `Csm.positions`, into a free slot, with the voice's adapter.

        If it raises, the slot is still free. The errors are those of `RowAdapters.place` and of the device.
        """
        if adapter is not None:
            self._adapters.place(slot, adapter)
        try:
            self._read(slot, prompt)
        except BaseException:
            self._adapters.remove(slot)
            raise
        self._samplings[slot] = sampling

    def _read(self, slot: int, prompt: Tensor) -> None:
        filled = DynamicCache()
        self._adapters.active = slice(slot, slot + 1)
        try:
            output = self.csm.model.backbone_model(inputs_embeds=prompt, past_key_values=filled, use_cache=True)
        finally:
            self._adapters.active = slice(None)
        for layer, cached in enumerate(filled.layers):
            for own, read in ((self._cache.keys, cached.keys), (self._cache.values, cached.values)):
                own[layer][slot, :, : prompt.shape[1]] = read[0]
                own[layer][slot, :, prompt.shape[1] :] = 0  # masked anyway, but 0 * inf of an earlier one is not 0
        self._hidden[slot] = output.last_hidden_state[0, -1]
        self._cache.positions[slot] = prompt.shape[1]

    def leave(self, slot: int) -> None:
        del self._samplings[slot]
        self._adapters.remove(slot)
        self._cache.positions[slot] = 0

    @torch.inference_mode()
    def step(self) -> list[list[int] | None]:
        """The next frame of every slot; None if its numbers have overflowed, meaningless for an empty slot.

        Every used slot needs a free position.
        """
        frames, are_finite = self._frames()
        positions = self._cache.positions[:, None]
        output = self.csm.model.backbone_model(
            inputs_embeds=self.csm.frames(frames)[:, None],
            attention_mask=(self._length <= positions)[:, None, None],
            position_ids=positions,
            cache_position=self._length[:1],  # one for all rows: not read if mask and positions are passed
            past_key_values=self._cache,
            use_cache=True,
        )
        self._hidden = output.last_hidden_state[:, 0].clone()
        self._cache.positions[list(self._samplings)] += 1
        return [
            codes if is_finite else None for codes, is_finite in zip(frames.tolist(), are_finite.tolist(), strict=True)
        ]

    def _frames(self) -> tuple[Tensor, Tensor]:
        """(slots, codebooks): the first code from the backbone, the others in turn from the depth decoder.

        With whether all logits were finite, (slots,).
        """
        csm = self.csm
        logits = csm.model.lm_head(self._hidden)
        are_finite = logits.isfinite().all(-1)
        code = draw(logits, self._samplings, csm.codebook_size)
        codes, past = [code], DynamicCache()
        inputs = torch.stack([torch.zeros_like(code), code], dim=1)  # the zero is replaced by the hidden state
        seen = 0
        while len(codes) < csm.codebooks:
            output = csm.model.depth_decoder(
                input_ids=inputs,
                backbone_last_hidden_state=self._hidden if seen == 0 else None,
                cache_position=torch.arange(seen, seen + inputs.shape[1], device=code.device),
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
            seen += inputs.shape[1]
            logits = output.logits[:, -1]
            are_finite &= logits.isfinite().all(-1)
            code = draw(logits, self._samplings, csm.codebook_size)
            codes.append(code)
            inputs = code[:, None]
        return torch.stack(codes, dim=1), are_finite
