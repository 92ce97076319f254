"""Speculative decoding changes when tokens come, never which."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.narrow_t3 import CPU, TEXT, forced_noise, generate, largest_difference, occupy, upstream
from tools.step_noise import StepNoise

both_models = pytest.mark.parametrize("model", ["english", pytest.param("turbo", marks=pytest.mark.slow)])


@cache
def model_of(name: str, *, draft_seed: int | None = None) -> T3:
    """The model with a draft of the weights of this seed, 0 for its own weights; None for no draft. Shared."""
    t3 = T3(upstream(name).state_dict(), precision=Precision.EXACT, device=CPU)
    if draft_seed is not None:
        weights = upstream(name, draft_seed).state_dict()
        t3.draft = T3(weights, precision=Precision.INT8, head=Precision.INT8, device=CPU)
    return t3


@pytest.mark.slow
@both_models
def test_250_tokens_are_those_without_a_draft_and_most_drafted_tokens_are_accepted(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 700), Slots(model_of(model, draft_seed=0), 1, 700)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    assert generate(ahead, 250) == generate(plain, 250)
    assert ahead._speculative.accepted > 0.5 * ahead._speculative.drafted > 50


@both_models
def test_a_draft_that_is_always_wrong_only_costs_time(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 300), Slots(model_of(model, draft_seed=7), 1, 300)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    assert generate(ahead, 60) == generate(plain, 60)
    assert ahead._speculative.accepted < 0.2 * ahead._speculative.drafted
    assert ahead._speculative.drafted <= 80  # after a miss one token is drafted, not six


@both_models
def test_logits_are_those_without_a_draft(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 300), Slots(model_of(model, draft_seed=0), 1, 300)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    for _ in range(60):
        plain.step(), ahead.step()
        gap = (plain.logits - ahead.logits).abs().max() / plain.logits.abs().max()
        assert gap < 1e-5


@both_models
def test_another_utterance_may_join_and_leave_between_any_two_tokens(model: str) -> None:
    alone = Slots(model_of(model), 1, 400)
    occupy(alone, 0, model)
    expected = generate(alone, 90)
    slots = Slots(model_of(model, draft_seed=0), 2, 400)
    occupy(slots, 0, model)
    tokens = generate(slots, 33)
    occupy(slots, 1, model, seed=5)
    tokens += generate(slots, 9)
    slots.release(1)
    assert tokens + generate(slots, 48) == expected


@both_models
def test_no_drafted_token_is_left_for_the_next_utterance_in_the_slot(model: str) -> None:
    t3 = model_of(model, draft_seed=0)
    noise = StepNoise(forced_noise([7] * 60), t3.vocabulary)  # every token is the one that was drafted before
    fresh, reused = (Slots(t3, 1, 400, noise) for _ in range(2))
    occupy(reused, 0, model)
    generate(reused, 41)
    assert reused._speculative._verified
    reused.release(0)
    reused._cache.fill_(torch.inf)
    for slots in (fresh, reused):
        occupy(slots, 0, model, text=TEXT[2:])
    for _ in range(20):
        fresh.step(), reused.step()
        assert largest_difference([reused.logits], [fresh.logits]) < 1e-5


@both_models
def test_drafting_stops_at_the_end_of_the_slot(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 90), Slots(model_of(model, draft_seed=0), 1, 90)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    remaining_steps = plain.remaining_steps(0)
    assert generate(ahead, remaining_steps) == generate(plain, remaining_steps)
    assert ahead.remaining_steps(0) == 0
