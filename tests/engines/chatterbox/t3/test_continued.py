"""An utterance that goes on in another batch, where its tokens are read, goes on as it would have where it was."""

from __future__ import annotations

import pytest
import torch

from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.narrow_t3 import (
    CPU,
    DEFAULTS,
    TEXT,
    VOICES,
    encode,
    forced_noise,
    generate,
    largest_difference,
    occupy,
    ours,
    upstream,
)
from support.short_memory import limit_memory
from tools.step_noise import StepNoise

HEADS = ((2, 1), (0, 0))
STEPS = 40
both_models = pytest.mark.parametrize("model", ["english", "turbo"])


@pytest.mark.parametrize(("size", "context_step"), [(1, 1), (4, 128)])
@both_models
def test_tokens_logits_and_attention_are_those_of_one_batch(model: str, size: int, context_step: int) -> None:
    whole, slot, rows = Slots(ours(model), 1, 300, aligned_heads=HEADS), size // 2, ours(model).rows
    occupy(whole, 0, model, seed=3, observe=True)
    logits, tokens = [], []
    for _ in range(STEPS):
        logits.append(whole.logits.clone())
        tokens += generate(whole, 1)
    expected = whole.attention(0, STEPS)
    assert expected is not None
    for known in (1, STEPS - 1) if size == 1 else (32, 33):
        slots = Slots(ours(model), size, 300, context_step=context_step, aligned_heads=HEADS)
        if size > 1:
            occupy(slots, 0, model, seed=5)
            generate(slots, 2)
        occupy(slots, slot, model, seed=3, tokens=tokens[:known], observe=True)
        mine = slots.logits[slot * rows : (slot + 1) * rows]
        assert largest_difference([mine], [logits[known]]) < 1e-5
        assert generate(slots, STEPS - known, slot) == tokens[known:]
        assert slots.remaining_steps(slot) == whole.remaining_steps(0)
        attention = slots.attention(slot, STEPS)
        assert attention is not None
        torch.testing.assert_close(attention, expected, rtol=0, atol=1e-5)


@both_models
def test_what_was_drawn_is_penalised(model: str) -> None:
    bos = ours(model).bos
    drawn, penalised = [7, bos, 9, 7], Sampling(repetition_penalty=1.5)
    for known in range(1, len(drawn) + 1):
        forced = StepNoise(forced_noise(drawn), ours(model).vocabulary)
        whole, slots = (Slots(ours(model), 2, 300, forced) for _ in range(2))
        occupy(whole, 1, model, sampling=penalised)
        assert generate(whole, known, 1) == drawn[:known]
        occupy(slots, 1, model, sampling=penalised, tokens=drawn[:known])
        assert torch.equal(slots._penalties, whole._penalties)
        assert torch.equal(slots._counts, whole._counts)


@both_models
def test_a_draft_goes_on_after_them(model: str) -> None:
    t3 = T3(upstream(model).state_dict(), precision=Precision.EXACT, device=CPU)
    plain = Slots(t3, 1, 300)
    occupy(plain, 0, model)
    tokens = generate(plain, STEPS)
    t3.draft = T3(upstream(model).state_dict(), precision=Precision.INT8, head=Precision.INT8, device=CPU)
    slots = Slots(t3, 1, 300)
    for known in (0, 11, 20):  # sent back twice
        occupy(slots, 0, model, tokens=tokens[:known])
        end = STEPS if known == 20 else known + 9
        assert generate(slots, end - known) == tokens[known:end]
        slots.release(0)
    assert slots._speculative.accepted > 0


@both_models
def test_they_are_read_a_few_at_once_and_what_was_read_when_memory_ran_out_is_cleared(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, reused = (Slots(ours(model), 1, 300, context_step=128) for _ in range(2))
    prefix = encode(ours(model), VOICES[model])
    broken = Prefix(torch.full_like(prefix.keys_values, torch.inf))
    passes: list[int] = []

    def fits(_: int, tokens: int) -> bool:
        passes.append(tokens)
        return len(passes) < 4

    with monkeypatch.context() as patch:
        limit_memory(patch, fits)
        with pytest.raises(torch.OutOfMemoryError):
            reused.prefill(0, broken, TEXT, DEFAULTS[model], 0, tokens=[5] * 80)
    assert passes == [32, 32, 32, 16], "the padded text, then tokens in parts no longer than the shortest text"
    assert reused.free == [0]
    for slots in (fresh, reused):
        occupy(slots, 0, model)
    assert generate(reused, 3) == generate(fresh, 3)
    assert torch.equal(reused.logits, fresh.logits)
