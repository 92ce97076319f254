"""An adapter inside a voice file: what LoRA fine-tuning (arXiv:2106.09685) added to the matrices of a model.

Tensors: `adapter.<module>.lora_A` (rank, in) and `adapter.<module>.lora_B` (out, rank), both float16 or both float32,
for each module that was trained, by its path in upstream's T3 ("tfmr.layers.3.self_attn.q_proj",
"tfmr.h.3.attn.c_attn") or in transformers' CSM ("backbone_model.layers.3.self_attn.q_proj"). The module's weight as
(out, in) gets (alpha / rank) * B @ A added. peft stores the tensors in the same way, also for GPT-2's Conv1D, whose own
weight is (in, out). The metadata's `adapter` has `model`, `base`, `rank` and `alpha`, as in `engine.Adapter`.

Whether the model has modules of these names and sizes depends on its weights: the engine checks that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chatterbox_worker.custom_models import FAMILIES
from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.errors import InvalidRequest, choices, quote

MODELS = (*FAMILIES, "csm")
"""The models that can be fine-tuned."""
HIGHEST_RANK = 512
"""Half the width of the largest model: above it a plain matrix would be smaller."""

_PREFIX, _DOWN, _UP = "adapter.", ".lora_A", ".lora_B"
_MODULE = re.compile(r"\w{1,40}(\.\w{1,40}){0,9}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_ALPHA = 1e6
_TYPES = (np.dtype(np.float16), np.dtype(np.float32))


def metadata_of(adapter: Adapter) -> dict[str, Any]:
    """Its entry in the metadata, JSON-safe."""
    return {"model": adapter.model, "base": adapter.base, "rank": adapter.rank, "alpha": float(adapter.alpha)}


def tensors_of(adapter: Adapter) -> dict[str, npt.NDArray[Any]]:
    """Its tensors by their names in the file."""
    return {
        f"{_PREFIX}{module}{ending}": np.ascontiguousarray(factor)
        for module, factors in adapter.factors.items()
        for ending, factor in ((_DOWN, factors.down), (_UP, factors.up))
    }


def digest(adapter: Adapter) -> str:
    """SHA-256 (hex) of everything in it."""
    sha256 = hashlib.sha256(json.dumps(metadata_of(adapter), sort_keys=True).encode())
    for name, tensor in sorted(tensors_of(adapter).items()):
        sha256.update(f"\n{name} {tensor.dtype} {tensor.shape}\n".encode() + tensor.tobytes())
    return sha256.hexdigest()


def parse_adapter(
    metadata: object, tensors: Mapping[str, npt.NDArray[Any]], invalid: Callable[[str], InvalidRequest]
) -> Adapter | None:
    """The adapter in a voice file, None if it has none.

    `metadata` is the entry `adapter` of the file's metadata. Raises the error that `invalid` creates from the reason.
    """
    mine = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    if metadata is None and not mine:
        return None
    if not isinstance(metadata, dict) or not mine:
        raise invalid("it contains only half of an adapter: its tensors or its metadata are missing")
    model, base, rank, alpha = (metadata.get(name) for name in ("model", "base", "rank", "alpha"))
    if model not in MODELS:
        raise invalid(f"its adapter is for the model {quote(model)}; choose {choices(MODELS)}")
    if not isinstance(base, str) or not _DIGEST.fullmatch(base):
        raise invalid(f"its adapter does not state which weights it was trained on: base is {quote(base)}")
    if isinstance(rank, bool) or not isinstance(rank, int) or not 1 <= rank <= HIGHEST_RANK:
        raise invalid(f"its adapter's rank is {quote(rank)}, not a whole number from 1 to {HIGHEST_RANK}")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha <= _LARGEST_ALPHA:  # NaN, too
        raise invalid(f"its adapter's alpha is {quote(alpha)}, not a number above 0 and up to {_LARGEST_ALPHA:g}")
    factors = {module: _factors(module, mine, rank, invalid) for module in _modules(mine, invalid)}
    return Adapter(model, base, rank, float(alpha), factors)


def _modules(mine: Mapping[str, object], invalid: Callable[[str], InvalidRequest]) -> list[str]:
    """The paths of the adapted modules, sorted; each has both its tensors."""
    paths = {ending: {name.removesuffix(ending) for name in mine if name.endswith(ending)} for ending in (_DOWN, _UP)}
    if len(paths[_DOWN]) + len(paths[_UP]) != len(mine):
        stray = next(name for name in mine if not name.endswith((_DOWN, _UP)))
        raise invalid(f"its adapter's tensor {quote(stray)} is neither a lora_A nor a lora_B")
    if lone := paths[_DOWN] ^ paths[_UP]:
        raise invalid(f"its adapter lacks the lora_A or the lora_B of {quote(min(lone))}")
    if odd := [path for path in paths[_DOWN] if not _MODULE.fullmatch(path)]:
        raise invalid(f"its adapter changes {quote(min(odd))}, which is not the path of a module")
    return sorted(paths[_DOWN])


def _factors(
    module: str, mine: Mapping[str, npt.NDArray[Any]], rank: int, invalid: Callable[[str], InvalidRequest]
) -> Factors:
    down, up = mine[module + _DOWN], mine[module + _UP]
    if down.dtype != up.dtype or down.dtype not in _TYPES:
        raise invalid(f"its adapter's {module} is {down.dtype} and {up.dtype}, not both float16 or both float32")
    if down.ndim != 2 or up.ndim != 2 or down.shape[0] != rank or up.shape[1] != rank:
        raise invalid(
            f"its adapter's {module} has the shapes {down.shape} and {up.shape}, not ({rank}, in) and (out, {rank})"
        )
    if not (np.isfinite(down).all() and np.isfinite(up).all()):
        raise invalid(f"its adapter's {module} contains numbers that are not finite")
    return Factors(np.array(down), np.array(up))
