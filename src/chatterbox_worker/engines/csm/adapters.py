"""LoRA adapters of fine-tuned voices: each row of the batch has its own, or none, in the same step.

An adapted layer's output gets `x @ A.T @ B.T * alpha / rank` added, which is (W + alpha / rank * B @ A) x without a
second copy of the weights. The factors of all rows are stacked, with zeros for rows without an adapter, so that a row's
products have the same shapes and the same rounding whatever the other rows have. Adapters of different rank are in
different stacks. While no row has an adapter, the layers compute nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.engines.chatterbox.serving.memory import check_memory
from chatterbox_worker.errors import InvalidRequest, quote

_FIELD = "voice"
_PARTS = ("backbone_model.layers.", "depth_decoder.model.layers.")  # the codec has linear layers, too


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """The factors of one rank, of all rows; zeros in rows without them."""

    down: Tensor
    """(rows, in, rank)."""
    up: Tensor
    """(rows, rank, out), multiplied by alpha / rank."""


class RowAdapters:
    """For one thread. The hooks are on `model`, so one of these belongs to one model."""

    def __init__(self, model: Any, rows: int) -> None:
        """`model`: transformers' CsmForConditionalGeneration."""
        self._model, self._rows = model, rows
        self._used: dict[int, Adapter] = {}
        self._stacks: dict[str, dict[int, _Stack]] = {}
        """By the layer's path and the rank."""
        self._hooks: dict[str, Any] = {}
        self.active = slice(None)
        """The rows of which the model's next inputs are."""

    @torch.inference_mode()
    def place(self, row: int, adapter: Adapter) -> None:
        """Use an adapter that `check_adapter` has accepted in a row that has none.

        Raises:
            InvalidRequest: its numbers overflow in the model's precision.
            MemoryError: there is no memory for it.
        """
        check_memory(self._new_bytes(adapter), self._model.device)
        self._used[row] = adapter
        try:
            for path, factors in adapter.factors.items():
                self._fill(path, row, factors, adapter)
        except BaseException:
            self.remove(row)
            raise

    @torch.inference_mode()
    def remove(self, row: int) -> None:
        """Does nothing for a row without an adapter."""
        adapter = self._used.pop(row, None)
        if adapter is None:
            return
        others = [each for each in self._used.values() if each.rank == adapter.rank]
        for path in adapter.factors:
            stacks = self._stacks.get(path, {})
            if not any(path in each.factors for each in others):
                stacks.pop(adapter.rank, None)
            elif stack := stacks.get(adapter.rank):
                stack.down[row], stack.up[row] = 0, 0
        for path in [path for path, stacks in self._stacks.items() if not stacks]:
            self._hooks.pop(path).remove()
            del self._stacks[path]

    def _new_bytes(self, adapter: Adapter) -> int:
        """How much its new stacks take."""
        new = [factors for path, factors in adapter.factors.items() if adapter.rank not in self._stacks.get(path, {})]
        numbers = self._rows * sum(factors.down.size + factors.up.size for factors in new)
        return int(numbers * self._model.lm_head.weight.dtype.itemsize)

    def _fill(self, path: str, row: int, factors: Factors, adapter: Adapter) -> None:
        weight = self._model.lm_head.weight
        stacks = self._stacks.setdefault(path, {})
        if path not in self._hooks:
            self._hooks[path] = self._model.get_submodule(path).register_forward_hook(self._hook(stacks))
        if adapter.rank not in stacks:
            (rank, inputs), outputs = factors.down.shape, len(factors.up)
            stacks[rank] = _Stack(
                weight.new_zeros(self._rows, inputs, rank), weight.new_zeros(self._rows, rank, outputs)
            )
        stack = stacks[adapter.rank]
        stack.down[row] = torch.from_numpy(factors.down).float().T
        stack.up[row] = torch.from_numpy(factors.up).float().T * (adapter.alpha / adapter.rank)
        if not (stack.down[row].isfinite().all() and stack.up[row].isfinite().all()):
            raise InvalidRequest(f"the voice's adapter makes {path} overflow", field=_FIELD)

    def _hook(self, stacks: Mapping[int, _Stack]) -> Any:
        def add(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            """Inputs (rows, n, in), output (rows, n, out) of the active rows."""
            for stack in stacks.values():
                output = output + inputs[0] @ stack.down[self.active] @ stack.up[self.active]
            return output

        return add


def check_adapter(adapter: Adapter, model: Any) -> None:
    """
    Raises:
        InvalidRequest: it changes a layer that `model` does not have, or has in another size.
    """
    linear = {name: each for name, each in model.named_modules() if isinstance(each, nn.Linear)}
    for path, factors in adapter.factors.items():
        layer = linear.get(path) if path.startswith(_PARTS) else None
        if layer is None:
            raise InvalidRequest(
                f"the voice's adapter changes {quote(path)}, and csm has no linear layer of that name", field=_FIELD
            )
        wants = (factors.up.shape[0], factors.down.shape[1])
        if wants != (layer.out_features, layer.in_features):
            raise InvalidRequest(
                f"the voice's adapter is for a {path} of {wants[1]} inputs and {wants[0]} outputs; that of csm has "
                f"{layer.in_features} and {layer.out_features}",
                field=_FIELD,
            )
