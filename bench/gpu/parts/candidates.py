"""Families of kernels against what runs without them, at the shapes of use; and what `proven.PROVEN` should have.

`measured_kernels` compares them, here at more shapes and longer than at the start of an engine. On a CPU no family can
win.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import torch

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.results import Results
from bench.gpu.run import Options
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.measured_kernels import (
    Comparison,
    Gain,
    Shapes,
    compare_flow,
    compare_step,
    compare_vocoder,
    judge,
)
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark

PART = "candidates"
_TAKES = {"full": (1, 2, 4, 8, 16, 32), "tiny": (1, 8)}
_FLOW_ROWS = {"full": (1, 2, 4, 8), "tiny": (2,)}
_SHAPES = {
    "full": Shapes(turns=7, replays=10),
    "tiny": Shapes(positions=64, flow_tokens=16, spoken_tokens=8, turns=1, replays=1),
}


def cases(options: Options) -> Cases:
    for model in models.MODELS:
        for takes in _TAKES[options.size]:
            yield f"step {model} {takes} takes", functools.partial(_step, options, model, takes)
    for rows in _FLOW_ROWS[options.size]:
        yield f"flow {rows} rows", functools.partial(_flow, options, rows)
    yield "vocoder", functools.partial(_vocoder, options)
    yield "watermark", functools.partial(_watermark, options)
    for family in Family:
        yield f"proven {family.name}", functools.partial(_proven, options, family)


@functools.cache
def _loaded(options: Options, model: str) -> Parts:
    return models.parts(options, model, options.size, models.profiles(options)[1])


def _step(options: Options, model: str, takes: int) -> dict[str, Any]:
    t3 = _loaded(options, model).t3
    rows = takes * t3.rows
    return _figures(compare_step(t3, rows, _SHAPES[options.size])) | {"rows": rows}


def _flow(options: Options, rows: int) -> dict[str, Any]:
    """The feed-forward's kernel also where there are too few frames for it, to show where that limit is."""
    s3gen, shapes = _loaded(options, models.MODELS[0]).s3gen, _SHAPES[options.size]
    with mock.patch.object(operators, "LEAST_FRAMES", 0):
        found = compare_flow(s3gen, rows, shapes, [Family.SOUND, Family.FEED_FORWARD])
    return _figures(found) | {"frames": 2 * rows * FRAMES_PER_TOKEN * shapes.flow_tokens}


def _vocoder(options: Options) -> dict[str, Any]:
    return _figures(compare_vocoder(_loaded(options, models.MODELS[0]).s3gen, _SHAPES[options.size]))


def _watermark(options: Options) -> dict[str, Any]:
    """Of 5 s, with its work on the CPU; no family of kernels has a part in it."""
    device, seconds = models.device(options), 5.0 if options.size == "full" else 0.5
    samples = torch.randn(round(24_000 * seconds), generator=torch.Generator().manual_seed(1)).mul(0.1).numpy()
    mark = Watermark(device)
    times_s = []
    for _ in range(_SHAPES[options.size].turns + 1):
        started_s = time.perf_counter()
        mark.mark(Audio(samples, 24_000))
        times_s.append(time.perf_counter() - started_s)
    return {"ms": round(1000 * min(times_s[1:]), 3), "first_ms": round(1000 * times_s[0], 3)}


def _figures(found: Comparison) -> dict[str, Any]:
    gains = {
        family.name: {"ratio": round(gain.ratio, 3), "snr_db": round(gain.snr_db, 1), "right": gain.right}
        for family, gain in found.gains.items()
    }
    return {"ms": {name: round(least, 4) for name, least in found.milliseconds.items()}} | gains


def _proven(options: Options, family: Family) -> dict[str, Any]:
    """What this GPU's measurements say of a family: in `proven.PROVEN` or not. See `measured_kernels.judge`."""
    device = models.device(options)
    means_something = device.type == "cuda" and options.size == "full"
    where = torch.cuda.get_device_capability(device) if device.type == "cuda" else "a CPU, so nothing can be proven"
    cases = [case.figures for case in Results(options.out / "results.jsonl").cases().values() if case.part == PART]
    return {"verdict": _verdict(_gains_of(family, cases), means_something=means_something), "capability": str(where)}


def _gains_of(family: Family, cases: Sequence[Mapping[str, Any]]) -> list[Gain]:
    """What a family brought in the cases that count for it: the feed-forward's have `operators.LEAST_FRAMES`."""
    is_limited = family is Family.FEED_FORWARD
    return [
        Gain(**figures[family.name])
        for figures in cases
        if family.name in figures and not (is_limited and figures["frames"] < operators.LEAST_FRAMES)
    ]


def _verdict(gains: Sequence[Gain], *, means_something: bool) -> str:
    if not gains or not means_something:
        return "not measured"
    verdict = judge(gains)
    return f"{'proven' if verdict.proven else 'not proven'} ({verdict.mean:.2f} of the time)"
