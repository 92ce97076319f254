"""transformers' own loss of CSM: cross entropy of each frame's first code, by the backbone, and of its other codes.

`CsmForConditionalGeneration.forward` returns the mean over the frames of the first plus the mean over all codes of the
second. In training the depth decoder, which costs most of the memory, is trained on a sixteenth of the frames, drawn
again at each step; that is Sesame's own "compute amortization" (its article on CSM, 2025). Evaluation uses all frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.training.loss import Example, Sums
from chatterbox_worker.engines.csm.training.corpus import CsmExample

_DEPTH_SHARE = 1 / 16  # of the frames, for the depth decoder
_IGNORED = -100  # transformers' label of what is not predicted


def sums(module: Any, examples: Sequence[Example]) -> Sums:
    """The loss of a batch, times its frames; the text's is 0. `module`: CsmForConditionalGeneration.

    A batch is padded after its end, which causal attention does not read.
    """
    inputs, labels = zip(*(_lay_out(module, cast("CsmExample", example)) for example in examples), strict=True)
    longest = max(map(len, labels))
    output = module(
        inputs_embeds=torch.stack([F.pad(each, (0, 0, 0, longest - len(each))) for each in inputs]),
        labels=torch.stack([F.pad(each, (0, 0, 0, longest - len(each)), value=_IGNORED) for each in labels]),
        use_cache=False,
    )
    frames = sum(example.speech_targets for example in examples)
    return Sums(speech=output.loss * frames, text=torch.zeros((), device=output.loss.device))


def _lay_out(module: Any, example: CsmExample) -> tuple[Tensor, Tensor]:
    """Embeddings (n, width) of both turns, and labels (n, codebooks)."""
    device = module.lm_head.weight.device
    codebooks, end = module.config.num_codebooks, module.config.codebook_eos_token_id
    last = torch.full((1, codebooks), end)
    own = torch.cat([example.speech, last])

    def text(ids: Tensor) -> Tensor:
        return cast("Tensor", module.embed_text_tokens(ids.to(device)))

    def sound(codes: Tensor) -> Tensor:
        return cast("Tensor", module.backbone_model.embed_tokens(codes[None].to(device))[0])

    with torch.no_grad():  # the embeddings are frozen
        before = [text(example.prompt_text), sound(torch.cat([example.prompt, last])), text(example.text)]
        embedded = torch.cat([*before, sound(own)])
    targets = own.clone()
    if module.backbone_model.training:
        chosen = torch.randperm(len(own))[: -(-len(own) // round(1 / _DEPTH_SHARE))]
        left_out = torch.ones(len(own), dtype=torch.bool)
        left_out[chosen] = False
        targets[left_out, 1:] = _IGNORED
    ignored = torch.full((len(embedded) - len(own), codebooks), _IGNORED)
    return embedded, torch.cat([ignored, targets]).to(device)
