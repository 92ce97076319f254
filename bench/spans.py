"""Run the worker and write down when its parts ran, until it first asks for a job: `python -m bench.spans FILE`.

A part is the import of a package or a call of one of the functions below. The worker's own code is not changed: modules
are wrapped as they are imported. FILE gets JSON: `{"started_at": ..., "took_at": ..., "spans": [[label, thread, start,
end], ...]}`, in seconds since the machine started.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import json
import runpy
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGES = (
    "torch", "runpod", "numpy", "pydantic", "av", "soundfile", "soxr", "tokenizers", "safetensors", "huggingface_hub",
)  # fmt: skip
_FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "cpuinfo": {"get_cpu_info": "py-cpuinfo's child"},
    "chatterbox_worker.engines.chatterbox.pack": {"add_draft": "draft of T3", "load_modules": "T3 and S3Gen"},
    "chatterbox_worker.serverless.loop": {"start": "imports and models"},
    "chatterbox_worker.engines.chatterbox.checkpoint.read_ahead": {"_read": "read ahead"},
    "chatterbox_worker.wiring": {"_engine": "engine"},
    "chatterbox_worker.serverless.fitness": {"prove_speech": "models speak"},
}
_spans: list[tuple[str, str, float, float]] = []


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _process_start_s() -> float:
    """When the kernel started this process, to 10 ms (field 22 of /proc/self/stat, in ticks of 1/100 s)."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / 100


def _timed(label: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started_s = _now_s()
        try:
            return work(*args, **kwargs)
        finally:
            subject = f" {args[0]}" if args and isinstance(args[0], str) else ""
            _spans.append((label + subject, threading.current_thread().name, started_s, _now_s()))

    return timed


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any, name: str) -> None:
        self._loader, self._name = loader, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        run = self._loader.exec_module
        (_timed(f"import {self._name}", run) if self._name in _PACKAGES else run)(module)
        for function, label in _FUNCTIONS.get(self._name, {}).items():
            setattr(module, function, _timed(label, getattr(module, function)))


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _PACKAGES and name not in _FUNCTIONS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, name)
        return spec


def main(file: str) -> None:
    started_s = _process_start_s()
    _spans.append(("Python itself", "MainThread", started_s, _now_s()))
    sys.meta_path.insert(0, _Finder())
    from chatterbox_worker.serverless.shutdown import Shutdown  # noqa: PLC0415 - what the SDK asks before each take

    ask = Shutdown.concurrency

    def note(self: Shutdown, current: int) -> int:
        took_s, spans = _now_s(), list(_spans)
        Path(file).write_text(json.dumps({"started_at": started_s, "took_at": took_s, "spans": spans}))
        Shutdown.concurrency = ask  # type: ignore[method-assign]
        return ask(self, current)

    Shutdown.concurrency = note  # type: ignore[method-assign]
    runpy.run_path("handler.py", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
