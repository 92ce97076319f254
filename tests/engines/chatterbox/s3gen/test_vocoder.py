from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.s3gen.stft import ShortFourier, overlap_add
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import Vocoder
from support.checkpoints import checkpoint, upstream_may_warn, upstream_s3gen
from support.sounds import assert_same_sound

CPU = torch.device("cpu")


@cache
def upstream() -> Any:
    return upstream_s3gen(checkpoint("turbo")).mel2wav


@cache
def vocoder() -> Vocoder:
    state = upstream_s3gen(checkpoint("turbo")).state_dict()
    return Vocoder(StateDict(state, CPU, torch.float32).scope("mel2wav"))


def draw_inputs(frames: int, rows: int = 1, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """mel, phase, noise."""
    draw = torch.Generator().manual_seed(seed)
    return (
        torch.randn(rows, 80, frames, generator=draw),
        (torch.rand(rows, 9, generator=draw) * 2 - 1) * torch.pi,
        torch.randn(rows, 9, 480 * frames, generator=draw),
    )


def oracle(
    mel: Tensor,
    phase: Tensor,
    noise: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    *,
    pitch: Any = None,
) -> Any:
    """Upstream's sound and source for this phase, this noise and our pitch.

    Pitch is compared separately: it may differ in its last bit, and the phase accumulates that over the whole clip.
    """
    with monkeypatch.context() as patch, upstream_may_warn():
        patch.setattr(upstream().f0_predictor, "forward", pitch or vocoder().pitch)
        patch.setattr(torch.distributions.Uniform, "sample", lambda self, sample_shape: phase[:, :, None].clone())
        patch.setattr(torch, "randn_like", lambda like: noise if like.shape[1] == 9 else torch.zeros_like(like))
        return upstream().inference(speech_feat=mel, cache_source=torch.zeros(1, 1, 0))


def test_the_pitch_is_upstreams_with_and_without_voice() -> None:
    mel = draw_inputs(60)[0]
    with torch.inference_mode():
        theirs = upstream().f0_predictor(mel)
    assert (theirs > 10).any()
    torch.testing.assert_close(vocoder().pitch(mel), theirs, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 50, 120])
def test_the_sound_is_upstreams(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mel, phase, noise = draw_inputs(frames)
    theirs, source = oracle(mel, phase, noise, monkeypatch)
    ours, our_source = vocoder()(mel, phase, noise)
    assert ours.shape == (1, 480 * frames)
    assert theirs.abs().max() > 0.01
    torch.testing.assert_close(our_source, source[:, 0], atol=1e-4, rtol=0)
    assert_same_sound(ours, theirs)


def test_voiced_and_unvoiced_sources_are_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pitch is set explicitly, so that both branches are taken."""
    mel, phase, noise = draw_inputs(40)
    pitch = torch.where(torch.arange(40) % 8 < 4, 220.0, 3.0)[None]
    source = oracle(mel, phase, noise, monkeypatch, pitch=lambda _: pitch)[1]
    torch.testing.assert_close(vocoder().source(pitch, phase, noise), source[:, 0], atol=1e-5, rtol=0)


def test_a_row_sounds_the_same_alone_and_in_a_batch() -> None:
    """The filter to 1e-5; the whole less exactly, because a pitch that differs in its last bit drifts out of phase."""
    lengths = [50, 23, 1, 49]
    mel, phase, noise = draw_inputs(50, rows=4)
    frames = torch.tensor(lengths)
    sounds, sources = vocoder()(mel, phase, noise, frames)
    for row, length in enumerate(lengths):
        one, samples = slice(row, row + 1), 480 * length
        alone, _ = vocoder()(mel[one, :, :length], phase[one], noise[one, :, :samples])
        assert_same_sound(sounds[one, :samples], alone)
        with torch.inference_mode():
            filtered = vocoder().filter(mel[one, :, :length], sources[one, :samples], None)
        torch.testing.assert_close(sounds[one, :samples], filtered, atol=1e-5, rtol=0)
        assert not sounds[row, samples:].any()


def test_frames_that_fill_the_batch_change_nothing() -> None:
    mel, phase, noise = draw_inputs(30, rows=2)
    masked, _ = vocoder()(mel, phase, noise, torch.tensor([30, 30]))
    torch.testing.assert_close(masked, vocoder()(mel, phase, noise)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("size", "hop", "count"), [(16, 4, 40), (16, 8, 5), (64, 16, 12)])
def test_the_transform_is_torchs(size: int, hop: int, count: int) -> None:
    signal = torch.randn(2, hop * count)
    window = torch.hann_window(size)
    theirs = torch.stft(signal, size, hop, window=window, return_complex=True)
    ours = ShortFourier(size, hop, CPU).forward(signal)
    torch.testing.assert_close(ours, torch.cat([theirs.real, theirs.imag], dim=1), atol=1e-5, rtol=1e-5)
    spectrum = torch.randn(2, size // 2 + 1, count + 1, dtype=torch.complex64)
    back = ShortFourier(size, hop, CPU).inverse(torch.cat([spectrum.real, spectrum.imag], dim=1))
    torch.testing.assert_close(back, torch.istft(spectrum, size, hop, window=window), atol=1e-5, rtol=1e-5)


def test_overlapping_frames_are_summed_at_their_positions() -> None:
    frames = torch.tensor([[[1.0, 1, 1], [10, 10, 10], [100, 100, 100]]])
    assert overlap_add(frames, 2).tolist() == [[1, 1, 11, 10, 110, 100, 100, 0]]
