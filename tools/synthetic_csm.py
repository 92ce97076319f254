"""CSM's part of the synthetic checkpoints: the files of `sesame/csm-1b` that transformers reads, with random weights.

The hub's repository also has Sesame's own format; config.json names the one that is used. 538 tensors in two files, the
tied embedding under both names, as in the repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors, trainers  # type: ignore[import-untyped]

from tools.synthetic_tokenizer import SENTENCES
from tools.synthetic_weights import Shape, fill

Shapes = Mapping[str, tuple[Shape, torch.dtype]]
Write = Callable[[Path, Shapes, Mapping[str, torch.Tensor]], None]

SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|AUDIO|>", "<|audio_eos|>")  # 128000 to 128003
_SPECIALS = 256  # at the vocabulary's end, most of them reserved
_INDEX = "transformers.safetensors.index.json"
_TIED = ("backbone_model.embed_tokens.embed_audio_tokens.weight", "depth_decoder.model.embed_tokens.weight")
# Llama 3's: contractions, words, up to three digits, punctuation, white space
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEMPLATE = """\
{%- for message in messages -%}
{%- if not message['role'].isdigit() -%}{{ raise_exception("the role must be a speaker's number") }}{%- endif -%}
{{- bos_token + '[' + message['role'] + ']' -}}
{%- for part in message['content'] if part['type'] == 'text' -%}{{- part['text'] -}}{%- endfor -%}
{{- eos_token -}}
{%- for part in message['content'] if part['type'] == 'audio' -%}{{- '<|AUDIO|><|audio_eos|>' -}}{%- endfor -%}
{%- endfor -%}
"""

_LLAMA_POSITIONS = 1024  # of the backbone's training
_DEPTH_POSITIONS = 16  # the same frequencies: transformers wants fewer than max_position_embeddings, which is 33
_FULL: dict[str, Any] = {
    "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 64, "num_codebooks": 32, "text_vocab_size": 128256,
    "depth_decoder_config": {
        "hidden_size": 1024, "intermediate_size": 8192, "num_hidden_layers": 4, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 128, "backbone_hidden_size": 2048, "num_codebooks": 32,
    },
    "codec_config": {"num_quantizers": 32},
}  # fmt: skip
_TINY: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "num_codebooks": 6, "text_vocab_size": 1024,
    "depth_decoder_config": {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "backbone_hidden_size": 64, "num_codebooks": 6,
    },
    "codec_config": {
        "num_quantizers": 6, "hidden_size": 32, "num_filters": 4, "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16, "upsample_groups": 32, "num_hidden_layers": 1,
        "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
    },
}  # fmt: skip
SIZES = {"full": _FULL, "tiny": _TINY}


def _rope(positions: int) -> dict[str, Any]:
    """The published model's rotary frequencies, which depend on the factors divided by the positions."""
    scale = positions / _LLAMA_POSITIONS
    return {
        "rope_theta": 500000,
        "rope_scaling": {
            "factor": 32.0, "high_freq_factor": 0.5 * scale, "low_freq_factor": 0.125 * scale,
            "original_max_position_embeddings": positions, "rope_type": "llama3",
        },
    }  # fmt: skip


def configuration(size: str) -> dict[str, Any]:
    """config.json, under the keys of the hub's file."""
    own = SIZES[size]
    first = own["text_vocab_size"] - _SPECIALS
    shared = {
        "vocab_size": 2051,
        "rms_norm_eps": 1e-05,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
    }
    depth = {"model_type": "csm_depth_decoder_model", "max_position_embeddings": 33}
    depth |= shared | _rope(_DEPTH_POSITIONS)
    codec = {
        "model_type": "mimi",
        "sampling_rate": 24000,
        "frame_rate": 12.5,
        "audio_channels": 1,
        "codebook_size": 2048,
    }
    return {
        "architectures": ["CsmForConditionalGeneration"], "model_type": "csm", "transformers_weights": _INDEX,
        "torch_dtype": "float32", "transformers_version": "4.52.0.dev0", "max_position_embeddings": 2048,
        "tie_codebooks_embeddings": True,
        "bos_token_id": first, "audio_token_id": first + 2, "audio_eos_token_id": first + 3, "pad_token_id": first + 2,
        "codebook_eos_token_id": 0, "codebook_pad_token_id": 2050,
        **shared, **_rope(_LLAMA_POSITIONS), **own,
        "depth_decoder_config": depth | own["depth_decoder_config"],
        "codec_config": codec | own["codec_config"],
    }  # fmt: skip


