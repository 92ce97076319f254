"""Work that is captured into CUDA graphs can be captured, on one device, in every precision. No GPU is needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.s3gen.flow import FlowRow, Prompt
from chatterbox_worker.engines.chatterbox.s3gen.model import S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise
from chatterbox_worker.engines.chatterbox.t3 import block_slots
from chatterbox_worker.engines.chatterbox.t3 import slots as t3_slots
from chatterbox_worker.engines.chatterbox.t3.block_sampling import BlockSampling
from chatterbox_worker.engines.chatterbox.t3.block_slots import BlockSlots
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3, Prefix
from chatterbox_worker.engines.chatterbox.t3.quantize import load_bitsandbytes
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark
from support.checkpoints import checkpoint
from support.fake_cuda import CUDA, Capturable, on_cuda

pytestmark = pytest.mark.slow

META = torch.device("meta")
MODELS = ["turbo", "multilingual"]


class CheckingRecorder:
    """A recorder that fails for work that cannot be captured."""

    def __init__(self) -> None:
        self.capturable = Capturable()

    def has_memory(self) -> bool:
        return True

    def is_usable(self) -> bool:
        return True

    def record(self, work: Any, undo: Any) -> Any:
        work()  # what is created only once is created here
        with self.capturable:
            work()
        undo()
        return lambda: None


def find_checkpoint(model: str) -> Any:
    return find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)


def slots_on(
    mode: FakeTensorMode, model: str, precision: Precision, monkeypatch: pytest.MonkeyPatch, **given: Any
) -> tuple[Slots, CheckingRecorder]:
    if precision is Precision.NF4:
        load_bitsandbytes()
    t3, recorder = T3(load_t3_state(find_checkpoint(model)), precision=precision, device=META), CheckingRecorder()
    monkeypatch.setattr(t3_slots, "recorder_of", lambda *_: recorder)
    t3 = on_cuda(t3, mode)
    # without a GPU no memory can be pinned
    monkeypatch.setattr(T3, "to_device", lambda _, ids: torch.zeros(len(ids), dtype=torch.int64, device=CUDA))
    with mode:
        return Slots(t3, 2, 200, **given), recorder


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.FAST, Precision.INT8_WEIGHTS, Precision.NF4])
@pytest.mark.parametrize("model", MODELS)
def test_every_step_and_every_text_can_be_captured(
    model: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = FakeTensorMode()
    slots, recorder = slots_on(mode, model, precision, monkeypatch)
    with mode:
        for sorts in (False, True):
            assert all(map(slots.warm_step, slots.step_shapes(sorts=sorts)))
        assert all(map(slots.warm_text, slots.text_shapes(130)))
    assert recorder.capturable.calls["index_put_"] >= 10
    assert recorder.capturable.calls["sort"] == len(slots.step_shapes(sorts=True))


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.FAST])
@pytest.mark.parametrize("model", MODELS)
def test_an_utterance_on_a_gpu_waits_for_nothing(
    model: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = FakeTensorMode()
    slots, _ = slots_on(mode, model, precision, monkeypatch)
    t3 = slots.t3
    with mode:
        speaker, prompt = torch.zeros(256), torch.zeros(40, dtype=torch.int64)
        prefix = t3.encode(speaker, prompt, None if t3.is_gpt else 0.5)
        assert isinstance(prefix, Prefix)
        with Capturable():  # nothing here may wait for the device, captured or not
            slots.prefill(0, prefix, [1, 2, 3], Sampling(top_p=0.9), 7)
            slots.prefill(1, prefix, [1, 2, 3], Sampling(), 7)
            assert slots.step().device == CUDA
            slots.release(0)
            slots.step()
            slots.prefill(0, prefix, [1, 2, 3], Sampling(), 7, tokens=[4] * 40)


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.FAST])
@pytest.mark.parametrize("model", MODELS)
def test_an_observed_utterance_waits_for_nothing_and_can_be_captured(
    model: str, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = FakeTensorMode()
    slots, recorder = slots_on(mode, model, precision, monkeypatch, aligned_heads=((1, 1), (0, 0)))
    t3 = slots.t3
    with mode:
        prefix = t3.encode(torch.zeros(256), torch.zeros(40, dtype=torch.int64), None if t3.is_gpt else 0.5)
        with Capturable():
            slots.prefill(0, prefix, [1, 2, 3], Sampling(), 7, observe=True)
            slots.prefill(1, prefix, [1, 2, 3], Sampling(), 7)
            slots.step()
            slots.step()
            slots.release(1)
            slots.prefill(1, prefix, [1, 2, 3], Sampling(), 7, tokens=[4, 5], observe=True)
            attention = slots.attention(0, 2)
        assert attention is not None
        assert (attention.shape, attention.dtype, attention.device) == ((2, 2, 3), torch.float32, CUDA)
        capture = slots.wanted()
        assert capture is not None
        assert capture()
        slots.step()
    assert recorder.capturable.calls["index_copy_"] == 2


@pytest.mark.parametrize("precision", [Precision.EXACT, Precision.FAST])
def test_passes_over_blocks_wait_for_nothing_and_can_be_captured(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    mode = FakeTensorMode()
    t3, recorder = T3(load_t3_state(find_checkpoint("flash")), precision=precision, device=META), CheckingRecorder()
    monkeypatch.setattr(block_slots, "recorder_of", lambda *_: recorder)
    monkeypatch.setattr(T3, "to_device", lambda _, ids: torch.zeros(len(ids), dtype=torch.int64, device=CUDA))
    t3 = on_cuda(t3, mode)
    with mode:
        slots = BlockSlots(t3, 2, 200)
        assert all(map(slots.warm_step, slots.step_shapes(sorts=False)))
        assert all(map(slots.warm_text, slots.text_shapes(34)))
        prefix = t3.encode(torch.zeros(256), torch.zeros(40, dtype=torch.int64), 0.5)
        with Capturable():
            slots.prefill(0, prefix, [1, 2, 3], BlockSampling(), 7)
            slots.prefill(1, prefix, [1, 2, 3], BlockSampling(temperature=0.0), 7)
            assert slots.step().device == CUDA
            slots.release(0)
            slots.step()
            slots.prefill(0, prefix, [1, 2, 3], BlockSampling(), 7, tokens=[4] * 32)
    assert recorder.capturable.calls["sort"] == len(slots.step_shapes(sorts=False))


@pytest.mark.parametrize("profile", ["exact", "fast"])
@pytest.mark.parametrize("model", MODELS)
def test_flow_and_vocoder_can_be_captured(model: str, profile: Any) -> None:
    state = load_s3gen_state(find_checkpoint(model), "flow.", "mel2wav.")
    s3gen = S3Gen.from_state(state, device=META, profile=profile, buckets=(64,))
    recorder = CheckingRecorder()
    for graphs in (s3gen.flow_graphs._graphs, s3gen.vocoder_graphs._graphs, s3gen.vocoder_graphs._hop_graphs):
        graphs._recorder = recorder
    mode = FakeTensorMode()
    s3gen = on_cuda(s3gen, mode)
    assert s3gen.flow.dtype == (torch.float16 if profile == "fast" else torch.float32)
    with mode:
        assert all(map(s3gen.flow_graphs.warm, [(1, 64), (2, 64)]))
        assert all(map(s3gen.vocoder_graphs.warm, s3gen.vocoder_graphs.variants()))
        assert all(map(s3gen.vocoder_graphs.warm_hops, [(1, 12), (2, 20)]))
    assert recorder.capturable.calls["convolution"] > 50


@pytest.mark.parametrize("profile", ["exact", "fast"])
@pytest.mark.parametrize("model", MODELS)
def test_a_ragged_batch_becomes_sound_on_one_device(model: str, profile: Any) -> None:
    """Without graphs: voices and tokens come from the host, noise from the device."""
    s3gen = S3Gen.from_state(
        load_s3gen_state(find_checkpoint(model), "flow.", "mel2wav."), device=META, profile=profile
    )
    mode = FakeTensorMode()
    s3gen = on_cuda(s3gen, mode)
    assert {s3gen.vocoder._first.weight.dtype, s3gen.vocoder._pitch._read.weight.dtype} == {torch.float32}
    with mode:
        prompt = Prompt(torch.zeros(10, dtype=torch.int64), torch.zeros(21, 80), torch.zeros(192))
        rows = [
            FlowRow(
                torch.zeros(count, dtype=torch.int64),
                prompt,
                torch.zeros(80, 2 * (10 + count), device=CUDA),
                finalize=whole,
            )
            for count, whole in ((12, True), (30, False), (5, True))
        ]
        mels = s3gen._mels(rows)  # the check for overflow after it reads from the device
        assert [tuple(mel.shape) for mel in mels] == [(80, 23), (80, 53), (80, 9)]
        phase = torch.zeros(9, device=CUDA)
        noises = [
            Noise(row.noise, phase, torch.zeros(9, 480 * mel.shape[1], device=CUDA))
            for row, mel in zip(rows, mels, strict=True)
        ]
        sounds = [s3gen.fade_in(sound) for sound in s3gen.sounds(mels, noises)]
        assert [(len(sound), sound.dtype, sound.device) for sound in sounds] == [
            (480 * mel.shape[1], torch.float32, CUDA) for mel in mels
        ]


def test_the_watermark_goes_in_on_one_device() -> None:
    mode = FakeTensorMode()
    watermark = on_cuda(Watermark(torch.device("cpu")), mode)
    with mode, torch.inference_mode():
        assert watermark._change(torch.zeros(50_000, device=CUDA)).device == CUDA


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (lambda x: x.sum().item(), "waits"),
        (lambda x: x[x > 0], "waits"),
        (lambda x: bool(x.any()), "waits"),
        (torch.rand_like, "draws"),
        (lambda x: x + torch.ones(3, device="cpu")[0], "tensor of cpu"),
        (lambda x: x.cpu(), "tensor of cpu"),
    ],
)
def test_the_check_finds_what_a_graph_cannot_contain(work: Any, reason: str) -> None:
    with FakeTensorMode():
        x = torch.zeros(4, device=CUDA)
        with pytest.raises(AssertionError, match=reason), Capturable():
            work(x)
