"""What a renderer is given: random tokens in a tiny model's own voice."""

from __future__ import annotations

import torch

from chatterbox_worker.engines.chatterbox.serving.render import RenderJob, Stream
from chatterbox_worker.engines.chatterbox.serving.take import ChatterboxTake
from support.tiny_engine import prompt, say


def job(
    tokens: int,
    *,
    model: str = "turbo",
    seed: int = 0,
    turn: int = 0,
    stream: Stream | None = None,
    hop: int = 0,
    last: bool = True,
) -> RenderJob:
    take = ChatterboxTake(say(model, seed=seed, turn=turn), lambda: None)
    codes = torch.randint(0, 6561, (tokens,), generator=torch.Generator().manual_seed(seed)).tolist()
    return RenderJob(take, prompt(model), codes, last, stream, hop)