def tensors(size: str) -> Shapes:
    """Shape and type of every tensor, under transformers' names."""
    from transformers import CsmConfig, CsmForConditionalGeneration  # noqa: PLC0415 - not needed for the other models

    with torch.device("meta"):
        model = CsmForConditionalGeneration(CsmConfig(**configuration(size)))
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in model.state_dict().items()}


def write_csm(folder: Path, size: str, seed: int, write: Write) -> None:
    """Fill `folder`; `write` writes a safetensors file of these shapes, with the known tensors that it gets."""
    shapes = tensors(size)
    tied = fill(_TIED[0], shapes[_TIED[0]][0], file="csm", seed=seed)
    half = sum(torch.Size(shape).numel() for shape, _ in shapes.values()) / 2
    shards: tuple[dict[str, tuple[Shape, torch.dtype]], ...] = ({}, {})
    written = 0
    for name, entry in shapes.items():
        shards[written > half][name] = entry
        written += torch.Size(entry[0]).numel()
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"transformers-{number:05}-of-{len(shards):05}.safetensors"
        write(folder / name, shard, dict.fromkeys(_TIED, tied))
        weight_map |= dict.fromkeys(shard, name)
    _tokenizer(SIZES[size]["text_vocab_size"] - _SPECIALS).save(str(folder / "tokenizer.json"))
    for file, content in _small_files(size, written * 4, weight_map).items():
        (folder / file).write_text(content if isinstance(content, str) else json.dumps(content, indent=2))


def _small_files(size: str, total_bytes: int, weight_map: Mapping[str, str]) -> dict[str, Any]:
    bos, eos, audio, _ = SPECIAL
    codebooks = SIZES[size]["num_codebooks"]
    return {
        "config.json": configuration(size),
        _INDEX: {"metadata": {"total_size": total_bytes}, "weight_map": weight_map},
        "generation_config.json": {
            "bos_token_id": configuration(size)["bos_token_id"], "pad_token_id": configuration(size)["pad_token_id"],
            "do_sample": True, "temperature": 0.9, "max_new_tokens": 125,
            "depth_decoder_do_sample": True, "depth_decoder_temperature": 0.9,
            "depth_decoder_min_new_tokens": codebooks - 1, "depth_decoder_max_new_tokens": codebooks - 1,
        },
        "preprocessor_config.json": {
            "feature_extractor_type": "EncodecFeatureExtractor", "processor_class": "CsmProcessor", "feature_size": 1,
            "sampling_rate": 24000, "padding_side": "right", "padding_value": 0.0, "return_attention_mask": True,
            "chunk_length_s": None, "overlap": None,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "processor_class": "CsmProcessor", "bos_token": bos,
            "eos_token": eos, "pad_token": audio, "clean_up_tokenization_spaces": True, "model_max_length": 131072,
            "model_input_names": ["input_ids", "attention_mask"],
        },
        "special_tokens_map.json": {"bos_token": bos, "eos_token": eos, "pad_token": audio},
        "chat_template.jinja": _TEMPLATE,
    }  # fmt: skip


def _tokenizer(size: int) -> Tokenizer:
    """As Llama 3's: byte-level BPE of `size` entries, then the special ones."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(_WORDS), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(list(SENTENCES.values()) * 2, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    vocabulary |= {f"<|unused_{number}|>": number for number in range(len(vocabulary), size)}
    tokenizer.model = models.BPE(vocabulary, [tuple(merge) for merge in model["merges"]], ignore_merges=True)
    reserved = [f"<|reserved_special_token_{number}|>" for number in range(_SPECIALS - len(SPECIAL))]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (*SPECIAL, *reserved)])
    bos, eos = SPECIAL[:2]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, size), (eos, size + 1)]
    )
    return tokenizer
