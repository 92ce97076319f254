from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint import state_dict
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine, StateDict
from chatterbox_worker.engines.chatterbox.s3gen import estimator, flow_encoder
from chatterbox_worker.engines.chatterbox.s3gen.flow import Flow, FlowRow, Prompt, pack_rows, unpack_mels
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import MAX_FRAMES
from chatterbox_worker.engines.chatterbox.s3gen.frames import conv, conv_image
from support.checkpoints import checkpoint, upstream_may_warn, upstream_s3gen

CPU = torch.device("cpu")
MODELS = ("english", "turbo")  # guided in 10 steps; meanflow in 2


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def upstream(model: str) -> Any:
    return upstream_s3gen(checkpoint(model))


@cache
def flow_of(model: str) -> Flow:
    return Flow(StateDict(upstream(model).state_dict(), CPU, torch.float32).scope("flow"))


def row_of(prompt: int, tokens: int, *, seed: int = 0, spare_frames: int = 0, finalize: bool = True) -> FlowRow:
    """A row with random everything; the prompt's mel may have `spare_frames` beyond its tokens."""
    draw = torch.Generator().manual_seed(seed)
    return FlowRow(
        tokens=torch.randint(0, 6561, (tokens,), generator=draw),
        prompt=Prompt(
            tokens=torch.randint(0, 6561, (prompt,), generator=draw),
            mel=torch.randn(2 * prompt + spare_frames, 80, generator=draw),
            embedding=torch.randn(192, generator=draw) * 5,
        ),
        noise=torch.randn(80, 2 * (prompt + tokens), generator=draw),
        finalize=finalize,
    )


def mels(flow: Flow, rows: list[FlowRow], tokens: int | None = None) -> list[Tensor]:
    return unpack_mels(flow(pack_rows(rows, CPU, tokens=tokens)), rows)


def oracle(model: str, row: FlowRow, monkeypatch: pytest.MonkeyPatch, seen: list[Tensor] | None = None) -> Tensor:
    """Upstream's mel for `row`'s noise; `seen` collects the state before each Euler step.

    Upstream's own `finalize=False` drops the last 6 frames of the features but not of their mask, and so raises; here
    both results of the encoder are cut.
    """
    s3gen = upstream(model)
    estimator = s3gen.flow.decoder.estimator
    forward = estimator.forward

    def record(*args: Any, **given: Any) -> Tensor:
        if seen is not None:
            seen.append((args[0] if args else given["x"])[:1].clone())
        velocity: Tensor = forward(*args, **given)
        return velocity

    encode = s3gen.flow.encoder.forward

    def cut(*args: Any) -> tuple[Tensor, Tensor]:
        features, mask = encode(*args)
        frames = row.frame_count
        return features[:, :frames], mask[:, :, :frames]

    with monkeypatch.context() as patch, upstream_may_warn():
        patch.setattr(torch, "randn_like", lambda mu: row.noise[None, :, : mu.shape[2]].clone())
        patch.setattr(estimator, "forward", record)
        patch.setattr(s3gen.flow.encoder, "forward", cut)
        mel: Tensor = s3gen.flow.inference(
            token=row.tokens[None],
            token_len=torch.tensor([len(row.tokens)]),
            prompt_token=row.prompt.tokens[None],
            prompt_token_len=torch.tensor([len(row.prompt.tokens)]),
            prompt_feat=row.prompt.mel[None],
            prompt_feat_len=None,
            embedding=row.prompt.embedding[None],
            finalize=True,
            n_timesteps=2 if s3gen.meanflow else 10,
            meanflow=s3gen.meanflow,
        )[0]
    return mel[0]


def test_the_features_are_upstreams(model: str) -> None:
    row = row_of(12, 25)
    tokens = torch.cat([row.prompt.tokens, row.tokens])[None]
    theirs = upstream(model).flow
    with torch.inference_mode(), upstream_may_warn():
        features = theirs.encoder_proj(theirs.encoder(theirs.input_embedding(tokens), torch.tensor([37]))[0])
    torch.testing.assert_close(flow_of(model).encode(tokens), features, atol=1e-5, rtol=1e-5)


