from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.s3gen.flow import Flow, FlowRow, Prompt, pack_rows, unpack_mels
from chatterbox_worker.engines.chatterbox.s3gen.model import Profile, RenderRow, S3Gen, _flow_dtype
from chatterbox_worker.engines.chatterbox.s3gen.noise import Noise, SeededNoise
from chatterbox_worker.engines.chatterbox.s3gen.overflow import with_dtype
from support.checkpoints import checkpoint, upstream_may_warn, upstream_s3gen
from support.sounds import assert_same_sound
from support.upstream_noise import draw

CPU = torch.device("cpu")


@pytest.fixture(params=["english", "turbo"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def ours(model: str, buckets: tuple[int, ...] = ()) -> S3Gen:
    return S3Gen.from_state(upstream_s3gen(checkpoint(model)).state_dict(), device=CPU, buckets=buckets)


def prompt_of(tokens: int, seed: int = 0, spare_frames: int = 0) -> Prompt:
    draw = torch.Generator().manual_seed(seed)
    return Prompt(
        tokens=torch.randint(0, 6561, (tokens,), generator=draw),
        mel=torch.randn(2 * tokens + spare_frames, 80, generator=draw),
        embedding=torch.randn(192, generator=draw),
    )


def row_of(s3gen: S3Gen, tokens: int, prompt: Prompt, seed: int) -> RenderRow:
    codes = torch.randint(0, 6561, (tokens,), generator=torch.Generator().manual_seed(seed))
    return RenderRow(codes, prompt, SeededNoise(seed, s3gen.device).whole(prompt, tokens))


def upstream_sound(s3gen: Any, tokens: Tensor, prompt: Prompt, seed: int) -> Tensor:
    reference = {
        "prompt_token": prompt.tokens[None],
        "prompt_token_len": torch.tensor([len(prompt.tokens)]),
        "prompt_feat": prompt.mel[None],
        "prompt_feat_len": None,
        "embedding": prompt.embedding[None],
    }
    with upstream_may_warn():
        torch.manual_seed(seed)
        sound: Tensor = s3gen.inference(tokens[None], ref_dict=reference)[0]
    return sound[0]


@pytest.mark.parametrize("spare_frames", [0, 1])
def test_a_seed_sounds_as_it_does_upstream(model: str, spare_frames: int) -> None:
    prompt, seed = prompt_of(12, spare_frames=spare_frames), 1234
    tokens = torch.randint(0, 6561, (25,))
    theirs = upstream_sound(upstream_s3gen(checkpoint(model)), tokens, prompt, seed)
    noise = draw(25, prompt, torch.Generator().manual_seed(seed), meanflow=ours(model).flow.meanflow)
    (sound,) = ours(model).speak([RenderRow(tokens, prompt, noise)])
    assert theirs.std() > 0.01
    assert_same_sound(sound, theirs)


@pytest.mark.parametrize("model", ["turbo", pytest.param("english", marks=pytest.mark.slow)])
def test_rows_of_several_voices_sound_the_same_alone_and_together(model: str) -> None:
    s3gen = ours(model)
    rows = [
        row_of(s3gen, tokens, prompt_of(prompt, seed=seed), seed)
        for seed, (tokens, prompt) in enumerate([(20, 12), (5, 30), (33, 4), (20, 12)])
    ]
    together = s3gen.speak(rows)
    for row, sound in zip(rows, together, strict=True):
        assert sound.shape == (960 * len(row.tokens),)
        assert_same_sound(sound, s3gen.speak([row])[0])


@pytest.mark.parametrize("model", ["turbo", pytest.param("english", marks=pytest.mark.slow)])
def test_buckets_do_not_change_the_sound(model: str) -> None:
    plain, bucketed = ours(model), ours(model, buckets=(64, 16))
    rows = [row_of(plain, 10, prompt_of(20), 1), row_of(plain, 30, prompt_of(8), 2)]
    for theirs, sound in zip(plain.speak(rows), bucketed.speak(rows), strict=True):
        assert_same_sound(sound, theirs)


def test_a_row_longer_than_every_bucket_is_rendered_too() -> None:
    plain, bucketed = ours("turbo"), ours("turbo", buckets=(16,))
    row = row_of(plain, 20, prompt_of(10), 1)
    assert_same_sound(bucketed.speak([row])[0], plain.speak([row])[0])


class Overflowing:
    """A flow in float16 whose mels overflow where the first noise is positive."""

    dtype = torch.float16

    def __init__(self, flow: Any) -> None:
        self._flow = flow

    def __call__(self, batch: Any) -> Tensor:
        return torch.where(batch.noise[:, :1, :1] > 0, torch.inf, self._flow(batch))


def test_a_mel_that_overflows_is_computed_once_more_and_the_others_are_not(caplog: pytest.LogCaptureFixture) -> None:
    plain = ours("turbo")
    rows = [row_of(plain, 10, prompt_of(6), seed) for seed in range(6)]
    overflows = [bool(row.noise.mel[0, 0] > 0) for row in rows]
    assert {True, False} == set(overflows)
    s3gen = S3Gen(plain.flow, plain.vocoder, CPU)
    s3gen.flow = Overflowing(plain.flow)  # type: ignore[assignment]
    s3gen.__dict__["_wide_flow"] = plain.flow
    flow_rows = [FlowRow(row.tokens, row.prompt, row.noise.mel) for row in rows]
    with caplog.at_level("WARNING"):
        mels = s3gen.mels(flow_rows)
    for mel, expected in zip(mels, plain.mels(flow_rows), strict=True):
        torch.testing.assert_close(mel, expected, atol=1e-4, rtol=1e-4)
    assert f"{sum(overflows)} of 6 mels overflowed" in caplog.text


def test_a_flow_in_bfloat16_shares_all_but_its_float16_weights() -> None:
    state = {name: value.half() for name, value in upstream_s3gen(checkpoint("turbo")).state_dict().items()}
    half = S3Gen.from_state(state, device=torch.device("meta"), profile="fast").flow
    wide = with_dtype(half, torch.bfloat16)
    assert (half.dtype, wide.dtype) == (torch.float16, torch.bfloat16)
    assert not any(tensor.dtype is torch.float16 for tensor in tensors_of(wide))
    assert [t.shape for t in tensors_of(wide)] == [t.shape for t in tensors_of(half)]
    assert [t.dtype for t in tensors_of(wide)].count(torch.bfloat16) == [t.dtype for t in tensors_of(half)].count(
        torch.float16
    )


def test_a_flow_in_bfloat16_has_nearly_the_mel_of_the_exact_one() -> None:
    plain, row = ours("turbo"), row_of(ours("turbo"), 10, prompt_of(6), 1)
    half = Flow(StateDict(upstream_s3gen(checkpoint("turbo")).state_dict(), CPU, torch.float16).scope("flow"))
    rows = [FlowRow(row.tokens, row.prompt, row.noise.mel)]
    (close,) = unpack_mels(S3Gen(half, plain.vocoder, CPU)._wide_flow(pack_rows(rows, CPU)), rows)
    (exact,) = plain.mels(rows)
    assert 0 < (close - exact).square().mean() < 0.01 * exact.square().mean()


def tensors_of(thing: Any) -> list[Tensor]:
    if isinstance(thing, Tensor):
        return [thing]
    if isinstance(thing, list | tuple):
        return [tensor for part in thing for tensor in tensors_of(part)]
    if type(thing).__module__.startswith("chatterbox_worker"):
        return [tensor for name in sorted(vars(thing)) for tensor in tensors_of(getattr(thing, name))]
    return []


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_the_flow_has_a_type_that_its_device_multiplies_fast(
    has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    gpu, profiles = torch.device("cuda"), list[Profile](("exact", "fast", "int8"))
    assert [_flow_dtype(profile, gpu) for profile in profiles] == [torch.float32, torch.float16, torch.float16]
    int8 = torch.bfloat16 if has_bfloat16 else torch.float32
    assert [_flow_dtype(profile, CPU) for profile in profiles] == [torch.float32, torch.float32, int8]


def test_the_beginning_is_muted_for_20_ms_and_rises_for_20() -> None:
    faded = ours("turbo").fade_in(torch.ones(2000))
    assert not faded[:480].any()
    assert (faded[480:960].diff() >= 0).all()
    assert faded[959:].tolist() == [1.0] * 1041
    assert not ours("turbo").fade_in(torch.ones(100)).any()


def test_what_cannot_be_vocoded_is_refused() -> None:
    s3gen = ours("turbo")
    mel = torch.zeros(80, 4)
    short = Noise(torch.zeros(80, 4), torch.zeros(9), torch.zeros(9, 1919))
    with pytest.raises(ValueError, match="1920 samples need more source noise than 1919"):
        s3gen.sounds([mel], [short])


@pytest.mark.slow
@pytest.mark.parametrize("meanflow", [True, False])
def test_the_full_model_sounds_as_it_does_upstream(meanflow: bool) -> None:
    from tools.synthetic_weights import fill
    from tools.upstream import FULL, build_s3gen

    theirs = build_s3gen(FULL, meanflow=meanflow).eval()
    parts = ("flow.", "mel2wav.")
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if name.startswith(parts):
                tensor.copy_(fill(name, tuple(tensor.shape), file="s3gen.safetensors", seed=7))
    torch.manual_seed(0)
    prompt, tokens = prompt_of(30), torch.randint(0, 6561, (25,))
    expected = upstream_sound(theirs, tokens, prompt, 5)
    s3gen = S3Gen.from_state(theirs.state_dict(), device=CPU)
    noise = draw(25, prompt, torch.Generator().manual_seed(5), meanflow=meanflow)
    assert_same_sound(s3gen.speak([RenderRow(tokens, prompt, noise)])[0], expected)
