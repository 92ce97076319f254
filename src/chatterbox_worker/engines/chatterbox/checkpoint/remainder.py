"""What stays of T3's and S3Gen's files where packs replace them, as in an image: the shapes of all tensors, and the
values of those that no pack has.

A pack has the matrices and convolutions of T3 and S3Gen, ready for one profile. It lacks the vectors, which the modules
read as they are, and the networks that encode references. From the shapes, the modules are built around the pack's
tensors. What needs the values of the original matrices (training, fine-tuned voices, another profile) cannot run
without the original files.
"""

from __future__ import annotations

import json

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from chatterbox_worker import files
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.tensor_file import write_tensors
from chatterbox_worker.errors import NotReady

_REFERENCE = ("tokenizer.", "speaker_encoder.")  # of S3Gen: the networks that encode references
_T3, _S3GEN = "t3", "s3gen"


def t3_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """T3's state dict; on the meta device what only a pack has.

    Raises:
        NotReady: its file is missing or broken.
    """
    return _load(checkpoint, _T3) if checkpoint.is_prepared else load_t3_state(checkpoint)


def s3gen_state(checkpoint: Checkpoint, *parts: str) -> dict[str, Tensor]:
    """S3Gen's state dict, with `parts` as in `load_s3gen_state`; on the meta device what only a pack has.

    Raises:
        NotReady: its file is missing or broken.
    """
    source = checkpoint.s3gen_source
    return _load(source, _S3GEN, parts) if source.is_prepared else load_s3gen_state(source, *parts)


def write_remainder(checkpoint: Checkpoint) -> None:
    """Write the remainder of a complete checkpoint to its folder; the original files may be deleted afterwards.

    Raises:
        NotReady: an original file is missing or broken.
        OSError: the file cannot be written.
    """
    states = {_T3: load_t3_state(checkpoint), _S3GEN: load_s3gen_state(checkpoint)}
    kept = {
        f"{part}.{name}": tensor
        for part, state in states.items()
        for name, tensor in state.items()
        if tensor.ndim < 2 or (part == _S3GEN and name.startswith(_REFERENCE))
    }
    shapes = {
        part: json.dumps({name: list(tensor.shape) for name, tensor in state.items()}) for part, state in states.items()
    }
    with files.draft(checkpoint.remainder) as draft:
        write_tensors(draft, kept, shapes | {"revision": checkpoint.revision})


def _load(checkpoint: Checkpoint, part: str, starts: tuple[str, ...] = ()) -> dict[str, Tensor]:
    try:
        with safe_open(checkpoint.remainder, framework="pt") as file:
            stored, shapes = frozenset(file.keys()), json.loads(file.metadata()[part])
            return {
                name: file.get_tensor(full)
                if (full := f"{part}.{name}") in stored
                else torch.empty(shape, device="meta")
                for name, shape in shapes.items()
                if name.startswith(starts or ("",))
            }
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise NotReady(f"the weights file {checkpoint.remainder} cannot be read: {error}") from error
