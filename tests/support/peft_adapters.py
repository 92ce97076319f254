"""LoRA adapters as PEFT writes them, for the tiny weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from support.tiny_engine import found

FIRST, SECOND = "tfmr.layers.0.self_attn.q_proj", "tfmr.layers.1.mlp.down_proj"


def write_adapter(folder: Path, prefix: str = "base_model.model.", **config: Any) -> dict[str, torch.Tensor]:
    """An adapter of ranks 4 and 2 for two matrices of tiny english; returns their changes without scale.

    `prefix` of the modules' paths; with "layers" they begin with that, without T3's own `tfmr.`.
    """
    folder.mkdir()
    state = load_t3_state(found("english"))
    changes: dict[str, torch.Tensor] = {}
    tensors: dict[str, torch.Tensor] = {}
    for index, (module, rank) in enumerate(((FIRST, 4), (SECOND, 2))):
        out, width = state[f"{module}.weight"].shape
        generator = torch.Generator().manual_seed(index)
        down, up = torch.randn(rank, width, generator=generator), torch.randn(out, rank, generator=generator)
        path = module.removeprefix("tfmr.") if prefix == "layers" else f"{prefix}{module}"
        tensors |= {f"{path}.lora_A.weight": down, f"{path}.lora_B.weight": up}
        changes[module] = up @ down
    save_file(tensors, folder / "adapter_model.safetensors")
    about = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "alpha_pattern": {"mlp.down_proj": 6}, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(about | config))
    return changes
