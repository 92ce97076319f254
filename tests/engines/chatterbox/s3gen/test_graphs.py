"""The flow's and the vocoder's graphs without a GPU: a fake recorder replaces CUDA's."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox import pack
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import build_tensor
from chatterbox_worker.engines.chatterbox.s3gen import model as s3gen_model
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow
from chatterbox_worker.engines.chatterbox.s3gen.graphs import BUCKETS, MOST_TOKENS
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import Vocoder
from chatterbox_worker.engines.chatterbox.serving.warmup import CaptureQueue
from support.checkpoints import checkpoint
from support.fake_cuda import FakeRecorder
from support.tiny_engine import CPU, graphed_s3gen, parts, prompt, render_rows


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
        sounds, expected = s3gen.speak(several), parts(model).s3gen.speak(several)
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
    assert all(rows * length <= 1024 for rows, length in vocoder.hop_variants())
    vocoder._graphs._wanted.update({(2, 768): None, (8, 128): None})
    capture = vocoder.wanted()
    assert isinstance(capture, functools.partial)
    assert capture.args == ((8, 128),), "1536 tokens are too many for a graph"


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
    eager = s3gen.speak(several)
    captures.capture_wanted()
    assert recorder.recorded == 0
    s3gen.speak(several)
    assert captures
    while captures:
        captures.capture_next()
    assert recorder.recorded == 2
    for sound, plain in zip(s3gen.speak(several), eager, strict=True):
        assert torch.equal(sound, plain)
    assert recorder.replayed == 2


@pytest.mark.parametrize(
    ("device", "graphs", "expected"),
    [("cuda:0", True, BUCKETS), ("cuda:0", False, BUCKETS), ("cpu", True, ()), ("meta", True, ())],
)
def test_sound_is_padded_on_a_gpu_with_graphs_and_without(
    device: str, *, graphs: bool, expected: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(pack, "T3", lambda *_, **__: SimpleNamespace(mask=None))
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
