"""Our block decoder against the package's: the same weights and noise, float32, on a CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from chatterbox_worker.engines.chatterbox.t3 import block_slots
from chatterbox_worker.engines.chatterbox.t3.block_sampling import (
    BLOCK,
    BlockNoise,
    BlockRows,
    BlockSampling,
    CounterBlockNoise,
    _quantile,
    choose,
    draw_block,
)
from chatterbox_worker.engines.chatterbox.t3.block_slots import BlockSlots
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.errors import InvalidRequest
from support.fake_cuda import FakeRecorder
from support.flash_oracle import Noise, generate_flash, oracle_flash
from support.narrow_t3 import CPU, TEXT, encode
from support.t3_oracle import random_voice

VOICE = random_voice(seed=1)
SHORT = BlockSampling(steps=4, max_tokens=20)


@cache
def upstream() -> nn.Module:
    return oracle_flash()


@cache
def ours() -> T3:
    return T3(upstream().state_dict(), precision=Precision.EXACT, device=CPU)


def text_of(number: int) -> list[int]:
    generator = torch.Generator().manual_seed(100 + number)
    length = 3 + 7 * number % 50
    return [255, *torch.randint(1, 704, (length,), generator=generator).tolist(), 0]


@cache
def noise_of(seed: int) -> Noise:
    """By torch's own generator, keyed by seed, block and pass."""

    def noise(block: int, number: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(10_000 * seed + 100 * block + number)
        tokens = torch.empty(BLOCK, ours().vocabulary).exponential_(generator=generator)
        return tokens, torch.rand(BLOCK, generator=generator)

    return noise


class Given(BlockNoise):
    """The same for any slot."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise

    def seed(self, slot: int, seed: int) -> None:
        pass

    def __call__(self, blocks: Tensor, passes: Tensor) -> tuple[Tensor, Tensor]:
        drawn = [self._noise(*each) for each in zip(blocks.tolist(), passes.tolist(), strict=True)]
        return torch.stack([tokens for tokens, _ in drawn]), torch.stack([positions for _, positions in drawn])


def occupy(
    slots: BlockSlots, slot: int, text: list[int], sampling: BlockSampling, seed: int = 0, *, tokens: Sequence[int] = ()
) -> None:
    slots.prefill(slot, encode(slots.t3, VOICE), text, sampling, seed, tokens=tokens)


def is_over(slots: BlockSlots, slot: int, tokens: list[int]) -> bool:
    return slots.t3.eos in tokens or len(tokens) >= slots.remaining_steps(slot)


def speak(slots: BlockSlots, slot: int) -> list[int]:
    tokens: list[int] = []
    while not is_over(slots, slot, tokens):
        tokens += slots.read(slots.step())[slot]
    return tokens


def speak_alone(text: list[int], sampling: BlockSampling, noise: Noise | None = None, seed: int = 0) -> list[int]:
    slots = BlockSlots(ours(), 1, 500, None if noise is None else Given(noise))
    occupy(slots, 0, text, sampling, seed)
    return [token for token in speak(slots, 0) if token != ours().eos]


def forced(noise: Noise, stop: tuple[int, int, int]) -> Noise:
    """The same noise, under which this (block, pass, position) draws the stop token."""

    def with_stop(block: int, number: int) -> tuple[Tensor, Tensor]:
        tokens, positions = noise(block, number)
        if (block, number) == stop[:2]:
            tokens[stop[2]] = 1e30
            tokens[stop[2], ours().eos] = 1e-35
            positions[stop[2]] = 1 - 2**-24  # the best of its pass
        return tokens, positions

    return with_stop


@pytest.mark.parametrize(
    "sampling",
    [
        SHORT,
        replace(SHORT, temperature=0.0, cfg_weight=0.0, position_temperature=0.0, max_tokens=16),
        replace(SHORT, block_size=5, steps=10, cfg_weight=0.3, max_tokens=13),
    ],
)
def test_tokens_are_the_packages_given_the_same_noise(sampling: BlockSampling) -> None:
    theirs = generate_flash(upstream(), VOICE, TEXT, sampling, noise=noise_of(1))
    assert len(theirs) == sampling.max_tokens
    assert speak_alone(TEXT, sampling, noise_of(1)) == theirs


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_tokens_of_20_texts_are_the_packages(number: int) -> None:
    sampling, text = BlockSampling(max_tokens=28), text_of(number)
    theirs = generate_flash(upstream(), VOICE, text, sampling, noise=noise_of(number))
    assert speak_alone(text, sampling, noise_of(number)) == theirs


def test_a_stop_token_ends_the_utterance_with_its_block() -> None:
    noise = forced(noise_of(3), (1, 1, 6))
    theirs = generate_flash(upstream(), VOICE, TEXT, replace(SHORT, max_tokens=60), noise=noise)
    assert 16 < len(theirs) < 16 + 7
    assert speak_alone(TEXT, replace(SHORT, max_tokens=60), noise) == theirs


def test_tokens_do_not_depend_on_the_batch() -> None:
    """Three utterances that join at different steps, each in another block and pass, with other settings."""
    settings = [SHORT, replace(SHORT, steps=3, block_size=8), replace(SHORT, temperature=1.0, cfg_weight=0.5)]
    slots = BlockSlots(ours(), 4, 500)
    spoken: dict[int, list[int]] = {}
    occupy(slots, 3, TEXT, SHORT, seed=9)  # leaves at once: its slot is used again
    slots.step()
    slots.release(3)
    for slot, sampling in zip((1, 3, 0), settings, strict=True):
        occupy(slots, slot, text_of(slot), sampling, seed=slot)
        spoken[slot] = []
        for each, tokens in enumerate(slots.read(slots.step())):
            if each in spoken:
                spoken[each] += tokens
    while not all(is_over(slots, slot, tokens) for slot, tokens in spoken.items()):
        tokens_by_slot = slots.read(slots.step())
        for slot, tokens in spoken.items():
            tokens.extend(tokens_by_slot[slot])
    for slot, sampling in zip((1, 3, 0), settings, strict=True):
        assert spoken[slot] == speak_alone(text_of(slot), sampling, seed=slot)


@pytest.mark.parametrize(("block_size", "size", "context_step"), [(5, 1, 1), (16, 4, 128)])
def test_blocks_that_are_read_in_another_batch_are_followed_by_those_of_one_batch(
    block_size: int, size: int, context_step: int
) -> None:
    sampling = replace(SHORT, block_size=block_size, max_tokens=3 * block_size - 2)
    whole = speak_alone(TEXT, sampling, seed=4)
    assert len(whole) == sampling.max_tokens
    for known in (block_size, 2 * block_size):
        slots, slot = BlockSlots(ours(), size, 500, context_step=context_step), size // 2
        if size > 1:
            occupy(slots, 0, text_of(1), SHORT, seed=5)
            slots.read(slots.step())
        occupy(slots, slot, TEXT, sampling, seed=4, tokens=whole[:known])
        assert slots.remaining_steps(slot) == len(whole) - known
        assert whole[:known] + speak(slots, slot) == whole


def test_a_slot_that_was_released_writes_no_further_block() -> None:
    """So that the next utterance clears all that this one may have left, such as an infinite key."""
    slots = BlockSlots(ours(), 2, 500)
    for slot in range(2):
        occupy(slots, slot, text_of(slot), replace(SHORT, max_tokens=200), seed=slot)
    for _ in range(7):
        slots.read(slots.step())
    end = slots._occupants[0].end
    slots.release(0)
    for _ in range(12):
        slots.step()
    assert slots._cache[:, :2, :, :end].any()
    assert not slots._cache[:, :2, :, end:].any()


def test_an_overflow_in_a_block_or_the_padding_of_a_text_is_cleared_for_the_next_utterance() -> None:
    slots = BlockSlots(ours(), 1, 500, context_step=128)
    prefix = Prefix(torch.full_like(encode(ours(), VOICE).keys_values, torch.inf))
    for text in (5 * TEXT, 30 * TEXT[:1]):  # with the BOS 41 and 31 positions, padded to 64 and 32
        slots.prefill(0, prefix, text, SHORT, 0)
        slots.step()
        slots.release(0)
    occupy(slots, 0, TEXT[:2], SHORT, seed=4)
    assert speak(slots, 0) == speak_alone(TEXT[:2], SHORT, seed=4)


def test_contexts_are_long_enough_although_the_host_reads_late() -> None:
    """As on a GPU, where an output is read one step later."""
    slots, unread = BlockSlots(ours(), 1, 500), None
    tokens: list[int] = []
    occupy(slots, 0, TEXT, SHORT, seed=4)
    while len(tokens) < SHORT.max_tokens:
        output = slots.step().clone()
        assert 0 <= slots.next_shape[1] - int(slots._start[0]) - BLOCK <= BLOCK
        tokens += [] if unread is None else slots.read(unread)[0]
        unread = output
    assert tokens == speak_alone(TEXT, SHORT, seed=4)
    for _ in range(3):  # an utterance that is not released at once
        assert slots.read(slots.step())[0] == []


def test_noise_depends_on_seed_block_and_pass_alone() -> None:
    alone, together = CounterBlockNoise(1, 50, CPU), CounterBlockNoise(3, 50, CPU)
    alone.seed(0, 7)
    together.seed(2, 7)
    one = alone(torch.tensor([3]), torch.tensor([4]))
    three = together(torch.tensor([0, 1, 3]), torch.tensor([9, 4, 4]))
    for mine, theirs in zip(one, three, strict=True):
        assert torch.equal(mine[0], theirs[2])
    other = alone(torch.tensor([3]), torch.tensor([5]))
    assert not torch.isclose(one[0], other[0]).any(-1).all()
    several = CounterBlockNoise(4, 50, CPU)
    for slot in range(4):
        several.seed(slot, 7)
    tokens, positions = several(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 31, 0]))
    uniform = torch.cat([torch.exp(-tokens).flatten(0, 1)[:, :BLOCK], positions])
    assert len({tuple(row.tolist()) for row in (uniform * 1e4).round()}) == 4 * BLOCK + 4, (
        "all from streams of their own"
    )
    alone.seed(0, 8)
    for mine, theirs in zip(one, alone(torch.tensor([3]), torch.tensor([4])), strict=True):
        assert not torch.isclose(mine, theirs).any(-1).all()


def test_a_temperature_that_is_0_in_float32_takes_the_most_probable_tokens() -> None:
    rows, logits = BlockRows.empty(2, 50, CPU), torch.randn(1, BLOCK, 50).expand(2, -1, -1)
    for row, temperature in enumerate((0.0, 1e-300)):
        rows.put(row, replace(SHORT, temperature=temperature), torch.zeros(50))
    drawn, scores = draw_block(logits, logits, (torch.rand(2, BLOCK, 50), torch.full((2, BLOCK), 0.5)), rows)
    assert torch.equal(drawn, logits.argmax(-1))
    assert torch.equal(scores[0], scores[1])


def test_the_quantile_of_the_first_scores_is_torchs() -> None:
    ordered, count = torch.rand(BLOCK, BLOCK).sort(descending=True).values, torch.arange(1, BLOCK + 1)
    level = torch.linspace(0, 1, BLOCK, dtype=torch.float64)
    rows = zip(ordered, count, level.float(), strict=True)
    expected = torch.stack([torch.quantile(row[:own], at) for row, own, at in rows])
    torch.testing.assert_close(_quantile(ordered, count, level), expected)


def test_the_last_pass_keeps_all_and_others_keep_the_best() -> None:
    scores = torch.arange(BLOCK).float()[None].expand(2, -1)
    masked = torch.ones(2, BLOCK, dtype=torch.bool)
    masked[:, BLOCK - 1] = False
    kept = choose(scores, masked, torch.tensor([16, 16]), torch.tensor([0, 3]), torch.tensor([4, 4]))
    assert kept.sum(1).tolist() == [2, 15]  # round(16 * 1/7), the schedule's first
    assert kept[0, 13:15].all()
    one = (torch.arange(BLOCK) == 0)[None]
    early = choose(scores[:1], one, torch.tensor([1]), torch.tensor([0]), torch.tensor([4]))
    assert torch.equal(early, one), "the quantile of one score is that score"


def test_an_overflow_is_that_of_its_slot() -> None:
    slots = BlockSlots(ours(), 2, 500)
    for slot in range(2):
        occupy(slots, slot, TEXT, SHORT)
    slots.carried[-1, 0] = torch.inf  # of the second slot's row without a text
    assert [slots.has_overflowed(slot) for slot in range(2)] == [False, True]


def test_what_does_not_fit_or_belong_is_refused() -> None:
    slots = BlockSlots(ours(), 1, 100)
    with pytest.raises(InvalidRequest, match="more than fit into the context"):
        occupy(slots, 0, [255] * 60, SHORT)
    with pytest.raises(ValueError, match="does not sample with"):
        slots.prefill(0, encode(ours(), VOICE), TEXT, Sampling(), 0)
    occupy(slots, 0, TEXT, replace(SHORT, max_tokens=1000))
    assert slots.remaining_steps(0) == 48  # 100 positions less 43 before the first block: three blocks
    roomy = BlockSlots(ours(), 1, 500)
    occupy(roomy, 0, [255] * 60, replace(SHORT, max_tokens=1000))
    assert roomy.remaining_steps(0) == 360, "six for each text token, as in the package"
    for length, fits in ((65, False), (66, True)):  # the voice's 34 positions and a text padded to 32
        padding = BlockSlots(ours(), 1, length, context_step=128)
        with contextlib.nullcontext() if fits else pytest.raises(InvalidRequest, match="more than fit"):
            occupy(padding, 0, TEXT[:2], SHORT)
    with pytest.raises(InvalidRequest, match="steps cannot be 0"):
        BlockSampling(steps=0)


def test_tokens_from_graphs_are_those_without(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = FakeRecorder()
    monkeypatch.setattr(block_slots, "recorder_of", lambda *_: recorder)
    slots = BlockSlots(ours(), 2, 500, context_step=128)
    assert all(map(slots.warm_text, slots.text_shapes(34)[:2]))
    occupy(slots, 1, TEXT, SHORT, seed=6)
    occupy(slots, 0, text_of(1), SHORT, seed=5)
    spoken: list[list[int]] = [[], []]
    while not all(is_over(slots, slot, tokens) for slot, tokens in enumerate(spoken)):
        for tokens, more in zip(spoken, slots.read(slots.step()), strict=True):
            tokens.extend(more)
        while (capture := slots.wanted()) is not None:
            assert capture()
    assert recorder.replayed >= 4
    assert spoken == [speak_alone(text_of(1), SHORT, seed=5), speak_alone(TEXT, SHORT, seed=6)]
