"""The package chatterbox-flash as an oracle: its T3, narrow, on the tests' weights, and its loop with given noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from chatterbox_worker.engines.chatterbox.t3.block_sampling import BLOCK, BlockSampling
from support.checkpoints import upstream_may_warn
from support.t3_oracle import NARROW, Voice, oracle_t3

with upstream_may_warn():
    flash = pytest.importorskip("chatterbox_flash.model", reason="the package chatterbox-flash is not installed")

Noise = Callable[[int, int], tuple[Tensor, Tensor]]
"""(block, pass) -> Exp(1) noise (BLOCK, V) for tokens, uniform numbers (BLOCK,) for positions."""


def oracle_flash(*, seed: int = 0) -> nn.Module:
    """The package's class with the weights of the English oracle and a row for [MASK]."""
    module: Any = oracle_t3("english", seed=seed, sizes=NARROW)
    module.__class__ = flash.ChatterboxFlashT3
    module._mask_token_id, module.drf_block_size = module.hp.speech_tokens_dict_size, BLOCK
    module.config, module._cached_engine = module.cfg, None
    row = torch.randn(1, module.dim, generator=torch.Generator().manual_seed(seed)) * 0.5
    weight = torch.cat([module.speech_emb.weight, row])
    module.speech_emb = nn.Embedding(weight.shape[0], weight.shape[1], _weight=weight).requires_grad_(
        requires_grad=False
    )
    built: nn.Module = module
    return built


@upstream_may_warn()
@torch.inference_mode()
def generate_flash(
    module: Any, voice: Voice, text: Sequence[int], sampling: BlockSampling, *, noise: Noise
) -> list[int]:
    """`ChatterboxFlashT3.generate` for one text, without what is cut before S3Gen."""
    block, own = -1, flash._pmi_count_early_step_unmask
    drawn: list[tuple[Tensor, Tensor]] = []

    def unmask(*given: Any, k: int, bl: int, **named: Any) -> Any:
        nonlocal block
        block += k == 0
        tokens, positions = noise(block, k)
        drawn[:] = [(tokens[:bl], positions[:bl])]
        return own(*given, k=k, bl=bl, **named)

    with (
        mock.patch.object(flash, "_pmi_count_early_step_unmask", unmask),
        mock.patch.object(
            torch, "multinomial", lambda probs, num_samples: (probs / drawn[0][0]).argmax(-1, keepdim=True)
        ),
        mock.patch.object(torch, "rand_like", lambda like: drawn[0][1].reshape(like.shape)),
    ):
        module.set_block_size(sampling.block_size)
        tokens = module.generate(
            t3_cond=flash.T3Cond(
                speaker_emb=voice.speaker[None], cond_prompt_speech_tokens=voice.prompt[None],
                emotion_adv=torch.full((1, 1, 1), voice.emotion or 0.0),
            ),
            text_tokens=torch.tensor([list(text)]), text_token_lens=torch.tensor([len(text)]),
            total_speech_len=min(max(6 * len(text), 300), sampling.max_tokens), num_steps=sampling.steps,
            temperature=sampling.temperature, cfg_scale=sampling.cfg_weight,
            position_temperature=sampling.position_temperature, backend="torch",
        )  # fmt: skip
    return [token for token in tokens[0].tolist() if token != module.mask_token_id]
