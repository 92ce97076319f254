"""Tiny checkpoints in folders that a test may write packs to, and the tensors that are built from them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import build_tensor
from chatterbox_worker.engines.chatterbox.pack import load_modules
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.t3.model import T3
from support.checkpoints import checkpoint

ORIGINALS = ("t3_nano_v1.safetensors", "s3gen_meanflow.safetensors")

CPU = torch.device("cpu")


def found(model: str, folder: Path) -> Checkpoint:
    """A copy of the tiny checkpoint, in a folder that the test may write to."""
    if not folder.exists():
        shutil.copytree(checkpoint(model), folder)
    return find(LAYOUTS[model], weights_dir=folder, offline=True)


def tensors(module: object, path: str = "", seen: set[int] | None = None) -> dict[str, Tensor]:
    """Every tensor of an object, at any depth, by its path."""
    seen = set() if seen is None else seen
    if isinstance(module, Tensor):
        return {path: module.to_dense() if module.is_mkldnn else module}
    if id(module) in seen:
        return {}
    seen.add(id(module))
    if isinstance(module, Mapping):
        parts = list(module.items())
    elif isinstance(module, list | tuple):
        parts = list(enumerate(module))
    elif type(module).__module__.startswith("chatterbox_worker"):
        names = [*getattr(module, "__dict__", ()), *getattr(type(module), "__slots__", ())]
        parts = [(name, getattr(module, name)) for name in names]
    else:
        return {}
    return {key: value for name, part in parts for key, value in tensors(part, f"{path}.{name}", seen).items()}


def fresh(source: Checkpoint, profile: str) -> tuple[T3, S3Gen]:
    nothing: Any = build_tensor
    return load_modules(source, profile, CPU, nothing)
