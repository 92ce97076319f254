"""A tiny T3 of upstream's to be trained in the tests, and clips of random tokens to train it on."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, START_TEXT, STOP_TEXT
from chatterbox_worker.engines.chatterbox.training.corpus import Corpus, TrainingClip
from chatterbox_worker.engines.chatterbox.training.module import Shape, add_adapter, upstream_t3
from chatterbox_worker.engines.chatterbox.training.sampler import Batching
from chatterbox_worker.engines.chatterbox.training.trainer import Arithmetic, Recipe, Trainer
from support.checkpoints import checkpoint

CPU = torch.device("cpu")
SHAPE = Shape(rank=4, alpha=8.0)


@cache
def weights(model: str) -> dict[str, Tensor]:
    """Shared: do not change them."""
    state: dict[str, Tensor] = load_file(checkpoint(model) / LAYOUTS[model].t3)
    return state


def module_of(model: str) -> Any:
    return upstream_t3(LAYOUTS[model], {name: value.clone() for name, value in weights(model).items()}).eval()


def clip(number: int, *, model: str = "english", person: str = "ann", text: int = 12, speech: int = 30) -> TrainingClip:
    """A random clip, always the same for a number. Its speech repeats three codes, which can be learnt."""
    generator = torch.Generator().manual_seed(number)
    ids = torch.randint(1, 200, (text,), generator=generator)
    if not LAYOUTS[model].is_gpt:
        ids = torch.cat([torch.tensor([START_TEXT]), ids, torch.tensor([STOP_TEXT])])
    speaker = torch.rand(256, generator=generator)
    return TrainingClip(
        id=f"clip-{number}",
        digest=f"{number:064x}",
        person=person,
        text=ids,
        speech=torch.tensor([11, 22, 33]).repeat(-(-speech // 3))[:speech],
        prompt=torch.randint(0, 6561, (20 + number,), generator=generator),
        speaker=speaker / speaker.norm(),
        duration_s=speech / 25,
        peak=0.5,
    )


def corpus_of(count: int = 10, held_out: int = 2, *, model: str = "english") -> Corpus:
    clips = [clip(number, model=model, text=8 + number % 4, speech=18 + 3 * (number % 5)) for number in range(count)]
    return Corpus(clips[held_out:], clips[:held_out], seed=0)


def recipe(**changed: Any) -> Recipe:
    values: dict[str, Any] = {
        "steps": 8,
        "batching": Batching(size=2, accumulate=2, seed=0),
        "learning_rate": 3e-3,
        "text_weight": 0.1,
        "evaluate_every": 2,
        "patience": 0,
        "arithmetic": Arithmetic.FP32,
        "recompute": False,
        "seed": 0,
    }
    return Recipe(**values | changed)


def trainer_of(model: str = "english", corpus: Corpus | None = None, shape: Shape = SHAPE, **changed: Any) -> Trainer:
    module = add_adapter(module_of(model), LAYOUTS[model], shape, seed=0)
    return Trainer(module, corpus or corpus_of(model=model), recipe(**changed), CPU)
