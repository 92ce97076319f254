"""One request of 5 s: ours, the most expensive kernels, upstream in the same process, and two switches."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bench.gpu import models
from bench.gpu.cases import Cases
from bench.gpu.run import Options
from bench.ours import Ours, sampling_of
from bench.upstream import Upstream
from chatterbox_worker.engines.chatterbox.parts import Parts

_TOKENS = {"full": 125, "tiny": 25}
_REPEAT = {"full": 5, "tiny": 1}
_SHOWN = 20
_TINY_LAYERS = 2


def cases(options: Options) -> Cases:
    for work in (_ours, _without_kernels, _kernels, _exact, _upstream, _cudnn_attention, _without_graphs):
        for model in models.MODELS:
            yield f"{work.__name__.strip('_').replace('_', ' ')} {model}", functools.partial(work, options, model)


def _ours(options: Options, model: str) -> dict[str, Any]:
    return _measure(models.served(options, model))


def _exact(options: Options, model: str) -> dict[str, Any]:
    return _measure(models.parts(options, model, options.size, "exact"))


def _without_graphs(options: Options, model: str) -> dict[str, Any]:
    models.need_gpu(options)
    return _measure(models.served(options, model), graphs=False)


def _cudnn_attention(options: Options, model: str) -> dict[str, Any]:
    models.need_gpu(options)
    with _cudnn_enabled():
        return _measure(models.served(options, model))


def _without_kernels(options: Options, model: str) -> dict[str, Any]:
    """With CHATTERBOX_KERNELS=off."""
    models.need_gpu(options)
    return _measure(models.parts(options, model, options.size, models.profiles(options)[1]))


def _upstream(options: Options, model: str) -> dict[str, Any]:
    """Upstream's modules in float32 with HEAD's loops; the watermark is left out of its total if perth is missing."""
    sampling, emotion = sampling_of(model)
    tokens = _TOKENS[options.size]
    upstream = Upstream(models.checkpoint(options, model, options.size), models.device(options), options.size)
    turns = [
        upstream.speak(models.TEXT, sampling, emotion, tokens=tokens, seed=turn)
        for turn in range(min(_REPEAT[options.size], 2) + 1)
    ]
    return _least(turns[1:])


def _measure(loaded: Parts, *, graphs: bool = True) -> dict[str, Any]:
    """Seconds of each stage, and to the first sound of a stream: the least of the turns after the first."""
    size = "full" if loaded.t3.layers > _TINY_LAYERS else "tiny"
    with Ours(loaded, tokens=_TOKENS[size], graphs=graphs, all_graphs=False) as engine:
        engine.stop_captures()
        turns = [engine.speak(models.TEXT, seed=turn) for turn in range(_REPEAT[size] + 1)]
        streams = [engine.first_audio(models.TEXT, seed=turn)["first_s"] for turn in range(_REPEAT[size] + 1)]
    return {**_least(turns[1:]), "first_s": round(min(streams[1:]), 5), "profile": loaded.t3.precision.value}


def _kernels(options: Options, model: str) -> dict[str, Any]:
    """The operations that took most of the device's own time in one request."""
    device = models.device(options)
    on_gpu = device.type == "cuda"
    with Ours(models.served(options, model), tokens=_TOKENS[options.size], all_graphs=False) as engine:
        engine.stop_captures()  # the profiler waits for the whole device, which would end a capture
        engine.speak(models.TEXT, seed=0)
        kind = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
        threads = torch._C._profiler._ExperimentalConfig(profile_all_threads=True)  # the engine's own
        with profile(activities=[kind], experimental_config=threads) as trace:
            engine.speak(models.TEXT, seed=1)
    field = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    rows = sorted(trace.key_averages(), key=lambda row: -getattr(row, field))[:_SHOWN]
    return {"kernels": [[row.key[:100], row.count, round(getattr(row, field) / 1000, 3)] for row in rows], "unit": "ms"}


def _least(turns: list[dict[str, float]]) -> dict[str, float]:
    return {stage: round(min(turn[stage] for turn in turns), 5) for stage in turns[0]}


@contextlib.contextmanager
def _cudnn_enabled() -> Iterator[None]:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(True)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
