"""A LoRA adapter in PEFT's format (`adapter_model.safetensors` with `adapter_config.json`) as an adapter of ours.

PEFT stores each module's `lora_A.weight` (rank, in) and `lora_B.weight` (out, rank) below the path by which its trainer
knew the module, so the path may begin with a wrapper's names, or lack T3's own `tfmr.`. Its scale is alpha / rank, or
alpha / sqrt(rank) with `use_rslora`, and rank and alpha may differ by module. Ours has one rank and the scale 1: lower
ranks are filled up with zeros, and the scale is multiplied into `lora_B`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.weight_files import check_file
from chatterbox_worker.engines.chatterbox.serving.adapters import MergedWeights
from chatterbox_worker.errors import InvalidRequest, NotReady, choices, quote
from chatterbox_worker.voices.adapter import HIGHEST_RANK

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
_NAME = re.compile(r"(?P<module>.+)\.lora_(?P<part>[AB])(\.default)?\.weight")
_LARGEST_CONFIG = 2**20  # bytes
_LARGEST_WEIGHTS = 2 * 2**30  # bytes: rank 512 of every matrix of the largest model has 1.0 GB
_WITHOUT = {"use_dora": False, "bias": "none", "modules_to_save": None, "lora_bias": False}
"""What an adapter of ours cannot have: the value that a config then has."""
_CHANGE_THE_MODEL = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initialisations after which PEFT trains on other weights than the model's: the adapter is the change of those."""


def read_peft_adapter(folder: Path, checkpoint: Checkpoint) -> Adapter:
    """The adapter in `folder`, for the model of `checkpoint`.

    Raises:
        InvalidRequest: it is no LoRA adapter, has what cannot be merged, or does not fit the model's T3.
        NotReady: the model's weights are missing.
    """
    config = _config(folder / CONFIG)
    factors = {}
    tensors = _tensors(folder / WEIGHTS)
    for module in sorted({name for name, _ in tensors}):
        down, up = tensors.get((module, "A")), tensors.get((module, "B"))
        if down is None or up is None or down.ndim != 2 or up.ndim != 2 or not 0 < down.shape[0] == up.shape[1]:
            raise _invalid(folder / WEIGHTS, f"{module} has no lora_A (rank, in) with a lora_B (out, rank)")
        factors[_path(module)] = down, up * _scale(config, module, down.shape[0])
    rank = max(down.shape[0] for down, _ in factors.values())
    if rank > HIGHEST_RANK:
        raise _invalid(folder / WEIGHTS, f"its rank is {rank}; at most {HIGHEST_RANK} can be used")
    padded = {module: _pad(down, up, rank) for module, (down, up) in factors.items()}
    adapter = Adapter(checkpoint.layout.name, checkpoint.t3_digest, rank, float(rank), padded)
    MergedWeights(load_t3_state(checkpoint), adapter)  # raises where it does not fit
    return adapter


def _invalid(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path} cannot be imported: {why}", field="adapter")


def _config(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise _invalid(path, f"it has {path.stat().st_size} bytes")
        config = json.loads(path.read_bytes())
    except OSError as error:
        raise _invalid(
            path, f"{error.strerror or error}; an adapter is a folder with {WEIGHTS} and {CONFIG}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _invalid(path, f"it is not JSON: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else config
        raise _invalid(path, f"its peft_type is {quote(kind)}, not LORA")
    for name, without in _WITHOUT.items():
        if config.get(name, without) not in (without, None, []):
            raise _invalid(path, f"it has {name} {quote(config[name])}, which a voice cannot have")
    if str(start := config.get("init_lora_weights")).lower().startswith(_CHANGE_THE_MODEL):
        raise _invalid(
            path,
            f"its init_lora_weights is {quote(start)}, which changes the model's own weights too; save it as a plain "
            "LoRA adapter (PEFT's path_initial_model_for_weight_conversion)",
        )
    return config


def _tensors(path: Path) -> dict[tuple[str, str], Tensor]:
    """By module and part, in float32."""
    try:
        check_file(path)
        if path.stat().st_size > _LARGEST_WEIGHTS:
            raise _invalid(path, f"it has {path.stat().st_size} bytes, at most {_LARGEST_WEIGHTS} can be read")
        tensors = load_file(path)
    except (NotReady, SafetensorError, OSError) as error:
        raise _invalid(path, str(error)) from error
    named = {name: _NAME.fullmatch(name) for name in tensors}
    if not named or (others := [name for name, found in named.items() if found is None]):
        shown = choices(others[:3]) if named else "nothing"
        raise _invalid(path, f"it has {shown}, and an adapter has only lora_A and lora_B of linear layers")
    return {(found["module"], found["part"]): tensors[name].float() for name, found in named.items() if found}


def _path(module: str) -> str:
    """The module's path in upstream's T3."""
    own = module.removeprefix("base_model.model.")
    start = re.search(r"(^|\.)(?=(tfmr|text_head|speech_head|cond_enc)\b)", own)
    if start is not None:
        return own[start.end() :]
    start = re.search(r"(^|\.)(?=(layers|h)\.\d)", own)
    return own if start is None else f"tfmr.{own[start.end() :]}"


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    alpha = _of_module(config.get("alpha_pattern"), module, config.get("lora_alpha", rank))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise InvalidRequest(f"{CONFIG} has the alpha {quote(alpha)} for {module}", field="adapter")
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _of_module(pattern: object, module: str, default: Any) -> Any:
    """PEFT's patterns are regular expressions of the end of a module's path (`peft.utils.other.get_pattern_key`)."""
    entries = pattern.items() if isinstance(pattern, dict) else ()
    own = module.removeprefix("base_model.model.")
    try:
        return next((value for name, value in entries if re.match(rf"(.*\.)?({name})$", own)), default)
    except re.error as error:
        raise InvalidRequest(
            f"{CONFIG} has an alpha_pattern that is no regular expression: {error}", field="adapter"
        ) from error


def _pad(down: Tensor, up: Tensor, rank: int) -> Factors:
    missing = rank - down.shape[0]
    padded = torch.nn.functional.pad(down, (0, 0, 0, missing)), torch.nn.functional.pad(up, (0, missing))
    return Factors(*(each.numpy() for each in padded))
