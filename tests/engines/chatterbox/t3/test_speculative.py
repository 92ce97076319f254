"""Guessing ahead changes when tokens come, never which."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.t3_oracle import oracle_t3, random_voice

CPU = torch.device("cpu")
SAMPLING = {
    "english": Sampling(temperature=0.8, repetition_penalty=1.2, min_p=0.05, cfg_weight=0.5),
    "turbo": Sampling(temperature=0.8, repetition_penalty=1.2, top_p=0.95, top_k=1000),
}
TEXT = [255, 17, 40, 9, 9, 300, 2, 0]
both = pytest.mark.parametrize("model", ["english", "turbo"])


@cache
def upstream(model: str, seed: int = 0) -> nn.Module:
    return oracle_t3(model, seed=seed)


def model_of(name: str, *, draft_seed: int | None = None) -> T3:
    """With the draft that it has in earnest, or with that of other weights; None: without."""
    t3 = T3(upstream(name).state_dict(), precision=Precision.EXACT, device=CPU)
    if draft_seed is not None:
        weights = upstream(name, draft_seed).state_dict()
        t3.draft = T3(weights, precision=Precision.INT8, head=Precision.INT8, device=CPU)
    return t3


def occupy(slots: Slots, slot: int, name: str, *, seed: int = 0) -> None:
    voice = random_voice(seed=1, emotion=None if name == "turbo" else 0.7)
    slots.prefill(slot, slots.t3.encode(voice.speaker, voice.prompt, voice.emotion), TEXT, SAMPLING[name], seed)


def spoken(slots: Slots, steps: int, slot: int = 0) -> list[int]:
    return [int(slots.step()[slot]) for _ in range(steps)]


@pytest.mark.slow
@both
def test_250_tokens_are_those_without_it_and_most_guesses_were_right(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 700), Slots(model_of(model, draft_seed=0), 1, 700)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    assert spoken(ahead, 250) == spoken(plain, 250)
    assert ahead._lookahead.used > 0.5 * ahead._lookahead.guessed > 50


@both
def test_a_draft_that_is_always_wrong_only_costs_time(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 300), Slots(model_of(model, draft_seed=7), 1, 300)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    assert spoken(ahead, 60) == spoken(plain, 60)
    assert ahead._lookahead.used < 0.2 * ahead._lookahead.guessed
    assert ahead._lookahead.guessed <= 80  # after a miss one is guessed, not six


@both
def test_logits_are_those_without_it(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 300), Slots(model_of(model, draft_seed=0), 1, 300)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    for _ in range(60):
        plain.step(), ahead.step()
        gap = (plain.logits - ahead.logits).abs().max() / plain.logits.abs().max()
        assert gap < 1e-5


@both
def test_company_may_come_and_go_between_any_two_tokens(model: str) -> None:
    alone = Slots(model_of(model), 1, 400)
    occupy(alone, 0, model)
    expected = spoken(alone, 90)
    slots = Slots(model_of(model, draft_seed=0), 2, 400)
    occupy(slots, 0, model)
    said = spoken(slots, 33)
    occupy(slots, 1, model, seed=5)
    said += spoken(slots, 9)
    slots.release(1)
    assert said + spoken(slots, 48) == expected


@both
def test_nothing_of_it_is_left_for_the_next_one_in_the_place(model: str) -> None:
    fresh = Slots(model_of(model, draft_seed=0), 1, 400)
    occupy(fresh, 0, model, seed=3)
    expected = spoken(fresh, 30)
    used = Slots(model_of(model, draft_seed=0), 1, 400)
    occupy(used, 0, model, seed=2)
    spoken(used, 41)
    used.release(0)
    used._cache.fill_(torch.inf)
    occupy(used, 0, model, seed=3)
    assert spoken(used, 30) == expected


@both
def test_it_stops_at_the_end_of_the_place(model: str) -> None:
    plain, ahead = Slots(model_of(model), 1, 90), Slots(model_of(model, draft_seed=0), 1, 90)
    for slots in (plain, ahead):
        occupy(slots, 0, model)
    room = plain.room(0)
    assert spoken(ahead, room) == spoken(plain, room)
    assert ahead.room(0) == 0