def test_every_euler_step_is_upstreams(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, states = row_of(10, 20), list[Tensor]()
    final = oracle(model, row, monkeypatch, seen=states)
    assert len(states) == (2 if model == "turbo" else 10)
    flow = flow_of(model)
    batch = pack_rows([row], CPU)
    with torch.inference_mode():
        features = flow.encode(batch.tokens)
        speaker = flow._speakers(batch.embedding)[:, None].expand(-1, features.shape[1], -1)
        context = torch.cat([features, speaker, batch.prompt_mel], dim=2)
    for steps, state in enumerate(states):
        ours = flow.solve(batch.noise.mT, context, steps=steps)
        torch.testing.assert_close(ours.mT, state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(flow.solve(batch.noise.mT, context)[0, 20:].T, final, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("finalize", [True, False])
@pytest.mark.parametrize("spare_frames", [0, 1])
def test_the_mel_is_upstreams(model: str, finalize: bool, spare_frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = row_of(15, 30, finalize=finalize, spare_frames=spare_frames)
    theirs = oracle(model, row, monkeypatch)
    assert theirs.shape == (80, 60 - spare_frames - (0 if finalize else 6))
    torch.testing.assert_close(mels(flow_of(model), [row])[0], theirs, atol=1e-5, rtol=1e-5)


def test_a_row_sounds_the_same_alone_and_in_a_batch(model: str) -> None:
    rows = [row_of(15, 30), row_of(9, 12, seed=1), row_of(1, 1, seed=2), row_of(20, 21, seed=3, finalize=False)]
    flow = flow_of(model)
    for row, mel in zip(rows, mels(flow, rows), strict=True):
        torch.testing.assert_close(mel, mels(flow, [row])[0], atol=1e-5, rtol=1e-5)


def test_a_row_padded_to_a_bucket_sounds_the_same(model: str) -> None:
    flow = flow_of(model)
    for row in (row_of(15, 30), row_of(15, 30, finalize=False), row_of(32, 32)):
        torch.testing.assert_close(mels(flow, [row], tokens=64)[0], mels(flow, [row])[0], atol=1e-5, rtol=1e-5)


def test_the_content_of_the_padding_does_not_matter(model: str) -> None:
    flow, row = flow_of(model), row_of(8, 10)
    batch = pack_rows([row], CPU, tokens=32)
    dirty = replace(batch, tokens=batch.tokens.clone(), noise=batch.noise.clone())
    dirty.tokens[:, 18:] = 17
    dirty.noise[:, :, 36:] = 3.0
    clean, other = flow(batch), flow(dirty)
    torch.testing.assert_close(other, clean, atol=1e-6, rtol=1e-6)
    assert not clean[:, :, 36:].any()


def test_more_tokens_change_earlier_frames_little_because_noise_belongs_to_the_frame() -> None:
    """Streaming depends on it: the noise belongs to a frame, not to a call."""
    row = row_of(10, 40)
    earlier = FlowRow(row.tokens[:30], row.prompt, row.noise, finalize=False)
    first, whole = mels(flow_of("turbo"), [earlier])[0], mels(flow_of("turbo"), [row])[0][:, :54]
    other_noise = mels(flow_of("turbo"), [replace(row, noise=row.noise.flip(1))])[0][:, :54]
    assert (first - whole).abs().mean() < 0.5 * (other_noise - whole).abs().mean()


def test_only_the_direction_of_the_speaker_embedding_counts(model: str) -> None:
    row = row_of(5, 5)
    louder = replace(row, prompt=replace(row.prompt, embedding=row.prompt.embedding * 9))
    torch.testing.assert_close(mels(flow_of(model), [louder])[0], mels(flow_of(model), [row])[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_stay_close(dtype: torch.dtype) -> None:
    flow = Flow(StateDict(upstream("turbo").state_dict(), CPU, dtype).scope("flow"))
    row = row_of(10, 20)
    close, exact = mels(flow, [row])[0], mels(flow_of("turbo"), [row])[0]
    assert close.dtype == torch.float32
    noise_db = 10 * torch.log10((close - exact).square().mean() / exact.square().mean())
    assert noise_db < -20


def test_what_does_not_fit_is_refused() -> None:
    row = row_of(5, 5)
    with pytest.raises(ValueError, match="10 tokens does not fit into 8"):
        pack_rows([row], CPU, tokens=8)
    with pytest.raises(ValueError, match="20 frames needs more noise than 19"):
        pack_rows([replace(row, noise=row.noise[:, :19])], CPU)
    with pytest.raises(ValueError, match="more than the"):
        flow_of("turbo").encode(torch.zeros(1, MAX_FRAMES // 2 + 1, dtype=torch.int64))


def test_a_missing_tensor_is_named() -> None:
    state = {name: tensor for name, tensor in upstream("turbo").state_dict().items() if "encoder_proj" not in name}
    with pytest.raises(KeyError, match=r"flow\.encoder_proj\.weight"):
        Flow(StateDict(state, CPU, torch.float32).scope("flow"))


def test_a_flow_of_another_structure_is_refused() -> None:
    deeper = {"flow.decoder.estimator.down_blocks.1.2.weight": torch.zeros(1, 1, 1)}
    state = StateDict({**upstream("turbo").state_dict(), **deeper}, CPU, torch.float32)
    with pytest.raises(ValueError, match="one resolution; the checkpoint's has more"):
        Flow(state.scope("flow"))


@pytest.mark.parametrize("model", ["turbo", pytest.param("english", marks=pytest.mark.slow)])
def test_in_bfloat16_the_mel_stays_near_and_a_row_alone_is_the_row_in_a_ragged_batch(model: str) -> None:
    half = Flow(StateDict(upstream(model).state_dict(), CPU, torch.bfloat16).scope("flow"))
    rows = [row_of(20, 15, seed=1), row_of(5, 40, seed=2)]
    exact, alone = mels(flow_of(model), rows), [mels(half, [row])[0] for row in rows]
    for mel, reference, batched in zip(alone, exact, mels(half, rows), strict=True):
        assert 10 * torch.log10(reference.var() / (mel - reference).var()) > 25  # decibels; 41 at full size
        assert 10 * torch.log10(reference.var() / (mel - batched).var()) > 25
        assert not torch.equal(mel, reference)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_a_convolution_in_one_operation_is_the_one_by_a_product(width: int) -> None:
    x, taps = torch.randn(2, 20, 8), Affine(torch.randn(6, width * 8), torch.randn(6))
    image = conv_image(x, taps)
    assert image.shape == (2, 20 + width - 1, 6)
    assert image.is_contiguous()
    torch.testing.assert_close(image[:, :20], conv(x, taps), atol=1e-5, rtol=1e-5)


def test_the_form_of_the_flow_for_a_gpu_is_upstreams(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU, in float32: convolutions as images that return more frames, biases folded into what is multiplied."""

    def convolve(x: Tensor, taps: Affine, *, ahead: int = 0) -> Tensor:
        return conv(x, taps, ahead=ahead) if ahead else conv_image(x, taps)

    row = row_of(15, 30)
    theirs = oracle(model, row, monkeypatch)
    for module in (estimator, flow_encoder):
        monkeypatch.setattr(module, "conv", convolve)
    monkeypatch.setattr(state_dict, "pack_weight", lambda weight: weight)
    state = StateDict(upstream(model).state_dict(), CPU, torch.float32).scope("flow")
    flow = Flow(state, folds_biases=True)
    blocks = flow._estimator._up._blocks
    assert all(block._out.bias is None is block._narrow.bias for block in blocks)
    torch.testing.assert_close(mels(flow, [row])[0], theirs, atol=1e-5, rtol=1e-5)
    rows = [row_of(15, 30), row_of(9, 12, seed=1)]
    torch.testing.assert_close(mels(flow, rows)[1], mels(flow, rows[1:])[0], atol=1e-5, rtol=1e-5)


def test_a_bias_that_the_values_could_only_carry_at_a_loss_stays_where_it_is() -> None:
    weights = dict(upstream("turbo").state_dict())
    start = "flow.decoder.estimator.mid_blocks.0.1.0.attn1.to_out.0"
    weights[f"{start}.weight"] = weights[f"{start}.weight"] * 1e-3
    flow, exact = (
        Flow(StateDict(weights, CPU, torch.float32).scope("flow"), folds_biases=folds) for folds in (True, False)
    )
    assert flow._estimator._middle[0]._blocks[0]._out.bias is not None
    row = row_of(5, 8)
    torch.testing.assert_close(mels(flow, [row])[0], mels(exact, [row])[0], atol=1e-5, rtol=1e-5)
