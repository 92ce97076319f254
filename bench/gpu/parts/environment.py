"""The machine, which attention kernels torch takes there, and whether every kind of graph can be captured."""

from __future__ import annotations

import functools
import platform
import subprocess
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from bench.gpu import models
from bench.gpu.cases import Cases, Skipped
from bench.gpu.run import Options
from bench.ours import graphs_equal_eager

_SHAPES = {
    "t3_step": ((2, 16, 1, 64), (2, 16, 512, 64)),
    "t3_text": ((2, 16, 64, 64), (2, 16, 128, 64)),
    "flow": ((2, 8, 896, 64), (2, 8, 896, 64)),
}
"""(rows, heads, positions, width) of queries and of keys, at full size."""


def cases(options: Options) -> Cases:
    yield "machine", functools.partial(_machine, options)
    dtypes = (torch.bfloat16, torch.float16, torch.float32)
    for dtype in dtypes if models.device(options).type == "cuda" else dtypes[2:]:
        for name in _SHAPES:
            label = str(dtype).removeprefix("torch.")
            yield f"attention {name} {label}", functools.partial(_attention, options, name, dtype)
    for model in models.MODELS:
        yield f"graphs {model}", functools.partial(_graphs, options, model)
    yield "after a failed capture", functools.partial(_failed_capture, options)


def _machine(options: Options) -> dict[str, Any]:
    device = models.device(options)
    figures: dict[str, Any] = {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }
    if device.type != "cuda":
        return figures | {"name": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    properties = torch.cuda.get_device_properties(device)
    query = ["nvidia-smi", "--query-gpu=driver_version,clocks.sm,clocks.mem,power.limit", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        driver = str(error)
    return figures | {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_gb": round(properties.total_memory / 1e9, 1),
        "driver, clocks, power": driver,
    }


def _attention(options: Options, name: str, dtype: torch.dtype) -> dict[str, Any]:
    """The operator and, on a GPU, the kernels of one masked attention."""
    device = models.device(options)
    queries, keys = (torch.randn(shape, device=device, dtype=dtype) for shape in _SHAPES[name])
    mask = torch.ones(queries.shape[0], 1, 1, keys.shape[2], device=device, dtype=torch.bool)
    mask[..., -3:] = False

    def attend() -> None:
        scaled_dot_product_attention(queries, keys, keys, attn_mask=mask)

    attend()
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with torch.inference_mode(), profile(activities=kinds) as trace:
        attend()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    events = trace.events() or []
    on_gpu = {event.name for event in events if event.device_type == torch.autograd.DeviceType.CUDA}
    operators = [event.name for event in events if event.name.startswith("aten::_scaled_dot_product")]
    return {"operator": operators[-1] if operators else "", "kernels": sorted(name[:80] for name in on_gpu)}


def _graphs(options: Options, model: str) -> dict[str, Any]:
    """One graph of every family on tiny weights; whether its bits are those without a graph."""
    models.need_gpu(options)
    loaded = models.parts(options, model, "tiny", "exact")
    return {"equal": graphs_equal_eager(loaded, models.TEXT)}


def _failed_capture(options: Options) -> dict[str, Any]:
    """A capture that waits for the device must fail; afterwards memory can be freed and the next one works."""
    device = models.device(options)
    if device.type != "cuda":
        raise Skipped("graphs need a GPU")
    from chatterbox_worker.engines.chatterbox.device.failures import free_memory  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.device.graphs import recorder_of  # noqa: PLC0415

    recorder, value = recorder_of(device, "sound"), torch.zeros(1, device=device)
    if recorder is None:
        raise Skipped("this device has no graphs")
    failure = ""
    try:
        recorder.record(lambda: value.add_(float(value.sum())), lambda: None)  # type: ignore[func-returns-value]
    except Exception as error:  # noqa: BLE001 - which one it is, is the result
        failure = type(error).__name__
    free_memory()

    def fill() -> None:
        value.fill_(3.0)

    usable = recorder.is_usable()
    replay = recorder.record(fill, lambda: None)
    value.zero_()
    replay()
    return {"failure": failure, "usable": usable, "captures_again": float(value) == 3.0}
