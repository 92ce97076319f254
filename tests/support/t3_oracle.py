"""Upstream's T3, narrow and with weights that make every term visible, and its two generation loops as at HEAD 5de7a54.

The loops are written out here because the wheel's multilingual one still contains the alignment analyser. The noise of
every draw is a parameter: torch.multinomial of one sample is argmax(p / q) with q ~ Exp(1), as a test of the sampler
shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_SPEECH
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from support.checkpoints import upstream_may_warn
from tools.upstream import Sizes, build_t3

NARROW = Sizes(t3_layers=3, t3_width=128, t3_heads=2)


def oracle_t3(model: str, *, seed: int = 0, sizes: Sizes = NARROW) -> nn.Module:
    """Upstream's module. No parameter has a default that could hide a missing term; attention is far from uniform."""
    torch.manual_seed(seed)
    module = build_t3(LAYOUTS[model], sizes).eval().requires_grad_(requires_grad=False)
    for name, parameter in module.named_parameters():
        if parameter.ndim == 1:
            is_gain = name.endswith("weight")
            parameter.normal_(1.0 if is_gain else 0.0, 0.2)
        elif "head" in name:
            parameter.normal_(0.0, 0.15)
        elif "emb" in name or "wpe" in name or "query" in name:
            parameter.normal_(0.0, 0.5)
        else:
            parameter.normal_(0.0, 2.0 / parameter.shape[-1] ** 0.5)
    return module


@dataclass(frozen=True)
class Voice:
    speaker: Tensor
    prompt: Tensor
    emotion: float | None


def random_voice(*, seed: int, prompt: int = 40, emotion: float | None = 0.7) -> Voice:
    generator = torch.Generator().manual_seed(seed)
    return Voice(
        speaker=torch.randn(256, generator=generator),
        prompt=torch.randint(0, 6561, (prompt,), generator=generator),
        emotion=emotion,
    )


@dataclass(frozen=True)
class Generated:
    tokens: list[int]
    logits: list[Tensor]
    """(rows, V) of every step, before guidance and filters."""


@upstream_may_warn()
@torch.inference_mode()
def generate_llama(
    module: Any, voice: Voice, text: Sequence[int], sampling: Sampling, *, noise: Callable[[int], Tensor], steps: int
) -> Generated:
    """`T3.inference`, always on two rows.

    With a guidance weight of 0 upstream's own call fails; its arithmetic would give the first row.
    """
    ids = torch.tensor([list(text)] * 2)
    bos = torch.full((2, 1), START_SPEECH)
    embeddings, _ = module.prepare_input_embeds(
        t3_cond=_upstream(voice), text_tokens=ids, speech_tokens=bos, cfg_weight=1.0
    )
    again = module.speech_emb(bos) + module.speech_pos_emb.get_fixed_embedding(0)
    inputs = torch.cat([embeddings, again], dim=1)
    processors = [
        RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)),
        lambda _, logits: logits / sampling.temperature,
        MinPLogitsWarper(sampling.min_p),
        TopPLogitsWarper(sampling.top_p),
    ]
    generated, cache, seen = Generated([], []), DynamicCache(), bos[:1]
    for step in range(steps):
        hidden = module.tfmr(
            inputs_embeds=inputs, past_key_values=cache, use_cache=True, output_hidden_states=True
        ).hidden_states[-1]
        logits = module.speech_head(hidden)[:, -1]
        generated.logits.append(logits)
        guided = logits[0:1] + sampling.cfg_weight * (logits[0:1] - logits[1:2])
        for processor in processors:
            guided = processor(seen, guided)
        token = _draw(guided, noise(step))
        generated.tokens.append(int(token))
        seen = torch.cat([seen, token], dim=1)
        inputs = (module.speech_emb(token) + module.speech_pos_emb.get_fixed_embedding(step + 1)).expand(2, -1, -1)
    return generated


@upstream_may_warn()
@torch.inference_mode()
def generate_gpt2(
    module: Any, voice: Voice, text: Sequence[int], sampling: Sampling, *, noise: Callable[[int], Tensor], steps: int
) -> Generated:
    """`T3.inference_turbo`."""
    bos = torch.full((1, 1), START_SPEECH)
    inputs, _ = module.prepare_input_embeds(
        t3_cond=_upstream(voice), text_tokens=torch.tensor([list(text)]), speech_tokens=bos, cfg_weight=0.0
    )
    processors = LogitsProcessorList()
    if sampling.temperature != 1.0:
        processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k > 0:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        processors.append(TopPLogitsWarper(sampling.top_p))
    if sampling.repetition_penalty != 1.0:
        processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    generated, cache, seen = Generated([], []), DynamicCache(), bos
    for step in range(steps):
        logits = module.speech_head(module.tfmr(inputs_embeds=inputs, past_key_values=cache, use_cache=True)[0])[:, -1]
        generated.logits.append(logits)
        token = _draw(processors(seen, logits), noise(step))
        generated.tokens.append(int(token))
        seen = token if step == 0 else torch.cat([seen, token], dim=1)  # the BOS is gone from the second token on
        inputs = module.speech_emb(token)
    return generated


def _draw(logits: Tensor, noise: Tensor) -> Tensor:
    return (logits.softmax(-1) / noise).argmax(-1, keepdim=True)


def _upstream(voice: Voice) -> Any:
    emotion = None if voice.emotion is None else torch.full((1, 1, 1), voice.emotion)
    prompt = voice.prompt[None] if len(voice.prompt) else None
    return T3Cond(speaker_emb=voice.speaker[None], cond_prompt_speech_tokens=prompt, emotion_adv=emotion)
