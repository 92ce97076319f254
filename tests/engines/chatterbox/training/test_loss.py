"""The loss is upstream's: its own method, with its two errors corrected, gives the same on the same batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

import chatterbox.models.t3.t3 as upstream
import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from torch import Tensor
from torch.nn import functional

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_SPEECH, STOP_SPEECH
from chatterbox_worker.engines.chatterbox.training.corpus import TrainingClip
from chatterbox_worker.engines.chatterbox.training.loss import EMOTION, Example, sums
from support.checkpoints import upstream_may_warn
from support.learners import clip, module_of

MODELS = ("english", "turbo")
_entropy = functional.cross_entropy


def _example(source: TrainingClip) -> Example:
    speech = torch.cat([torch.tensor([START_SPEECH]), source.speech, torch.tensor([STOP_SPEECH])])
    return Example(source.text, speech, source.prompt[:20], source.speaker)


def _batch(model: str, *lengths: tuple[int, int]) -> list[Example]:
    return [
        _example(clip(number, model=model, text=text, speech=speech)) for number, (text, speech) in enumerate(lengths)
    ]


def _arguments(examples: Sequence[Example]) -> dict[str, Any]:
    """A batch in the form of upstream's method: padded with zeros."""

    def pad(rows: list[Tensor]) -> Tensor:
        longest = max(map(len, rows))
        return torch.stack([functional.pad(row, (0, longest - len(row))) for row in rows])

    return {
        "t3_cond": T3Cond(
            speaker_emb=torch.stack([each.speaker for each in examples]),
            cond_prompt_speech_tokens=torch.stack([each.prompt for each in examples]),
            emotion_adv=torch.full((len(examples), 1, 1), EMOTION),
        ),
        "text_tokens": pad([each.text for each in examples]),
        "text_token_lens": torch.tensor([len(each.text) for each in examples]),
        "speech_tokens": pad([each.speech for each in examples]),
        "speech_token_lens": torch.tensor([len(each.speech) for each in examples]),
    }


def _next_token(logits: Tensor, tokens: Tensor, ignore_index: int) -> Tensor:
    """In the place of upstream's cross entropy: vocabulary second, and each output against the token that follows."""
    return _entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=ignore_index)


@upstream_may_warn()
def _upstream_loss(module: Any, examples: Sequence[Example]) -> tuple[float, float]:
    """(text, speech) by upstream's own `T3.loss`, means over the batch's tokens."""
    with (
        torch.no_grad(),
        mock.patch.object(upstream.F, "cross_entropy", _next_token),
        mock.patch.object(upstream, "_ensure_BOT_EOT"),  # GPT-2 backbones have no such text tokens
    ):
        text, speech = module.loss(**_arguments(examples))
    return float(text), float(speech)


def _our_loss(module: Any, examples: Sequence[Example]) -> tuple[float, float]:
    with torch.no_grad():
        loss = sums(module, examples)
    return (
        float(loss.text) / sum(each.text_targets for each in examples),
        float(loss.speech) / sum(each.speech_targets for each in examples),
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_same_batch_has_upstreams_loss(model: str) -> None:
    module, batch = module_of(model), _batch(model, (12, 30), (12, 22), (12, 41))
    assert _our_loss(module, batch) == pytest.approx(_upstream_loss(module, batch), rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_clip_has_the_same_loss_in_any_batch(model: str) -> None:
    """With texts of different lengths upstream's padding changes the loss; ours is where attention does not read."""
    module, batch = module_of(model), _batch(model, (12, 30), (5, 44), (20, 9))
    alone = [sums(module, [each]) for each in batch]
    together = sums(module, batch)
    assert float(together.speech) == pytest.approx(sum(float(each.speech) for each in alone), rel=1e-5)
    assert float(together.text) == pytest.approx(sum(float(each.text) for each in alone), rel=1e-5)
    for each in batch:
        assert _our_loss(module, [each]) == pytest.approx(_upstream_loss(module, [each]), rel=1e-5)
    assert _upstream_loss(module, batch)[1] != pytest.approx(_our_loss(module, batch)[1], rel=1e-3)


def test_upstreams_loss_cannot_be_called_as_published() -> None:
    """If this fails, upstream has corrected it: check its loss again."""
    with upstream_may_warn(), pytest.raises(RuntimeError, match="Expected target size"):
        module_of("english").loss(**_arguments(_batch("english", (12, 30), (12, 22))))
    with upstream_may_warn(), pytest.raises(AssertionError, match="missing start_text_token"):
        module_of("turbo").loss(**_arguments(_batch("turbo", (12, 30))))


def test_every_token_but_the_first_is_predicted_and_the_end_with_them() -> None:
    module, (example,) = module_of("english"), _batch("english", (12, 30))
    shorter = Example(example.text, example.speech[:-1], example.prompt, example.speaker)
    assert example.speech_targets == 31
    assert float(sums(module, [example]).speech) > float(sums(module, [shorter]).speech)


def test_a_clip_without_a_prompt_has_a_loss() -> None:
    module, (example,) = module_of("turbo"), _batch("turbo", (12, 30))
    bare = Example(example.text, example.speech, example.prompt[:0], example.speaker)
    assert float(sums(module, [bare]).speech) > 0
