"""Upstream's loss on T3, made to work: the next token's cross entropy, of the text and of the speech.

`T3.loss` of chatterbox-tts cannot be called as it stands (tests/engines/chatterbox/training holds all of this):

* its logits are (batch, time, vocabulary) where cross entropy wants (batch, vocabulary, time);
* it compares the output at a token with that token, which the transformer has just read, not with the next one;
* it pads the text in the middle, before the speech, and nothing masks the padding: what a clip costs there depends on its
  neighbours in the batch;
* it insists on start and stop tokens in the text, which turbo's and nano's do not have.

Here a clip is [conditioning][text][BOS, speech, EOS] by upstream's own `prepare_input_embeds`, padded behind its end, where
causal attention never looks. So a clip costs the same in any company, and where no text is padded the sums are those of
upstream's loss with its two slips mended. One BOS, as in training upstream; the second is its inference's habit.
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
"""Upstream's `exaggeration`, neither flat nor acted: what a recording is taken for."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One clip as T3 sees it, on any device."""

    text: Tensor
    """(t,) int64, with start and stop tokens where the model has them."""
    speech: Tensor
    """(s,) int64, from BOS to EOS."""
    prompt: Tensor
    """(p,) int64: another clip's start, to hear the voice in."""
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
    """Of a batch, as two scalars that gradients flow through; the module's device computes."""
    with torch.no_grad(), warnings.catch_warnings():  # the embeddings are frozen
        warnings.simplefilter("ignore", FutureWarning)  # upstream's perceiver asks for its attention by an old name
        laid_out = [_laid_out(module, example) for example in examples]
    longest = max(len(embedded) for embedded, _ in laid_out)
    inputs = torch.stack([F.pad(embedded, (0, 0, 0, longest - len(embedded))) for embedded, _ in laid_out])
    hidden = module.tfmr(inputs_embeds=inputs, use_cache=False).last_hidden_state
    of_text, of_speech = [], []
    for row, example, (_, start) in zip(hidden, examples, laid_out, strict=True):
        speech_start = start + len(example.text)
        of_text.append(row[start : speech_start - 1])
        of_speech.append(row[speech_start : speech_start + example.speech_targets])
    return Sums(
        speech=_entropy(module.speech_head, of_speech, [example.speech for example in examples]),
        text=_entropy(module.text_head, of_text, [example.text for example in examples]),
    )


def _laid_out(module: T3Module, example: Example) -> tuple[Tensor, int]:
    """Embeddings (n, width) of everything but the EOS, which nothing follows; and where the text begins."""
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
