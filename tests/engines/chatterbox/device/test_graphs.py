"""Graphs without a GPU: a fake recorder replaces CUDA's and has the same rules."""

from __future__ import annotations

import itertools
import logging
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox import pack
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import build_tensor
from chatterbox_worker.engines.chatterbox.device.graphs import Arena, Graphed, recorder_of
from chatterbox_worker.engines.chatterbox.s3gen import model as s3gen_model
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS, MOST_TOKENS
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import Vocoder
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from chatterbox_worker.engines.chatterbox.t3 import slots as t3_slots
from chatterbox_worker.engines.chatterbox.t3.decoder import Shape
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from support.checkpoints import checkpoint
from support.fake_cuda import FakeRecorder
from support.tiny_engine import CPU, encoded_voice, graphed_s3gen, parts, prompt, render_rows

MODELS = ["turbo", "multilingual"]


class Counter:
    """A function with a state and a result that it closes over."""

    def __init__(self) -> None:
        self.total, self.answer = torch.zeros(()), torch.zeros(8)
        self.inputs: set[int] = set()

    def add(self, size: int, given: Tensor) -> None:
        assert given.shape == (size,)
        self.inputs.add(given.data_ptr())
        self.total += given.sum()
        self.answer[:size] = given * 2


def test_without_a_recorder_a_function_is_called() -> None:
    counter = Counter()
    graphed = Graphed[int](counter.add, recorder_of(CPU, "sound"), [counter.total])
    for _ in range(5):
        graphed(3, torch.ones(3))
    assert graphed.is_ready(99)
    assert not graphed.wanted
    assert counter.total == 15


def test_a_variant_is_captured_once_and_replayed_on_its_own_memory() -> None:
    counter, recorder = Counter(), FakeRecorder()
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    graphed(3, torch.ones(3))
    assert recorder.recorded == 0
    assert graphed.capture(3, torch.zeros(3))
    assert graphed.capture(3, torch.zeros(3))
    assert counter.total == 3
    counter.inputs.clear()
    for value in (1.0, 2.0):
        graphed(3, torch.full((3,), value))
        assert counter.answer[:3].tolist() == [2 * value] * 3
    graphed(2, torch.ones(2))

    assert counter.total == 14
    assert (recorder.recorded, recorder.replayed) == (1, 2)
    assert len(counter.inputs) == 2  # without a graph a call has its own tensors


def test_what_runs_twice_without_a_graph_is_wanted_and_if_it_cannot_have_one_ever_less_often() -> None:
    counter, recorder = Counter(), FakeRecorder(capacity=0)
    graphed, wanted_at = Graphed[int](counter.add, recorder, [counter.total]), []
    for call in range(1, 20):
        graphed(3, torch.ones(3))
        if graphed.wanted:
            assert graphed.wanted == [3]
            assert not graphed.capture(3, torch.zeros(3))
            wanted_at.append(call)
    assert wanted_at == [2, 4, 8, 16]
    assert counter.total == 19 * 3


def test_closing_lets_go_of_the_graphs_and_of_the_function() -> None:
    counter = Counter()
    graphed = Graphed[int](counter.add, FakeRecorder(), [counter.total])
    graphed.capture(3, torch.zeros(3))
    alive = weakref.ref(counter)
    graphed.close()
    del counter
    graphed._state = ()
    assert alive() is None


