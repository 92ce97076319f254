"""Read a checkpoint's tensors: safetensors memory-mapped, .pt memory-mapped with `weights_only=True`.

Tensors are on the CPU and as stored (float32 upstream); nothing is copied until it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint import contents
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.pickled import PICKLE_ERRORS, leaves
from chatterbox_worker.errors import NotReady


def load_t3_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """T3's state dict under upstream's names (`tfmr.`, `cond_enc.`, `text_emb.`, `speech_head.`, ...)."""
    return _load(checkpoint.path(checkpoint.layout.t3), contents.T3)


def load_s3gen_state(checkpoint: Checkpoint, *parts: str) -> dict[str, Tensor]:
    """S3Gen's state dict under upstream's names; with `parts` only the names that start with one of them.

    No byte of the rest is read. The parts: "flow.", "mel2wav.", and for references "tokenizer." (half the file) and
    "speaker_encoder.". Some of the hub's files lack the buffers `tokenizer._mel_filters` and `tokenizer.window`, which
    upstream recomputes.
    """
    return _load(checkpoint.path(checkpoint.layout.s3gen), contents.S3GEN, parts)


def load_voice_encoder_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The speaker LSTM's state dict."""
    return _load(checkpoint.path(checkpoint.layout.voice_encoder), contents.VOICE_ENCODER)


def _load(path: Path, kind: str, parts: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """The tensors of a part, without the prefix that a wrapper gave their names."""

    def select(names: Iterable[str]) -> dict[str, str]:
        names = list(names)
        prefix, wanted = contents.prefix_of(names, kind) or "", parts or ("",)
        return {name: own for name in names
                if name.startswith(prefix) and (own := name.removeprefix(prefix)).startswith(wanted)}  # fmt: skip

    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                state = {own: file.get_tensor(name) for name, own in select(file.keys()).items()}
        except (SafetensorError, OSError) as error:
            raise NotReady(f"the weights file {path} cannot be read: {error}") from error
    else:
        loaded = dict(leaves(load_pickle(path), Tensor))
        state = {own: loaded[name] for name, own in select(loaded).items()}
    for name, tensor in state.items():
        if name.endswith(".weight") and not tensor.is_floating_point():
            raise NotReady(f"the weights file {path} has {name} in {tensor.dtype}: weights that another program has "
                           "quantized cannot be read")  # fmt: skip
    return state


def load_pickle(path: Path) -> Any:
    """Raises NotReady for a corrupt file and for a pickle that would run code."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except PICKLE_ERRORS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NotReady(f"the weights file {path} cannot be read: {reason}") from error


def _is_zip(path: Path) -> bool:
    """Whether torch can map the file; it cannot map its own format from before 2020."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"
