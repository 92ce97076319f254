"""Merge an adapter into T3's base weights: W + (alpha / rank) * up @ down, in float32, one matrix at a time.

An adapted T3 shares every unchanged tensor with the T3 that it was built from, on every device and in every precision.
Changed tensors are merged from the checkpoint's own weights and only then cast or quantised, so nothing is rounded
twice. `merge_into_checkpoint` writes the same weights as a file in the hub's layout, to be served as a separate model.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from chatterbox_worker import files
from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.serving.memory import check_memory
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.voices.adapter import digest

_FIELD = "voice"
_EMBEDDINGS = ("_emb", "wpe", "wte")  # in a module's path: a table, which LoRA stores transposed
_SHOWN_CHARS = 12  # of a digest


class MergedWeights(Mapping[str, Tensor]):
    """T3's state dict with an adapter merged in; a matrix is merged each time that it is read."""

    def __init__(self, base: Mapping[str, Tensor], adapter: Adapter) -> None:
        """`base`: upstream's `T3.state_dict()`.

        Raises:
            InvalidRequest: the adapter changes a layer that this T3 does not have, or has in another size.
        """
        self._base, self._scale = base, adapter.alpha / adapter.rank
        for module, factors in adapter.factors.items():
            self._check(module, factors, adapter.model)
        self._factors = {f"{module}.weight": factors for module, factors in adapter.factors.items()}

    def __len__(self) -> int:
        return len(self._base)

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __contains__(self, name: object) -> bool:
        return name in self._base

    def __getitem__(self, name: str) -> Tensor:
        weight = self._base[name]
        if name not in self._factors:
            return weight
        down, up = (torch.from_numpy(factor).float() for factor in self._factors[name])
        change = (up @ down) * self._scale
        merged = weight.float() + (change.t() if _has_inputs_first(name) else change)
        if not merged.isfinite().all():
            raise InvalidRequest(f"the voice's adapter makes {name} overflow", field=_FIELD)
        return merged

    def changes(self, name: str) -> bool:
        """Whether the adapter changes the tensor that has this name in `T3.tensors`."""
        sources = name.partition(" ")[0].split("+")
        return any(f"{source.removesuffix('.weight')}.weight" in self._factors for source in sources)

    def _check(self, module: str, factors: Factors, model: str) -> None:
        weight = self._base.get(f"{module}.weight")
        if weight is None or weight.ndim != 2 or any(word in module for word in _EMBEDDINGS):
            raise InvalidRequest(
                f"the voice's adapter changes {quote(module)}, and {model} has no linear layer of that name",
                field=_FIELD,
            )
        has = tuple(reversed(weight.shape)) if _has_inputs_first(module) else tuple(weight.shape)
        if (wants := (factors.up.shape[0], factors.down.shape[1])) != has:
            raise InvalidRequest(
                f"the voice's adapter is for a {module} of {wants[1]} inputs and {wants[0]} outputs; "
                f"that of {model} has {has[1]} and {has[0]}",
                field=_FIELD,
            )


def check(adapter: Adapter, model: str, base: str) -> None:
    """
    Raises: InvalidRequest: the adapter is for another model, or for other weights than those of this
    `Checkpoint.t3_digest`.
    """
    if adapter.model != model:
        raise InvalidRequest(f"the voice is fine-tuned for {adapter.model}; {model} cannot speak with it", field=_FIELD)
    if adapter.base != base:
        raise InvalidRequest(
            f"the voice was fine-tuned on other weights of {model} ({adapter.base[:_SHOWN_CHARS]}) than those served "
            f"here ({base[:_SHOWN_CHARS]})",
            field=_FIELD,
        )


def adapt(t3: T3, weights: Mapping[str, Tensor], adapter: Adapter) -> T3:
    """A T3 like `t3` with the adapter merged into `weights`; it shares the unchanged tensors with `t3`.

    Raises:
        InvalidRequest: the adapter does not fit the model.
        MemoryError: the changed tensors do not fit into memory.
    """
    merged = MergedWeights(weights, adapter)
    changed = [tensor for name, tensor in t3.tensors.items() if merged.changes(name)]
    check_memory(sum(tensor.numel() * tensor.element_size() for tensor in changed), t3.device)

    def reuse(name: str, make: Callable[[], Tensor]) -> Tensor:
        return make() if merged.changes(name) or name not in t3.tensors else t3.tensors[name]

    adapted = T3(merged, precision=t3.precision, device=t3.device, head_dim=t3.head_dim, provide=reuse)
    adapted.kernels = t3.kernels
    adapted.draft = t3.draft  # guesses are checked, so they need not be from the same weights
    return adapted


def merge_into_checkpoint(checkpoint: Checkpoint, adapter: Adapter, folder: Path) -> Path:
    """Write a complete checkpoint to `folder` with the adapter merged into its T3; returns T3's file.

    Changed tensors are float32. The other files are hard links, or copies where links are not possible. The folder is
    served with `CHATTERBOX_WEIGHTS_DIR` set to its parent, if it is named like the model.

    Raises:
        InvalidRequest: the adapter does not fit this checkpoint, or the folder is the checkpoint's own.
        OSError: a file cannot be written.
    """
    layout = checkpoint.layout
    check(adapter, layout.name, checkpoint.t3_digest)
    if folder.resolve() in {path.parent.resolve() for path in checkpoint.files.values()}:
        raise InvalidRequest(f"{folder} holds the weights to be merged; choose another folder", field="folder")
    merged = MergedWeights(load_t3_state(checkpoint), adapter)
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in checkpoint.files.items():
        if name != layout.t3:
            with files.draft(folder / name) as draft:
                _copy(path.resolve(), draft)
    # The revision is computed from the start of a file: the digest there gives similar weights different revisions.
    about = {"format": "pt", "chatterbox_worker_adapter": digest(adapter)}
    tensors = {name: merged[name].contiguous() for name in merged}
    with files.draft(folder / layout.t3) as draft:
        draft.touch()
        mode = draft.stat().st_mode
        save_file(tensors, draft, metadata=about)  # replaces the file by one that only its owner may read
        draft.chmod(mode)
    return folder / layout.t3


def _copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _has_inputs_first(name: str) -> bool:
    """Whether the module is one of GPT-2's Conv1D, whose weight is (in, out)."""
    return name.startswith("tfmr.h.")
