"""Upstream's own T3 on any checkpoint, and which of its parameters are trained: a low-rank adapter's, the rows of new
text tokens, or all.

Serving has its own T3, without gradients; training uses upstream's module with transformers' backbone, so that weights
are trained with the same arithmetic as the checkpoint. The wheel's constructors support one size only, so the size is
read from the tensors. All other weights are frozen, and upstream's dropout is off: only the adapter's is active.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout
from chatterbox_worker.errors import NotReady

T3Module = Any
"""`chatterbox.models.t3.T3`, which has no types."""

_HEAD = 64  # every published T3's
_QUERIES = 32  # the perceiver's, upstream modules/perceiver.py
_UNUSED = ("tfmr.wte.weight", "tfmr.embed_tokens.weight")  # both backbones receive embeddings, never ids
_NAME = "default"  # peft's name for its first adapter
ROWS = ".rows"
"""Ends the name of new rows."""

TARGETS: Mapping[str, tuple[str, ...]] = {
    "llama": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    "gpt2": ("attn.c_attn", "attn.c_proj"),
}
"""The layers of each block that an adapter changes: all projections of its attention."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an adapter."""

    rank: int
    alpha: float
    """The adapter adds alpha / rank · B·A to a weight."""
    dropout: float = 0.0


def upstream_t3(layout: Layout, state: Mapping[str, Tensor]) -> T3Module:
    """The module with the weights in `state`, frozen, on the CPU in float32.

    Raises:
        NotReady: `state` is not a T3's.
    """
    with warnings.catch_warnings():  # upstream imports deprecated parts of diffusers and perth, and does not use them
        warnings.simplefilter("ignore")
        from chatterbox.models.t3 import t3  # noqa: PLC0415 - seconds of imports
        from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS  # noqa: PLC0415
        from chatterbox.models.t3.modules.perceiver import Perceiver  # noqa: PLC0415
        from chatterbox.models.t3.modules.t3_config import T3Config  # noqa: PLC0415

        config = _backbone(layout, state, LLAMA_CONFIGS)
        name = f"chatterbox_worker_{layout.backbone}_{config['hidden_size']}"
        LLAMA_CONFIGS[name] = config  # the constructor accepts only a name in this table
        hp = T3Config(text_tokens_dict_size=state["text_emb.weight"].shape[0])
        hp.speech_tokens_dict_size = state["speech_emb.weight"].shape[0]
        hp.speech_cond_prompt_len = layout.prompt_tokens
        hp.llama_config_name = name
        if layout.is_gpt:
            hp.input_pos_emb, hp.use_perceiver_resampler, hp.emotion_adv = None, False, False
        module = t3.T3(hp)
        if hp.use_perceiver_resampler:
            module.cond_enc.perceiver = Perceiver(_QUERIES, config["hidden_size"], config["hidden_size"])
    _fill(module, layout, state)
    for each in module.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    return module.requires_grad_(requires_grad=False)


def add_adapter(module: T3Module, layout: Layout, shape: Shape, *, seed: int) -> T3Module:
    """Add a new adapter to the attention of `module`, and return `module`."""
    return add_lora(module, TARGETS[layout.backbone], shape, seed=seed, fan_in_fan_out=layout.is_gpt)


def add_lora(module: Any, endings: tuple[str, ...], shape: Shape, *, seed: int, fan_in_fan_out: bool = False) -> Any:
    """Add a new adapter to the layers whose paths end like this, and return `module`.

    It changes nothing yet: its B is zero. `fan_in_fan_out`: the layers' weights are (in, out).
    """
    from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415 - of the train extra

    targets = [name for name, _ in module.named_modules() if name.endswith(endings)]
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,  # type: ignore[arg-type]  # peft declares an int, and accepts any number
        lora_dropout=shape.dropout,
        target_modules=targets,
        fan_in_fan_out=fan_in_fan_out,
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        inject_adapter_in_model(config, module)
    return module


def add_trained_rows(module: T3Module, count: int) -> T3Module:
    """Train the last `count` text tokens' rows of the embedding and of the text head, and return `module`.

    The other rows are a buffer, not a parameter: no optimizer can change them.
    """
    for each in (module.text_emb, module.text_head):
        register_parametrization(each, "weight", _LastRows(each.weight.detach()[:-count]))
        each.parametrizations.weight.original.requires_grad_(requires_grad=True)
    return module


class _LastRows(nn.Module):
    """A matrix of rows that stay and, after them, trained ones."""

    def __init__(self, kept: Tensor) -> None:
        """`kept`: (rows, width)."""
        super().__init__()
        self.register_buffer("kept", kept.clone())

    def forward(self, rows: Tensor) -> Tensor:
        return torch.cat([self.kept, rows])  # type: ignore[list-item]  # a buffer

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight[len(self.kept) :].clone()  # type: ignore[arg-type]


def train_all(module: T3Module) -> T3Module:
    """Train every parameter that the loss depends on, and return `module`."""
    for name, parameter in module.named_parameters():
        parameter.data = parameter.data.clone()  # not the tensors that the module was built from
        parameter.requires_grad_(name not in _UNUSED)
    return module


def trained_parameters(module: T3Module) -> dict[str, nn.Parameter]:
    """What is trained, by names that `training.scope` reads.

    `.lora_A` (rank, inputs) or `.lora_B` (outputs, rank) after the layer's path in T3; `.rows` (tokens, width) after
    that of a table with new tokens; else T3's own names.
    """
    return {_name(name): parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def set_trained(module: T3Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy these values into the trained parameters; the reverse of `trained_parameters`."""
    with torch.no_grad():
        for name, parameter in trained_parameters(module).items():
            parameter.copy_(tensors[name])


def _name(name: str) -> str:
    return name.removesuffix(f".{_NAME}.weight").replace(".parametrizations.weight.original", ROWS)


def _backbone(layout: Layout, state: Mapping[str, Tensor], known: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The transformer's configuration: upstream's, in the size of the tensors."""
    try:
        width = state["speech_head.weight"].shape[1]
        start = "tfmr.h." if layout.is_gpt else "tfmr.layers."
        layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith(start))
        if layout.is_gpt:
            sizes = {"n_embd": width, "hidden_size": width, "n_layer": layers, "n_head": width // _HEAD}
            return known["GPT2_medium"] | sizes | {"n_positions": state["tfmr.wpe.weight"].shape[0]}
        inner = state["tfmr.layers.0.mlp.up_proj.weight"].shape[0]
    except (KeyError, ValueError) as error:
        raise NotReady(f"the {layout.name} checkpoint has no T3 that can be trained: {error}") from error
    return known["Llama_520M"] | {
        "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": width // _HEAD, "num_key_value_heads": width // _HEAD,
    }  # fmt: skip


def _fill(module: T3Module, layout: Layout, state: Mapping[str, Tensor]) -> None:
    known = {name: value.float() for name, value in state.items() if name not in _UNUSED}
    try:
        missing, unexpected = module.load_state_dict(known, strict=False, assign=True)
    except RuntimeError as error:
        raise NotReady(f"the {layout.name} checkpoint does not fit upstream's T3: {error}") from error
    if differing := [name for name in (*missing, *unexpected) if name not in _UNUSED]:
        raise NotReady(f"the {layout.name} checkpoint and upstream's T3 differ in {', '.join(differing[:5])}")
