"""Tiny Chatterbox engines on the CPU, and their parts, for tests that need a real engine but not its size."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chatterbox_worker.audio.clip import Audio, Samples
from chatterbox_worker.catalogue import MODELS
from chatterbox_worker.engine import DEFAULT_VOICE, Utterance, Voice
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_s3gen_state, load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint, find
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.reference.conditioning import Conditioning, load_default_conditionals
from chatterbox_worker.engines.chatterbox.reference.encoders import ReferenceEncoders
from chatterbox_worker.engines.chatterbox.s3gen.flow import Prompt
from chatterbox_worker.engines.chatterbox.s3gen.model import RenderRow, S3Gen
from chatterbox_worker.engines.chatterbox.s3gen.noise import SeededNoise
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from chatterbox_worker.engines.chatterbox.serving.voices import EncodedVoice
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.text.tokenizer import load_tokenizer
from chatterbox_worker.voices.conditioning import ConditioningStore
from support.checkpoints import checkpoint
from support.fake_cuda import FakeRecorder

CPU = torch.device("cpu")


class Unmarked:
    """In the watermark's place, to compare sound without one."""

    def mark(self, audio: Audio) -> Audio:
        return audio


@cache
def found(model: str) -> Checkpoint:
    return find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)


@cache
def parts(model: str) -> Parts:
    """Shared: do not change them."""
    tiny = found(model)
    return Parts(
        layout=tiny.layout,
        t3=T3(load_t3_state(tiny), precision=Precision.EXACT, device=CPU),
        s3gen=S3Gen.from_state(load_s3gen_state(tiny, "flow.", "mel2wav."), device=CPU),
        tokenizer=load_tokenizer(tiny),
        default_voice=load_default_conditionals(tiny),
        encoders=ReferenceEncoders(tiny),
        watermark=Unmarked(),
    )


def tiny_engine(
    model: str,
    folder: Path,
    *,
    watermark: Any = None,
    slots: int = 2,
    max_tokens: int = 30,
    adapters: int = 0,
    aligned_heads: tuple[tuple[int, int], ...] | None = None,
) -> ChatterboxEngine:
    """With the shared parts; its takes end after `max_tokens`, because random weights do not stop by themselves."""
    shared = parts(model)
    heads = shared.layout.aligned_heads if aligned_heads is None else aligned_heads
    layout = dataclasses.replace(shared.layout, aligned_heads=heads)
    return ChatterboxEngine(
        dataclasses.replace(shared, layout=layout, watermark=watermark or shared.watermark),
        "tiny",
        ConditioningStore(folder, 10**7),
        slots=slots,
        max_tokens=max_tokens,
        checkpoint=found(model),
        adapters=adapters,
    )


def say(
    model: str,
    text: str = "Hello there, my friend.",
    *,
    seed: int = 1,
    voice: Voice = DEFAULT_VOICE,
    streaming: bool = False,
    turn: int = 0,
) -> Utterance:
    return Utterance(text, "en", voice, MODELS[model].sampling, seed, streaming, turn)


def own_voice(model: str) -> Conditioning:
    voice = parts(model).default_voice
    assert voice is not None
    return voice


def prompt(model: str) -> Prompt:
    voice = own_voice(model)
    return Prompt(voice.prompt_token[0], voice.prompt_feat[0], voice.embedding[0])


def graphed_s3gen(model: str, recorder: FakeRecorder | None, buckets: tuple[int, ...] = (32, 64)) -> S3Gen:
    """The tiny S3Gen whose graphs this recorder captures; None for no graphs."""
    own = parts(model).s3gen
    s3gen = S3Gen(own.flow, own.vocoder, CPU, buckets=buckets)
    for graphs in (s3gen.flow_graphs._graphs, s3gen.vocoder_graphs._graphs, s3gen.vocoder_graphs._hop_graphs):
        graphs._recorder = recorder
    return s3gen


def render_rows(model: str, tokens: list[int]) -> list[RenderRow]:
    """Rows of so many random tokens each, in the model's own voice, with seeds 0, 1, ..."""
    rows = []
    for seed, count in enumerate(tokens):
        codes = torch.randint(0, 6561, (count,), generator=torch.Generator().manual_seed(seed))
        rows.append(RenderRow(codes, prompt(model), SeededNoise(seed, CPU).whole(prompt(model), count)))
    return rows


def encoded_voice(model: str) -> Future[EncodedVoice]:
    """The model's own voice, already encoded."""
    tiny = parts(model)
    future: Future[EncodedVoice] = Future()
    emotion = None if tiny.layout.is_gpt else 0.5
    voice = own_voice(model)
    prefix = tiny.t3.encode(voice.speaker_emb[0], voice.speech_tokens[0], emotion)
    future.set_result(EncodedVoice(prefix, prompt(model)))
    return future


def sound_of(take: ChatterboxTake) -> Samples:
    return np.concatenate([piece.samples for piece in take])
