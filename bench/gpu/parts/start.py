"""Process start to ready, twice; forty minutes of text with all graphs, and their memory."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import Any

import torch

from bench import ready
from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options
from bench.ours import Ours
from chatterbox_worker.config import environment
from chatterbox_worker.engines.chatterbox.checkpoint.layout import TOKEN_RATE
from chatterbox_worker.engines.chatterbox.kernels.compiled import shared_folder

_MODEL, _LONG = "multilingual", "turbo"
_MINUTES = {"full": 40.0, "tiny": 0.1}
_CHUNK_TOKENS = {"full": 250, "tiny": 25}


def cases(options: Options) -> Cases:
    if models.device(options).type == "cuda":
        yield "prepared as in an image", functools.partial(_prepare, options)
    for turn in (1, 2) if models.device(options).type == "cuda" else (1,):
        yield f"start {turn}", functools.partial(_boot, options)
    yield f"long text {_LONG}", functools.partial(_long_text, options, _LONG)


def _prepare(options: Options) -> dict[str, Any]:
    """The pack, and the compiled kernels."""
    folder = models.checkpoint(options, _MODEL, options.size).folder
    command = [sys.executable, "-m", "chatterbox_worker.engines.chatterbox.pack", _MODEL]
    command += ["--profile", models.profiles(options)[1], "--device", "cuda"]
    subprocess.run(command, env=environment() | {"CHATTERBOX_WEIGHTS_DIR": str(folder)}, check=True)
    kernels = list(shared_folder(folder).iterdir())
    return {"compiled": len(kernels), "megabytes": sum(path.stat().st_size for path in kernels) / 1e6}


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


def _long_text(options: Options, model: str) -> dict[str, Any]:
    """With all graphs, whose memory is reported."""
    tokens, device = _CHUNK_TOKENS[options.size], models.device(options)
    chunks = round(_MINUTES[options.size] * 60 * TOKEN_RATE / tokens)
    loaded = models.served(options, model)
    weights = _reserved(device)
    with Ours(loaded, tokens=tokens) as engine:
        graphs = _reserved(device) - weights
        figures = engine.speak_all([models.TEXT] * chunks)
    memory = {"weights_gb": weights / 1e9, "graphs_and_slots_gb": graphs / 1e9} if device.type == "cuda" else {}
    return {**figures, "chunks": chunks, "times_realtime": figures["audio_s"] / figures["wall_s"], **memory}


def _reserved(device: torch.device) -> int:
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else 0
