"""Process start to ready, twice; the memory of all graphs; ten minutes of text."""

from __future__ import annotations

import functools
from typing import Any

import torch

from bench import ready
from bench.gpu import models
from bench.gpu.cases import Cases, Skipped
from bench.gpu.run import Options
from bench.ours import Ours

_MODEL = "multilingual"
_MINUTES = {"full": 10.0, "tiny": 0.1}
_CHUNK_TOKENS = {"full": 250, "tiny": 25}


def cases(options: Options) -> Cases:
    for turn in (1, 2) if models.device(options).type == "cuda" else (1,):
        yield f"start {turn}", functools.partial(_boot, options)
    yield "long text", functools.partial(_long_text, options)
    yield "memory of all graphs", functools.partial(_graph_memory, options)


def _boot(options: Options) -> dict[str, Any]:
    found = models.checkpoint(options, _MODEL, options.size)
    return ready.measure(
        "ours",
        model=_MODEL,
        folder=found.folder,
        profile=models.profiles(options)[1],
        device=str(models.device(options)),
        size=options.size,
    )


def _long_text(options: Options) -> dict[str, Any]:
    tokens = _CHUNK_TOKENS[options.size]
    chunks = round(_MINUTES[options.size] * 60 * 25 / tokens)
    loaded = models.parts(options, _MODEL, options.size, models.profiles(options)[1])
    with Ours(loaded, tokens=tokens, all_graphs=False) as engine:
        figures = engine.speak_all([models.TEXT] * chunks)
    return figures | {"chunks": chunks, "times_realtime": figures["audio_s"] / figures["wall_s"]}


def _graph_memory(options: Options) -> dict[str, Any]:
    device = models.device(options)
    if device.type != "cuda":
        raise Skipped("graphs need a GPU")
    loaded = models.parts(options, _MODEL, options.size, models.profiles(options)[1])
    before = torch.cuda.memory_reserved(device)
    with Ours(loaded, tokens=_CHUNK_TOKENS[options.size]):
        after = torch.cuda.memory_reserved(device)
    return {"weights_gb": before / 1e9, "graphs_and_slots_gb": (after - before) / 1e9}
