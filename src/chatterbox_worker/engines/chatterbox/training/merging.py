"""An adapter worked into the weights: T3's file of the hub with the adapted matrices changed, and the rest as it was."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.weights import Checkpoint
from chatterbox_worker.errors import InvalidRequest, VolumeFailed
from chatterbox_worker.utterance import Adapter, Factors


def merged_state(checkpoint: Checkpoint, adapter: Adapter) -> dict[str, Tensor]:
    """T3's state dict with the adapter in it, in the types of the file.

    Raises:
        InvalidRequest: the adapter is not of this model, was trained on other weights, or does not fit them.
    """
    if adapter.model != checkpoint.layout.name or adapter.base != checkpoint.t3_digest:
        raise InvalidRequest(
            f"the adapter was trained on {adapter.model} {adapter.base[:12]}; these weights are {checkpoint.layout.name} "
            f"{checkpoint.t3_digest[:12]}",
            field="voice",
        )
    state = load_t3_state(checkpoint)
    for module, factors in adapter.factors.items():
        name = f"{module}.weight"
        if name not in state:
            raise InvalidRequest(f"the adapter changes {module}, which {adapter.model} does not have", field="voice")
        state[name] = _changed(state[name], factors, adapter, transposed=checkpoint.layout.is_gpt)
    return state


def write_merged(checkpoint: Checkpoint, adapter: Adapter, folder: Path) -> None:
    """Fill `folder` with the whole checkpoint in the hub's layout; what is not T3 is linked, or copied across disks.

    The folder appears whole or not at all.

    Raises:
        InvalidRequest: see `merged_state`; or there is something at `folder`.
        VolumeFailed: it cannot be written.
    """
    if folder.exists():
        raise InvalidRequest(f"{folder} is already there", field="folder")
    state = merged_state(checkpoint, adapter)
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        save_file({name: value.contiguous() for name, value in state.items()}, draft / checkpoint.layout.t3)
        for name, path in checkpoint.files.items():
            if name != checkpoint.layout.t3:
                _linked(path.resolve(), draft / name)
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError as error:
        raise VolumeFailed(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _changed(weight: Tensor, factors: Factors, adapter: Adapter, *, transposed: bool) -> Tensor:
    delta = torch.from_numpy(factors.up).float() @ torch.from_numpy(factors.down).float()
    delta = (delta.t() if transposed else delta) * (adapter.alpha / adapter.rank)
    if delta.shape != weight.shape:
        raise InvalidRequest(
            f"the adapter changes a matrix of {tuple(delta.shape)}; the weights have {tuple(weight.shape)}",
            field="voice",
        )
    return (weight.float() + delta).to(weight.dtype)


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
