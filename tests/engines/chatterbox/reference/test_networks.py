"""The three networks against upstream's classes with the same weights, on real speech where it is at hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chatterbox_worker.audio.clip import Samples
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import StateDict
from chatterbox_worker.engines.chatterbox.reference.speech_tokenizer import SpeechTokenizer
from chatterbox_worker.engines.chatterbox.reference.voice_encoder import VoiceEncoder
from chatterbox_worker.engines.chatterbox.reference.x_vector import XVector
from support.checkpoints import checkpoint
from support.recordings import REAL, buzz, real, real_speech
from support.upstream_parts import fill, upstream_part, upstream_tokenizer, upstream_x_vector

CPU = torch.device("cpu")
PEOPLE = ("1688", "1998", "2033", "2609", "3005", "3080", "3331", "367")
TIE = 1e-4
"""How far from halfway between two digits a number must be for both sides to round it alike."""


def state(part: str) -> dict[str, Tensor]:
    found = find(LAYOUTS["turbo"], weights_dir=checkpoint("turbo"), offline=True)
    return {name.removeprefix(part): value for name, value in load_s3gen_state(found, part).items()}


def on_cpu(tensors: dict[str, Tensor]) -> StateDict:
    return StateDict(tensors, CPU, torch.float32)


@cache
def tokenizers() -> tuple[SpeechTokenizer, Any]:
    torch.set_num_threads(1)
    tensors = state("tokenizer.")
    return SpeechTokenizer(on_cpu(tensors)), upstream_tokenizer(tensors)


def speech(duration_s: float, person: str = "1688") -> Samples:
    return real_speech(person, duration_s).samples if REAL.exists() else buzz(duration_s, 16_000).samples


def numbers(mel: Tensor) -> tuple[Tensor, Tensor]:
    """What both tokenizers round."""
    ours, theirs = tokenizers()
    hidden, _ = theirs.encoder(mel, torch.tensor([mel.shape[2]]))
    down = theirs.quantizer._codebook.project_down(hidden).tanh() * 0.9990000128746033
    return ours.encode(mel), down


@pytest.mark.parametrize("person", PEOPLE)
@torch.inference_mode()
def test_the_tokens_of_speech_are_upstreams(person: str) -> None:
    ours, theirs = tokenizers()
    wave = torch.from_numpy(speech(5.0, person))[None]
    codes, _ = theirs([wave[0]])
    mel = ours.log_mel(wave)
    torch.testing.assert_close(mel, theirs.log_mel_spectrogram(wave), rtol=0, atol=1e-5)
    before, expected = numbers(mel)
    torch.testing.assert_close(before, expected, rtol=0, atol=1e-5)
    is_tie = ((expected.abs() - 0.5).abs() < TIE).any(dim=2)
    tokens = ours(wave)
    assert tokens.dtype is torch.int64
    assert len(set(tokens[0].tolist())) > 10
    assert torch.equal(tokens[~is_tie], codes[~is_tie])
    assert is_tie.float().mean() < 0.02


@pytest.mark.parametrize("duration_s", [0.5, 1.013, 30.0, 30.02, 33.0, 52.5])
@torch.inference_mode()
def test_a_recording_of_any_length_has_upstreams_tokens(duration_s: float) -> None:
    ours, theirs = tokenizers()
    wave = torch.from_numpy(speech(duration_s))[None]
    codes, _ = theirs([wave[0]])
    tokens = ours(wave)
    assert tokens.shape == codes.shape
    assert (tokens != codes).float().mean() < 0.005, "equal but for ties"


@torch.inference_mode()
def test_a_limit_is_that_of_upstream() -> None:
    ours, theirs = tokenizers()
    wave = torch.from_numpy(speech(3.0))[None]
    codes, _ = theirs.forward([wave[0]], max_len=20)
    assert torch.equal(ours(wave, 20), codes)


@pytest.mark.parametrize("duration_s", [0.5, 2.01, 10.0])
@torch.inference_mode()
def test_the_x_vector_is_upstreams(duration_s: float) -> None:
    torch.set_num_threads(1)
    tensors = state("speaker_encoder.")
    wave = torch.from_numpy(speech(duration_s))[None]
    theirs = upstream_x_vector(tensors).inference(wave)
    torch.testing.assert_close(XVector(on_cpu(tensors))(wave), theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())


def voice_encoders(path: Path) -> tuple[VoiceEncoder, Any]:
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    tensors = load_file(path)
    return VoiceEncoder(on_cpu(tensors)), fill(upstream_part("voice_encoder/__init__.py").VoiceEncoder(), tensors)


@pytest.mark.parametrize("duration_s", [0.5, 1.6, 2.0, 2.4, 10.0])
@torch.inference_mode()
def test_the_speaker_is_upstreams(duration_s: float) -> None:
    ours, theirs = voice_encoders(checkpoint("turbo") / "ve.safetensors")
    wave = speech(duration_s)
    expected = theirs.embeds_from_wavs([wave], sample_rate=16_000)
    np.testing.assert_allclose(ours(wave).numpy(), expected, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_trained_weights_give_upstreams_speakers_and_tell_people_apart() -> None:
    ours, theirs = voice_encoders(real("ear/ve.safetensors"))
    halves = [np.array_split(real_speech(person, 12.0).samples, 2) for person in PEOPLE]
    embedded = torch.stack([torch.cat([ours(half) for half in pair]) for pair in halves])  # people, halves, 256
    expected = theirs.embeds_from_wavs([half for pair in halves for half in pair], sample_rate=16_000)
    np.testing.assert_allclose(embedded.flatten(0, 1).numpy(), expected, rtol=0, atol=1e-5)
    likeness = embedded[:, 0] @ embedded[:, 1].T
    assert torch.equal(likeness.argmax(dim=1), torch.arange(len(PEOPLE)))
