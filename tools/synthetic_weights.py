"""Random tensors that hide no bugs: none has a default value with which a wrong model would agree with a right one.

Biases are not 0, gains of norms are not 1, weight-norm magnitudes, Snake frequencies and BatchNorm statistics vary,
the meanflow mixer depends on both its times, positions weigh as much as tokens, and attention is peaky enough
(logits of standard deviation 2) that a wrong position or mask changes the result. A tensor's values depend only on the
seed, its file and its name: not on the order or on the file's other tensors.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable

import torch

CPU = torch.device("cpu")

Shape = tuple[int, ...]
Fill = Callable[[Shape, torch.Generator], torch.Tensor]

_EOS = 6562  # layout.STOP_SPEECH
_CODES = 2048  # in each of Mimi's codebooks


def _normal(std: float, mean: float = 0.0) -> Fill:
    return lambda shape, generator: (
        torch.randn(shape, generator=generator, device=generator.device).mul_(std).add_(mean)
    )


def _uniform(low: float, high: float) -> Fill:
    return lambda shape, generator: (
        torch.rand(shape, generator=generator, device=generator.device).mul_(high - low).add_(low)
    )


def _fan_in_normal(gain: float) -> Fill:
    """Normal, with `gain` times the standard deviation that preserves a layer's scale; fan-in of Linear and Conv1d."""
    return lambda shape, generator: _normal(gain / math.sqrt(math.prod(shape[1:])))(shape, generator)


def _conv1d_normal(gain: float) -> Fill:
    """The same for GPT-2's Conv1D, which stores (in, out)."""
    return lambda shape, generator: _normal(gain / math.sqrt(shape[0]))(shape, generator)


def _speech_head(shape: Shape, generator: torch.Generator) -> torch.Tensor:
    """Logits of standard deviation 3; those of the special tokens stay near 0, so that sampling never draws them."""
    head = _fan_in_normal(3.0)(shape, generator)
    head[_EOS - 1 :] *= 0.01
    return head


def _speech_head_bias(shape: Shape, generator: torch.Generator) -> torch.Tensor:
    bias = _normal(0.5)(shape, generator)
    bias[_EOS - 1 :] = -10.0
    return bias


def _without_special(gain: float, axis: int) -> Fill:
    """Logits of standard deviation `gain`; those of ids beyond the codec's codes are 0, so top_k never selects them."""

    def fill_head(shape: Shape, generator: torch.Generator) -> torch.Tensor:
        head = _normal(gain / math.sqrt(shape[1]))(shape, generator)
        head.narrow(axis, _CODES, shape[axis] - _CODES).zero_()
        return head

    return fill_head


# The first pattern that matches the end of a name applies.
_RULES: tuple[tuple[str, Fill], ...] = (
    (r"num_batches_tracked", lambda shape, _: torch.full(shape, 1000, dtype=torch.int64)),
    (r"running_mean", _normal(0.1)),
    (r"running_var", _uniform(0.5, 1.5)),
    (r"similarity_weight|similarity_bias", _normal(1.0)),  # unused at inference
    # T3
    (r"speech_head\.weight", _speech_head),
    (r"speech_head\.bias", _speech_head_bias),
    (r"(text|speech)_emb\.weight|tfmr\.wte\.weight|embed_tokens\.weight", _normal(0.5)),
    (r"(text|speech)_pos_emb\.emb\.weight|tfmr\.wpe\.weight", _normal(0.3)),
    (r"(q|k)_proj\.weight|to_q\.weight|to_k\.weight|linear_(q|k)\.weight", _fan_in_normal(1.4)),
    (r"c_attn\.weight", _conv1d_normal(1.4)),
    (r"c_(fc|proj)\.weight", _conv1d_normal(1.0)),
    (r"pre_attention_query", _normal(0.7)),
    (r"spkr_enc\.weight", _normal(0.5)),  # the embedding has length 1
    # CSM
    (r"lm_head\.weight", _without_special(3.0, 0)),
    (r"codebooks_head\.weight", _without_special(3.0, 2)),
    (r"embed_text_tokens\.weight|embed_audio_tokens\.weight", _normal(0.5)),
    (r"codebook\.initialized", lambda shape, _: torch.ones(shape)),
    (r"codebook\.cluster_usage", _uniform(0.5, 1.5)),
    # S3Gen
    (r"parametrizations\.weight\.original0", _uniform(0.4, 1.0)),
    (r"alpha", _uniform(0.5, 1.5)),
    (r"pos_bias_(u|v)", _normal(0.5)),
    (r"time_embed_mixer\.weight", _fan_in_normal(1.0)),
    (r"f0_predictor\.classifier\.weight", _fan_in_normal(100.0)),  # Hertz: voiced and unvoiced frames
    (r"f0_predictor\.classifier\.bias", _uniform(120.0, 180.0)),
    (r"m_source\.l_linear\.weight", _fan_in_normal(1.0)),
)


def fill(name: str, shape: Shape, *, file: str, seed: int, device: torch.device = CPU) -> torch.Tensor:
    """The random tensor for `name` in `file`: float32, or int64 for counters.

    `device` draws it, with other values on a GPU than on a CPU; the result is on the CPU.
    """
    digest = hashlib.sha256(f"{seed}/{file}/{name}".encode()).digest()
    generator = torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") & (2**63 - 1))
    for pattern, rule in _RULES:
        if re.search(rf"(^|[._])(?:{pattern})$", name):
            return rule(shape, generator).cpu()
    if len(shape) > 1:
        return _fan_in_normal(1.0)(shape, generator).cpu()
    return (_normal(0.1) if "bias" in name else _uniform(0.6, 1.4))(shape, generator).cpu()
