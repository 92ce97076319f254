"""Upstream's own modules, full-size or narrow: the source of key names and shapes, and the tests' oracle.

Upstream fixes its widths in constructors; a narrow copy uses the same classes with smaller arguments. Both have the
keys of the real checkpoint's state dicts (fewer layers, the same names), so code that reads one reads the other. Heads
stay 64 wide in T3 and in the flow's estimator and FSMN attention, as everywhere upstream, so that their number follows
from the shapes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import nn

from chatterbox_worker.engines.chatterbox.checkpoint.layout import Layout

with warnings.catch_warnings():  # diffusers deprecates a class that upstream does not use
    warnings.simplefilter("ignore")
    from chatterbox.models.s3gen import s3gen as s3gen_module
    from chatterbox.models.s3gen.decoder import ConditionalDecoder
    from chatterbox.models.s3gen.f0_predictor import ConvRNNF0Predictor
    from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
    from chatterbox.models.s3gen.hifigan import HiFTGenerator
    from chatterbox.models.s3gen.transformer.upsample_encoder import (
        PreLookaheadLayer,
        Upsample1D,
        UpsampleConformerEncoder,
    )
    from chatterbox.models.t3 import t3 as t3_module
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
    from chatterbox.models.t3.modules.perceiver import Perceiver
    from chatterbox.models.t3.modules.t3_config import T3Config
    from chatterbox.models.voice_encoder import VoiceEncoder
    from s3tokenizer.model_v2 import ModelConfig, S3TokenizerV2

_HEAD = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """The dimensions that a narrow copy changes; None for the model's own."""

    t3_layers: int | None = None
    t3_width: int | None = None
    t3_heads: int | None = None
    encoder_width: int = 512
    encoder_heads: int = 8
    encoder_blocks: int = 6
    estimator_width: int = 256
    estimator_heads: int = 8
    estimator_mid_blocks: int = 12
    estimator_inner_blocks: int = 4
    vocoder_width: int = 512
    f0_width: int = 512
    tokenizer_width: int = 1280
    tokenizer_layers: int = 6


FULL = Sizes()
TINY = Sizes(
    t3_layers=2, t3_width=128, t3_heads=2, encoder_width=64, encoder_heads=2, encoder_blocks=2, estimator_width=64,
    estimator_heads=2, estimator_mid_blocks=2, estimator_inner_blocks=2, vocoder_width=64, f0_width=32,
    tokenizer_width=128, tokenizer_layers=2,
)  # fmt: skip
SIZES = {"full": FULL, "tiny": TINY}


def build_t3(layout: Layout, sizes: Sizes) -> nn.Module:
    """Upstream's T3 with uninitialised or default weights; build under `torch.device("meta")` for shapes alone."""
    layers, width = sizes.t3_layers or layout.layers, sizes.t3_width or layout.width
    heads = sizes.t3_heads or layout.heads
    hp = T3Config(text_tokens_dict_size=layout.text_vocab)
    hp.speech_tokens_dict_size = layout.speech_vocab
    hp.speech_cond_prompt_len = layout.prompt_tokens
    hp.llama_config_name = "synthetic"
    if layout.is_gpt:
        hp.input_pos_emb, hp.use_perceiver_resampler, hp.emotion_adv = None, False, False
        config = LLAMA_CONFIGS["GPT2_medium"] | {
            "n_embd": width, "hidden_size": width, "n_layer": layers, "n_head": heads,
        }  # fmt: skip
    else:
        config = LLAMA_CONFIGS["Llama_520M"] | {
            "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": heads,
        }  # fmt: skip
    with mock.patch.dict(LLAMA_CONFIGS, {"synthetic": config}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers renames keys of the configuration from version to version
        t3: nn.Module = t3_module.T3(hp)
        if hp.use_perceiver_resampler:
            t3.cond_enc.perceiver = Perceiver(32, width, width)  # type: ignore[union-attr]
    if layout.blocks:  # chatterbox-flash adds a row for [MASK]
        t3.speech_emb = nn.Embedding(layout.speech_vocab + 1, width)
    return t3


def build_s3gen(sizes: Sizes, *, meanflow: bool) -> nn.Module:
    """Upstream's S3Gen: speech tokenizer, x-vector network (never narrow), flow and vocoder."""
    width = sizes.encoder_width
    tokenizer = ModelConfig(
        n_audio_state=sizes.tokenizer_width,
        n_audio_head=sizes.tokenizer_width // _HEAD,
        n_audio_layer=sizes.tokenizer_layers,
    )

    def encoder(**given: Any) -> nn.Module:
        narrow = {
            "input_size": width, "output_size": width, "attention_heads": sizes.encoder_heads,
            "linear_units": 4 * width, "num_blocks": sizes.encoder_blocks,
        }  # fmt: skip
        built: nn.Module = UpsampleConformerEncoder(**given | narrow)
        if width != FULL.encoder_width:  # upstream hard-codes 512 in these two
            built.pre_lookahead_layer = PreLookaheadLayer(channels=width, pre_lookahead_len=3)
            built.up_layer = Upsample1D(channels=width, out_channels=width, stride=2)
        return built

    def estimator(**given: Any) -> nn.Module:
        narrow = {
            "channels": [sizes.estimator_width], "num_heads": sizes.estimator_heads,
            "num_mid_blocks": sizes.estimator_mid_blocks, "n_blocks": sizes.estimator_inner_blocks,
        }  # fmt: skip
        built: nn.Module = ConditionalDecoder(**given | narrow)
        return built

    narrowed: dict[str, Any] = {
        "UpsampleConformerEncoder": encoder,
        "ConditionalDecoder": estimator,
        "CausalMaskedDiffWithXvec": partial(CausalMaskedDiffWithXvec, input_size=width),
        "ConvRNNF0Predictor": partial(ConvRNNF0Predictor, cond_channels=sizes.f0_width),
        "HiFTGenerator": partial(HiFTGenerator, base_channels=sizes.vocoder_width),
    }
    with (
        warnings.catch_warnings(),
        mock.patch.object(S3TokenizerV2.__init__, "__defaults__", (tokenizer,)),  # S3Tokenizer passes no config on
        mock.patch.multiple(s3gen_module, **narrowed),
    ):
        warnings.simplefilter("ignore")
        built: nn.Module = s3gen_module.S3Token2Wav(meanflow=meanflow)
    return built


def build_voice_encoder() -> nn.Module:
    built: nn.Module = VoiceEncoder()
    return built


def shapes(module: nn.Module) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Name, shape and type of everything in the module's state dict."""
    return {name: (tuple(value.shape), value.dtype) for name, value in module.state_dict().items()}
