"""T3's graphs without a GPU: a fake recorder replaces CUDA's."""

from __future__ import annotations

import itertools

import pytest
import torch

from chatterbox_worker.engines.chatterbox.t3 import slots as t3_slots
from chatterbox_worker.engines.chatterbox.t3.decoder import Shape
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.fake_cuda import FakeRecorder
from support.tiny_engine import encoded_voice, parts


def generate_tokens(slots: Slots, model: str) -> list[list[int]]:
    """The tokens of three utterances that join at different steps; one leaves and another gets its slot."""
    prefix = encoded_voice(model).result().prefix
    tokens: list[list[int]] = [[], [], [], []]
    utterances: dict[int, int] = {}
    for step in range(45):
        if step % 15 == 0:
            number = step // 15
            slot = slots.free[0]
            slots.prefill(slot, prefix, [255, *range(5, 9 + 20 * number), 0], Sampling(temperature=0.8), number)
            utterances[slot] = number
        if step == 20:
            slots.release(0)
            del utterances[0]
        drawn = slots.step().tolist()
        if (capture := slots.wanted()) is not None:
            assert capture()
        for slot, number in utterances.items():
            tokens[number].append(drawn[slot])
    return tokens


@pytest.mark.parametrize("model", ["turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def test_tokens_from_graphs_are_those_without(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = FakeRecorder()
    monkeypatch.setattr(t3_slots, "recorder_of", lambda *_: recorder)
    t3 = parts(model).t3
    slots = Slots(t3, 4, 700, context_step=128)
    for shape in slots.text_shapes(encoded_voice(model).result().prefix.length)[:2]:
        assert slots.warm_text(shape)
    texts = recorder.recorded
    assert texts == 2

    replayed = generate_tokens(slots, model)

    assert recorder.recorded > texts  # new steps are captured as they come
    assert recorder.replayed >= 45 + 1 - 2 * (recorder.recorded - texts)
    assert replayed == generate_tokens(Slots(t3, 4, 700, context_step=128, graphs=False), model)
    assert replayed == generate_tokens(Slots(t3, 4, 700), model)


@pytest.mark.parametrize("model", ["turbo", "multilingual"])
def test_attention_from_graphs_is_that_without(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = FakeRecorder()
    monkeypatch.setattr(t3_slots, "recorder_of", lambda *_: recorder)
    t3, prefix, heads = parts(model).t3, encoded_voice(model).result().prefix, ((1, 1), (0, 0))
    found = []
    for graphs in (True, False):
        slots = Slots(t3, 2, 700, context_step=128, graphs=graphs, aligned_heads=heads)
        slots.prefill(0, prefix, [255, *range(5, 20), 0], Sampling(temperature=0.8), 1, observe=True)
        for _ in range(30):
            slots.step()
            while (capture := slots.wanted()) is not None:
                assert capture()
        found.append(slots.attention(0, 30))
        slots.release(0)
        slots.prefill(0, prefix, [255, 7, 0], Sampling(temperature=0.8), 1)
        slots.step()  # what is not observed has its own graphs
        found.append(slots.attention(0, 1))
        slots.close()
        assert not slots._observed_step._captured
    assert recorder.replayed >= 20
    graphed, none_graphed, eager, none_eager = found
    assert graphed is not None
    assert eager is not None
    assert torch.equal(graphed, eager)
    assert none_graphed is none_eager is None


@pytest.mark.parametrize(("size", "counts"), [(1, [1]), (4, [1, 2, 4]), (13, [1, 2, 4, 8, 13])])
def test_every_shape_that_a_step_takes_is_listed(size: int, counts: list[int]) -> None:
    slots = Slots(parts("turbo").t3, size, 500, context_step=128)
    shapes = slots.step_shapes(sorts=True)
    assert [shape[0] for shape in shapes if shape[1] == 128] == counts
    assert [shape[1] for shape in shapes if shape[0] == 1] == [128, 256, 384, 500]
    for slot in range(size):
        slots._occupants = {slot: Sampling(top_k=5)}
        for used in (0, 127, 128, 300, 499):
            slots._used[slot] = used
            slots._summarise()
            assert slots.next_shape in shapes


def test_a_text_is_warmed_in_a_free_slot_only(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = FakeRecorder()
    monkeypatch.setattr(t3_slots, "recorder_of", lambda *_: recorder)
    prefix = encoded_voice("turbo").result().prefix
    slots = Slots(parts("turbo").t3, 3, prefix.length + 97, context_step=128)
    shapes = slots.text_shapes(prefix.length)
    assert [padded for _, padded in shapes] == [32, 64, 96]
    assert [padded for _, padded in slots.text_shapes(prefix.length + 1)] == [32, 64]
    for slot in (0, 2):
        slots.prefill(slot, prefix, [4, 5], Sampling(), 1)
    before = [slots._cache.clone(), slots.logits.clone()]
    assert (capture := slots.wanted()) is not None, "a text of this length was read twice"
    assert capture()
    assert all(map(slots.warm_text, shapes))
    assert recorder.recorded == 3
    assert [torch.equal(slots._cache[:, slot], before[0][:, slot]) for slot in range(3)] == [True, False, True]
    assert torch.equal(slots.logits, before[1])
    slots.prefill(1, prefix, [4, 5], Sampling(), 1)
    with pytest.raises(ValueError, match="no slot is free"):
        slots.warm_text(shapes[0])


def test_longer_texts_than_are_captured_in_advance_run_without_a_graph() -> None:
    assert Slots(parts("turbo").t3, 1, 900, context_step=128).text_shapes(100)[-1] == (640, 512)


def test_the_benchmarks_comparison_of_graphs_with_eager_sees_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.ours import graphs_equal_eager

    recorder = FakeRecorder()
    monkeypatch.setattr(t3_slots, "recorder_of", lambda *_: recorder)
    assert graphs_equal_eager(parts("turbo"), "Hello there.", steps=3) == {"t3": True, "flow": True, "vocoder": True}
    assert recorder.replayed >= 3
    step, calls = Slots._step_once, itertools.count()

    def drifting(slots: Slots, shape: Shape) -> None:
        step(slots, shape)
        slots.logits.add_(next(calls) * 1e-3)

    monkeypatch.setattr(Slots, "_step_once", drifting)
    assert not graphs_equal_eager(parts("turbo"), "Hello there.", steps=3)["t3"]
