"""Families of kernels against what runs without them, at the shapes of use; and what `proven.PROVEN` should have.

Every variant of a case is a graph, as in an engine; they take turns, and the least time of each counts. On a CPU all
variants are the plain path, so their times mean nothing there and no family can win.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.results import Results
from bench.gpu.run import Options
from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.engines.chatterbox.device.graphs import recorder_of
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.parts import Parts
from chatterbox_worker.engines.chatterbox.s3gen.flow import MEL_BANDS, FlowInputs
from chatterbox_worker.engines.chatterbox.s3gen.flow_encoder import FRAMES_PER_TOKEN
from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators
from chatterbox_worker.engines.chatterbox.s3gen.vocoder import HARMONICS, SAMPLES_PER_FRAME
from chatterbox_worker.engines.chatterbox.watermark.perth import Watermark

PART = "candidates"
_TAKES = {"full": (1, 2, 4, 8, 16, 32), "tiny": (1, 8)}
_FLOW_ROWS = {"full": (1, 2, 4, 8), "tiny": (2,)}
_POSITIONS = {"full": 512, "tiny": 64}  # of a step's context, three quarters of them filled
_FLOW_TOKENS = {"full": 448, "tiny": 16}  # 5 s and a prompt of 10 s, in their bucket
_SPOKEN_TOKENS = {"full": 128, "tiny": 8}
_TURNS, _REPLAYS = {"full": 7, "tiny": 1}, {"cuda": 10}
_SHARE = 0.97
"""Of the time without it that a family takes at most on average; in no case it takes as much more. Less is chance."""
_LEAST_SNR_DB = 20.0
"""Between results: other roundings leave 25 dB (T3's logits, 30 layers of bfloat16) and more, an error about 0."""
_STEPS = {8: Family.STEP_OF_8, 16: Family.STEP_OF_16}


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


@torch.inference_mode()
def _step(options: Options, model: str, takes: int) -> dict[str, Any]:
    """Transformer and head, with a cache of random keys and values."""
    t3, length = _loaded(options, model).t3, _POSITIONS[options.size]
    rows, random = takes * t3.rows, _random(t3.device)
    cache = t3.cache(rows, length)
    cache.copy_(random(1, *cache.shape[1:]))
    x, positions = random(rows, 1, t3.width).to(t3.dtype), torch.full((rows, 1), length * 3 // 4, device=t3.device)
    starts = t3.row_starts(cache)

    def run(kernels: frozenset[Family]) -> Tensor:
        t3.kernels = kernels
        return t3.logits(t3.forward(x, cache, positions, length, row_starts=starts)[:, 0])

    families = [Family.STEP, *([_STEPS[rows]] if rows in _STEPS else [])]
    try:
        return _compare(options, run, families) | {"rows": rows}
    finally:
        t3.kernels = frozenset()


@torch.inference_mode()
def _flow(options: Options, rows: int) -> dict[str, Any]:
    """The feed-forward's kernel also where there are too few frames for it, to show where that limit is."""
    s3gen, tokens = _loaded(options, models.MODELS[0]).s3gen, _FLOW_TOKENS[options.size]
    frames, random = FRAMES_PER_TOKEN * tokens, _random(s3gen.device)
    batch = FlowInputs(
        tokens=(torch.arange(rows * tokens, device=s3gen.device) * 7 % 6561).view(rows, tokens),
        prompt_mel=random(rows, frames, MEL_BANDS),
        embedding=random(rows, s3gen.flow.embedding_width),
        noise=random(rows, MEL_BANDS, frames),
        token_lengths=torch.full((rows,), tokens - 3, device=s3gen.device),
        frame_lengths=torch.full((rows,), frames - 6, device=s3gen.device),
    )

    def run(kernels: frozenset[Family]) -> Tensor:
        s3gen.use_kernels(kernels)
        return s3gen.flow(batch)

    with mock.patch.object(operators, "LEAST_FRAMES", 0):
        try:
            figures = _compare(options, run, [Family.SOUND, Family.FEED_FORWARD])
        finally:
            s3gen.use_kernels(frozenset())
    return figures | {"frames": 2 * rows * frames}


@torch.inference_mode()
def _vocoder(options: Options) -> dict[str, Any]:
    s3gen, frames = _loaded(options, models.MODELS[0]).s3gen, FRAMES_PER_TOKEN * _SPOKEN_TOKENS[options.size]
    random, count = _random(s3gen.device), torch.full((1,), frames - 1, device=s3gen.device)
    inputs = random(1, MEL_BANDS, frames), random(1, HARMONICS), random(1, HARMONICS, SAMPLES_PER_FRAME * frames)

    def run(kernels: frozenset[Family]) -> Tensor:
        s3gen.use_kernels(kernels)
        return s3gen.vocoder(*inputs, count)[0]

    try:
        return _compare(options, run, [Family.SOUND])
    finally:
        s3gen.use_kernels(frozenset())


def _watermark(options: Options) -> dict[str, Any]:
    """Of 5 s, with its work on the CPU; no family of kernels has a part in it."""
    device, seconds = models.device(options), 5.0 if options.size == "full" else 0.5
    samples = _random(torch.device("cpu"))(round(24_000 * seconds)).mul(0.1).numpy()
    mark = Watermark(device)
    times_s = []
    for _ in range(_TURNS[options.size] + 1):
        started_s = time.perf_counter()
        mark.mark(Audio(samples, 24_000))
        times_s.append(time.perf_counter() - started_s)
    return {"ms": round(1000 * min(times_s[1:]), 3), "first_ms": round(1000 * times_s[0], 3)}


def _random(device: torch.device) -> Callable[..., Tensor]:
    """Normal numbers, the same ones at every call of the case."""
    return functools.partial(torch.randn, generator=torch.Generator(device).manual_seed(1), device=device)


def _compare(
    options: Options, run: Callable[[frozenset[Family]], Tensor], families: Sequence[Family]
) -> dict[str, Any]:
    """Milliseconds without kernels and with each family added to those before it, and the results' distances in dB."""
    device = models.device(options)
    names = ["plain", *(family.name for family in families)]
    works = [_prepare(device, run, frozenset(families[:count])) for count in range(len(names))]
    least_ms, results = [float("inf")] * len(names), [result for _, result in works]
    for _ in range(_TURNS[options.size]):
        for index, (replay, _) in enumerate(works):
            least_ms[index] = min(least_ms[index], _milliseconds(device, replay))
    added = {}
    for index, family in enumerate(families, 1):
        ratio, snr_db = least_ms[index] / least_ms[index - 1], models.snr_db(results[0], results[index])
        right = snr_db >= _LEAST_SNR_DB and bool(results[index].isfinite().all())
        added[family.name] = {"ratio": round(ratio, 3), "snr_db": round(snr_db, 1), "right": right}
    return {"ms": {name: round(least, 4) for name, least in zip(names, least_ms, strict=True)}} | added


def _prepare(
    device: torch.device, run: Callable[[frozenset[Family]], Tensor], kernels: frozenset[Family]
) -> tuple[Callable[[], None], Tensor]:
    """Work that writes its result to a tensor, replayed by a graph if the device has graphs, and that tensor."""
    result = run(kernels).clone()

    def work() -> None:
        result.copy_(run(kernels))

    if (recorder := recorder_of(device, "sound")) is None:
        return work, result
    replay = recorder.record(work, lambda: None)
    result.zero_()
    replay()
    return replay, result


def _milliseconds(device: torch.device, replay: Callable[[], None]) -> float:
    """Of one replay, the mean of a few that follow each other."""
    count = _REPLAYS.get(device.type, 1)
    _wait(device)
    started_s = time.perf_counter()
    for _ in range(count):
        replay()
    _wait(device)
    return 1000 * (time.perf_counter() - started_s) / count


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _proven(options: Options, family: Family) -> dict[str, Any]:
    """What this GPU's measurements say of a family: in `proven.PROVEN` or not.

    A family is proven if it is right in all cases that were measured with it and faster (`_SHARE`). The feed-forward's
    are those with at least `operators.LEAST_FRAMES`.
    """
    device = models.device(options)
    means_something = device.type == "cuda" and options.size == "full"
    where = torch.cuda.get_device_capability(device) if device.type == "cuda" else "a CPU, so nothing can be proven"
    cases = [case.figures for case in Results(options.out / "results.jsonl").cases().values() if case.part == PART]
    return {"verdict": _verdict(_rows_of(family, cases), means_something=means_something), "capability": str(where)}


def _rows_of(family: Family, cases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What `_compare` found of a family in the cases that count for it."""
    is_limited = family is Family.FEED_FORWARD
    return [
        figures[family.name]
        for figures in cases
        if family.name in figures and not (is_limited and figures["frames"] < operators.LEAST_FRAMES)
    ]


def _verdict(rows: Sequence[Mapping[str, Any]], *, means_something: bool) -> str:
    ratios = [row["ratio"] for row in rows]
    if not rows or not means_something:
        return "not measured"
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    is_proven = all(row["right"] for row in rows) and mean <= _SHARE and max(ratios) <= 1 / _SHARE
    return f"{'proven' if is_proven else 'not proven'} ({mean:.2f} of the time)"
