"""Upstream's loss on T3, corrected: the next token's cross entropy, of the text and of the speech.

`T3.loss` of chatterbox-tts does not work as published (tests/engines/chatterbox/training shows each of these):

* its logits are (batch, time, vocabulary), but cross entropy needs (batch, vocabulary, time);
* it compares the output at a token with that token, which the transformer has just read, and not with the next one;
* it pads the text in the middle, before the speech, without a mask: a clip's loss depends on the other clips in its
  batch;
* it requires start and stop tokens in the text, which turbo's and nano's do not have.

Here a clip is [conditioning][text][BOS, speech, EOS] by upstream's own `prepare_input_embeds`, padded after its end,
which causal attention does not read. So a clip has the same loss in any batch, and where no text is padded the sums are
those of upstream's loss with its first two errors corrected. There is one BOS, as in upstream's training; upstream's
inference adds a second.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chatterbox_worker.engines.chatterbox.training.module import T3Module

EMOTION = 0.5
"""Upstream's `exaggeration`; neutral, as training assumes for every recording."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One clip as T3's inputs, on any device."""

    text: Tensor
    """(t,) int64, with start and stop tokens where the model has them."""
    speech: Tensor
    """(s,) int64, from BOS to EOS."""
    prompt: Tensor
    """(p,) int64: another clip's start, which conditions the voice."""
    speaker: Tensor
    """(256,) float32, of length 1."""

    @property
    def text_targets(self) -> int:
        """How many text tokens are predicted."""
        return len(self.text) - 1

    @property
    def speech_targets(self) -> int:
        return len(self.speech) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Cross entropy in nats, summed over the predicted tokens."""

    speech: Tensor
    text: Tensor


def sums(module: T3Module, examples: Sequence[Example]) -> Sums:
    """A batch's sums as two scalars that carry gradients, computed on the module's device."""
    trains_inputs = any(parameter.requires_grad for parameter in module.text_emb.parameters())
    with torch.set_grad_enabled(trains_inputs and torch.is_grad_enabled()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # upstream's perceiver uses an old name of torch's attention
        inputs_of = [_embed(module, example) for example in examples]
    longest = max(len(embedded) for embedded, _ in inputs_of)
    inputs = torch.stack([F.pad(embedded, (0, 0, 0, longest - len(embedded))) for embedded, _ in inputs_of])
    hidden = module.tfmr(inputs_embeds=inputs, use_cache=False).last_hidden_state
    of_text, of_speech = [], []
    for row, example, (_, start) in zip(hidden, examples, inputs_of, strict=True):
        speech_start = start + len(example.text)
        of_text.append(row[start : speech_start - 1])
        of_speech.append(row[speech_start : speech_start + example.speech_targets])
    return Sums(
        speech=_entropy(module.speech_head, of_speech, [example.speech for example in examples]),
        text=_entropy(module.text_head, of_text, [example.text for example in examples]),
    )


def _embed(module: T3Module, example: Example) -> tuple[Tensor, int]:
    """Embeddings (n, width) of everything except the EOS, which predicts nothing; and where the text begins."""
    from chatterbox.models.t3.modules.cond_enc import T3Cond  # noqa: PLC0415 - seconds of imports

    device, dtype = module.speech_emb.weight.device, module.speech_emb.weight.dtype
    prompt = example.prompt[None].to(device) if len(example.prompt) else None
    cond = T3Cond(
        speaker_emb=example.speaker[None].to(device, dtype),
        cond_prompt_speech_tokens=prompt,
        emotion_adv=torch.full((1, 1, 1), EMOTION, device=device, dtype=dtype),
    )
    embedded, start = module.prepare_input_embeds(
        t3_cond=cond, text_tokens=example.text[None].to(device), speech_tokens=example.speech[None, :-1].to(device)
    )
    return embedded[0], start


def _entropy(head: torch.nn.Module, hidden: Sequence[Tensor], tokens: Sequence[Tensor]) -> Tensor:
    targets = torch.cat([each[1:] for each in tokens]).to(hidden[0].device)
    return F.cross_entropy(head(torch.cat(list(hidden))).float(), targets, reduction="sum")
