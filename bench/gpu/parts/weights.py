"""Checkpoints of the size that the other parts use; their tensors are drawn on the device."""

from __future__ import annotations

import functools
from typing import Any

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options


def cases(options: Options) -> Cases:
    for model in models.MODELS:
        yield model, functools.partial(_write, options, model)


def _write(options: Options, model: str) -> dict[str, Any]:
    folder = models.checkpoint(options, model, options.size).folder
    return {"gigabytes": round(sum(path.stat().st_size for path in folder.iterdir()) / 1e9, 3)}
