"""The attention of chosen heads, read at the end of an utterance, is that of transformers on the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import START_SPEECH
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.checkpoints import upstream_may_warn
from support.narrow_t3 import CPU, TEXT, VOICES, generate, occupy, ours, upstream
from support.t3_oracle import Voice, random_voice

HEADS = ((2, 1), (0, 0), (2, 0))
all_models = pytest.mark.parametrize("model", VOICES)
CLOSE: Any = {"rtol": 0, "atol": 1e-5}


def enter(slots: Slots, slot: int, model: str, voice: Voice | None = None, *, seed: int = 3, observe: bool) -> None:
    occupy(slots, slot, model, sampling=Sampling(temperature=0.9), seed=seed, voice=voice, observe=observe)


@upstream_may_warn()
@torch.inference_mode()
def attention_of_transformers(model: str, voice: Voice, tokens: list[int]) -> Tensor:
    """(heads, tokens, text): the rows of the tokens, all of them fed at once, of the conditional input."""
    module, is_gpt = upstream(model), model == "turbo"
    emotion = None if voice.emotion is None else torch.full((1, 1, 1), voice.emotion)
    cond = T3Cond(speaker_emb=voice.speaker[None], cond_prompt_speech_tokens=voice.prompt[None], emotion_adv=emotion)
    bos = torch.full((1, 1), START_SPEECH)
    inputs, prefix = module.prepare_input_embeds(
        t3_cond=cond, text_tokens=torch.tensor([TEXT]), speech_tokens=bos, cfg_weight=0.0
    )
    spoken = module.speech_emb(torch.tensor([tokens]))
    if not is_gpt:
        again = module.speech_emb(bos) + module.speech_pos_emb.get_fixed_embedding(0)
        steps = [module.speech_pos_emb.get_fixed_embedding(step + 1) for step in range(len(tokens))]
        inputs, spoken = torch.cat([inputs, again], 1), spoken + torch.cat(steps, 1)
    before = module.tfmr.config._attn_implementation
    module.tfmr.config._attn_implementation = "eager"  # the only one that returns its weights
    try:
        attentions = module.tfmr(inputs_embeds=torch.cat([inputs, spoken], 1), output_attentions=True).attentions
    finally:
        module.tfmr.config._attn_implementation = before
    text = slice(prefix, prefix + len(TEXT))
    return torch.stack([attentions[layer][0, head, inputs.shape[1] :, text] for layer, head in HEADS])


@all_models
def test_the_attention_is_that_of_transformers(model: str) -> None:
    slots = Slots(ours(model), 1, 300, aligned_heads=HEADS)
    enter(slots, 0, model, observe=True)
    tokens = generate(slots, 60)
    attention = slots.attention(0, 60)
    assert attention is not None
    torch.testing.assert_close(attention, attention_of_transformers(model, VOICES[model], tokens), **CLOSE)
    assert len(set(attention[0].argmax(-1).tolist())) > 1  # the comparison is meaningful only if it moves


@pytest.mark.parametrize("context_step", [1, 128])
@all_models
def test_in_a_batch_each_slot_has_its_own_attention(model: str, context_step: int) -> None:
    other = random_voice(seed=9, prompt=30, emotion=VOICES[model].emotion)
    slots = Slots(ours(model), 4, 300, context_step=context_step, aligned_heads=HEADS)
    enter(slots, 0, model, observe=True)
    first = generate(slots, 5)
    enter(slots, 1, model, seed=4, observe=False)
    enter(slots, 2, model, other, seed=5, observe=True)
    stepped = [slots.step().clone() for _ in range(20)]
    first += [int(tokens[0]) for tokens in stepped]
    third = [int(tokens[2]) for tokens in stepped]
    assert slots.attention(1, 20) is None
    for slot, voice, tokens in ((0, VOICES[model], first), (2, other, third)):
        attention = slots.attention(slot, len(tokens))
        assert attention is not None
        torch.testing.assert_close(attention, attention_of_transformers(model, voice, tokens), **CLOSE)
    slots.release(0)
    assert slots.attention(0, 1) is None


@pytest.mark.parametrize("model", ["english", "turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def test_a_draft_changes_no_attention(model: str) -> None:
    drafted = T3(upstream(model).state_dict(), precision=Precision.EXACT, device=CPU)
    drafted.draft = T3(upstream(model, seed=7).state_dict(), precision=Precision.EXACT, device=CPU)
    slots = Slots(drafted, 1, 300, aligned_heads=HEADS)
    enter(slots, 0, model, observe=True)
    tokens = generate(slots, 40)
    attention = slots.attention(0, 40)
    assert attention is not None
    torch.testing.assert_close(attention, attention_of_transformers(model, VOICES[model], tokens), **CLOSE)


@all_models
def test_what_is_observed_says_the_same_tokens_from_the_same_logits(model: str) -> None:
    plain, observed = Slots(ours(model), 1, 300), Slots(ours(model), 1, 300, aligned_heads=HEADS)
    enter(plain, 0, model, observe=False)
    enter(observed, 0, model, observe=True)
    assert generate(plain, 60) == generate(observed, 60)
    assert torch.equal(plain.logits, observed.logits)


def test_nothing_is_kept_for_those_who_do_not_ask_or_have_no_such_heads() -> None:
    slots = Slots(ours("turbo"), 1, 300, aligned_heads=HEADS)
    enter(slots, 0, "turbo", observe=False)
    slots.step()
    assert slots.attention(0, 1) is None
    assert slots._attention is None
    for missing in ((12, 0), (0, 15)):
        small = Slots(ours("turbo"), 1, 300, aligned_heads=(missing,))
        enter(small, 0, "turbo", observe=True)
        small.step()
        assert small.attention(0, 1) is None