class FailingRecorder(FakeRecorder):
    def __init__(self, error: Exception, *, is_healthy: bool) -> None:
        super().__init__(is_healthy=is_healthy)
        self.error = error

    def record(self, work: Callable[[], None], undo: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1
        work()
        raise self.error


def test_what_cannot_be_captured_three_times_is_only_called_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    """One failure may be another thread's doing, which waited for the whole device."""
    counter = Counter()
    recorder = FailingRecorder(
        torch.AcceleratorError("operation not permitted when stream is capturing"), is_healthy=True
    )
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    with caplog.at_level(logging.WARNING):
        for size in (2, 3, 4, 5):
            assert not graphed.capture(size, torch.ones(size))
            for _ in range(4):
                graphed(size, torch.ones(size))
    assert counter.total == 56
    assert not graphed.wanted
    assert len(caplog.records) == recorder.recorded == 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_what_runs_out_of_memory_while_it_is_captured_runs_without_a_graph(error: Exception) -> None:
    counter, recorder = Counter(), FailingRecorder(error, is_healthy=True)
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    assert not graphed.capture(2, torch.ones(2))
    assert counter.total == 0
    graphed(2, torch.ones(2))
    assert counter.total == 2
    recorder.record = FakeRecorder().record  # type: ignore[method-assign]
    assert graphed.capture(2, torch.ones(2)), "the memory is free again, and nothing may have given up"


def test_a_graph_that_there_is_no_memory_to_launch_is_called_without_one() -> None:
    counter, recorder = Counter(), FakeRecorder()
    graphed = Graphed[int](counter.add, recorder, [counter.total])
    assert graphed.capture(2, torch.ones(2))

    def launch() -> None:
        raise torch.AcceleratorError("CUDA error: out of memory")

    graphed._captured[2] = launch, graphed._captured[2][1]
    graphed(2, torch.ones(2))
    assert counter.total == 2
    assert not graphed.is_ready(2)


def test_a_dead_device_is_raised_to_the_caller() -> None:
    counter, error = Counter(), torch.AcceleratorError("illegal access")
    graphed = Graphed[int](counter.add, FailingRecorder(error, is_healthy=False), [counter.total])
    with pytest.raises(torch.AcceleratorError):
        graphed.capture(2, torch.ones(2))


def test_an_arena_shares_memory_and_grows_if_it_is_too_short() -> None:
    arena = Arena()
    first = arena.like("a", torch.zeros(4, 5))
    second = arena.like("a", torch.zeros(5, 4, dtype=torch.int32))
    assert first.data_ptr() == second.data_ptr()
    assert (second.shape, second.dtype) == ((5, 4), torch.int32)
    longer = arena.like("a", torch.zeros(21))
    assert longer.data_ptr() != first.data_ptr()
    assert arena.like("a", torch.zeros(30)).data_ptr() == longer.data_ptr()  # it grew by half
    assert arena.like("b", torch.zeros(4, 5)).data_ptr() != longer.data_ptr()


# T3


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


@pytest.mark.parametrize("model", MODELS)
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


def test_a_text_is_warmed_in_a_free_slot_only() -> None:
    slots, prefix = Slots(parts("turbo").t3, 2, 500, context_step=128), encoded_voice("turbo").result().prefix
    for slot in range(2):
        assert slots.warm_text((128, 32))
        slots.prefill(slot, prefix, [4, 5], Sampling(), 1)
    with pytest.raises(ValueError, match="no slot is free"):
        slots.warm_text((128, 32))


# Sound


@pytest.mark.parametrize("model", ["turbo", pytest.param("multilingual", marks=pytest.mark.slow)])
def test_sound_from_graphs_is_that_without(model: str) -> None:
    longest = len(prompt(model).tokens) + 20
    recorder = FakeRecorder()
    s3gen = graphed_s3gen(model, recorder, (longest // 2, longest + 7))
    for variant in ((1, longest + 7), (4, longest + 7)):
        assert s3gen.flow_graphs.warm(variant)
    assert all(map(s3gen.vocoder_graphs.warm, s3gen.vocoder_graphs.variants()))
    for several, replays in ((render_rows(model, [20]), 2), (render_rows(model, [11, 20, 5]), 1)):  # one batch eager
        before = recorder.replayed
        sounds, expected = s3gen.speak(several).sounds, parts(model).s3gen.speak(several).sounds
        assert recorder.replayed == before + replays
        for sound, plain in zip(sounds, expected, strict=True):
            torch.testing.assert_close(sound, plain, atol=5e-4, rtol=0)  # mels differ by 1e-6, and pitch adds up
        rows = [FlowRow(row.tokens, row.prompt, row.noise.mel) for row in several]
        for mel, plain in zip(s3gen.mels(rows), parts(model).s3gen.mels(rows), strict=True):
            torch.testing.assert_close(mel, plain, atol=1e-5, rtol=1e-5)


def test_rows_take_the_shortest_bucket_and_the_flow_the_next_count_of_rows() -> None:
    flow = graphed_s3gen("turbo", FakeRecorder(), BUCKETS).flow_graphs
    assert [flow.variant_for(rows, 65) for rows in (1, 2, 3, 4, 5, 8)] == [
        (1, 128), (2, 128), (4, 128), (4, 128), (8, 128), (8, 128),
    ]  # fmt: skip
    assert [flow.variant_for(1, tokens) for tokens in (1, 64, 768, 769)] == [(1, 64), (1, 64), (1, 768), (1, 832)]
    assert flow.variant_for(5, 768) == (5, 768), "padded rows would be more tokens than a batch may have"
    assert all(rows * length <= MOST_TOKENS for rows, length in flow.variants())
    assert len(set(flow.variants())) == len(flow.variants())
    vocoder = graphed_s3gen("turbo", FakeRecorder(), BUCKETS).vocoder_graphs
    assert [vocoder.variant_for(1, frames) for frames in (1, 128, 129)] == [(1, 64), (1, 64), (1, 128)]
    assert vocoder.variant_for(3, 130) == (3, 128)
    assert [vocoder.hop_variant_for(1, frames) for frames in (24, 40, 66, 116, 216, 300)] == [
        (1, 12), (1, 20), (1, 36), (1, 64), (1, 112), (1, 192),
    ]  # fmt: skip
    assert vocoder.hop_variant_for(3, 24) == (4, 12)


def test_a_device_that_pads_nothing_has_no_variants() -> None:
    s3gen = parts("turbo").s3gen
    assert s3gen.flow_graphs.variant_for(1, 10) is None
    assert s3gen.vocoder_graphs.variant_for(1, 10) is None
    assert s3gen.vocoder_graphs.hop_variant_for(1, 10) is None
    assert s3gen.vocoder_graphs.hop_variants() == []


def test_ragged_batches_become_few_shapes() -> None:
    """Whatever lengths come, the convolutions see at most one shape for each bucket and number of rows."""
    s3gen, shapes = graphed_s3gen("turbo", FakeRecorder(capacity=0), (16, 32)), set()
    real = Vocoder.__call__

    def call(vocoder: Vocoder, mel: Tensor, *rest: Tensor) -> Any:
        shapes.add(tuple(mel.shape))
        return real(vocoder, mel, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vocoder, "__call__", call)
        for count in (3, 5, 9, 12, 16):
            mels = [torch.zeros(80, 2 * count), torch.zeros(80, 2 * count - 2)]
            noise = [SeededNoise(seed, CPU).whole(prompt("turbo"), count) for seed in range(2)]
            s3gen.sounds(mels, noise)
    assert shapes == {(2, 80, 32)}


def test_a_busy_worker_gets_the_graphs_of_its_own_load() -> None:
    recorder = FakeRecorder()
    s3gen = graphed_s3gen("turbo", recorder, (128, 192))
    captures = CaptureQueue(wanted=lambda: s3gen.flow_graphs.wanted() or s3gen.vocoder_graphs.wanted())
    several = render_rows("turbo", [12, 15])
    eager = s3gen.speak(several).sounds
    captures.capture_wanted()
    assert recorder.recorded == 0
    s3gen.speak(several)
    assert captures
    while captures:
        captures.capture_next()
    assert recorder.recorded == 2
    for sound, plain in zip(s3gen.speak(several).sounds, eager, strict=True):
        assert torch.equal(sound, plain)
    assert recorder.replayed == 2


def test_captures_under_load_take_a_tenth_of_the_time_at_most() -> None:
    now, done = [0.0], []

    def capture() -> bool:
        now[0] += 0.35
        done.append(now[0])
        return True

    captures = CaptureQueue(wanted=lambda: capture, clock=lambda: now[0])
    while now[0] < 100:
        captures.capture_wanted()
        now[0] += 0.01  # a step
    assert sum(0.35 for _ in done) < 0.11 * now[0]
    assert len(done) > 25
    before = len(done)
    captures.capture_next()  # nobody waits
    captures.capture_next()
    assert len(done) == before + 2


def test_a_wanted_capture_that_fails_again_and_again_is_left_alone() -> None:
    calls = []

    def capture() -> bool:
        calls.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    captures = CaptureQueue(wanted=lambda: capture)
    for _ in range(100):
        if captures:
            captures.capture_next()
    assert len(calls) < 10


@pytest.mark.parametrize(
    ("device", "graphs", "expected"),
    [("cuda:0", True, BUCKETS), ("cuda:0", False, BUCKETS), ("cpu", True, ()), ("meta", True, ())],
)
def test_sound_is_padded_on_a_gpu_with_graphs_and_without(
    device: str, *, graphs: bool, expected: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(pack, "T3", lambda *_, **__: None)
    monkeypatch.setattr(S3Gen, "from_state", lambda *_, **more: given.update(more))
    found = find(LAYOUTS["nano"], weights_dir=checkpoint("nano"), offline=True)
    pack.load_modules(found, "fast", torch.device(device), build_tensor, graphs=graphs)
    assert given["buckets"] == expected
    assert given["graphs"] == graphs


def test_without_graphs_every_batch_has_a_known_shape_and_none_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, shapes = FakeRecorder(), list[tuple[int, ...]]()
    monkeypatch.setattr(s3gen_model, "recorder_of", lambda *_: recorder)
    own = parts("turbo").s3gen

    class Seen:
        """The vocoder, which notes the shapes of mels."""

        def __call__(self, mel: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
            shapes.append(tuple(mel.shape))
            return own.vocoder(mel, *others)

    bucket = len(prompt("turbo").tokens) + 24
    s3gen = S3Gen(own.flow, cast("Any", Seen()), CPU, buckets=(24, bucket), graphs=False)
    for count in (20, 21, 22):  # a third eager call of a shape would be wanted as a graph
        s3gen.speak(render_rows("turbo", [count]))
    assert shapes == [(1, 80, 48)] * 3
    assert not recorder.recorded
    assert s3gen.vocoder_graphs.wanted() is s3gen.flow_graphs.wanted() is None


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
