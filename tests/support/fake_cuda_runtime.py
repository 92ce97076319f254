"""torch.cuda as torch 2.11 behaves around captures and streams, without a GPU; failures can be set at every point.

Beginning a capture registers the pool with the allocator before the stream captures; ending it raises before the
allocator is told (pytorch #180395); a graph's reset gives its pool back only if the capture got that far; a pool that
no graph uses any more must not be used again; `empty_cache` asserts that no capture is under way; waiting for the
device fails while a stream captures; streams come from a pool of 32 per priority, in turn.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch

POINTS = ["warm-up", "begin", "work", "end", "instantiate"]
_POOLED = 32


class FakeEvent:
    def __init__(self) -> None:
        self.synchronized = 0

    def synchronize(self) -> None:
        self.synchronized += 1


class FakeStream:
    created: ClassVar[Counter[int]] = Counter()

    def __init__(self, device: object = None, priority: int = 0, *, name: str = "") -> None:
        number = FakeStream.created[priority]
        FakeStream.created[priority] += 1
        self.priority, self.device = priority, device
        self.handle = name or f"{priority}/{number % _POOLED}"
        """Two streams with the same handle are one stream of the device."""
        self.waits: list[object] = []
        self.synchronized = 0

    @staticmethod
    def priority_range() -> tuple[int, int]:
        return 0, -5

    def wait_stream(self, other: FakeStream) -> None:
        self.waits.append(other.handle)

    def wait_event(self, event: object) -> None:
        self.waits.append(event)

    def record_event(self) -> FakeEvent:
        return FakeEvent()

    def synchronize(self) -> None:
        self.synchronized += 1


class FakeRuntime:
    """`install` replaces what `device/` uses of torch.cuda."""

    def __init__(self, fails_at: str | None = None, error: Exception | None = None) -> None:
        """`error` is raised at the point `fails_at`, until `fails_at` is set to None."""
        self.fails_at, self.error = fails_at, error or torch.AcceleratorError("CUDA error: operation not permitted")
        self.default = self.current = FakeStream(name="default")
        self.capturing: FakeStream | None = None
        self.allocating: list[tuple[int, int]] = []
        self.users: Counter[tuple[int, int]] = Counter()
        self.dropped: set[tuple[int, int]] = set()
        self.emptied = 0
        self.free, self.total, self.reserved, self.cached, self.fraction = 60, 100, 10, 0, 1.0
        self._pools = itertools.count(1)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime = self
        monkeypatch.setattr(FakeStream, "created", Counter())

        class Graph(FakeGraph):
            def __init__(self) -> None:
                super().__init__(runtime)

        cuda: dict[str, Any] = {
            "CUDAGraph": Graph,
            "Stream": FakeStream,
            "stream": self.stream,
            "current_stream": lambda _=None: self.current,
            "default_stream": lambda _=None: self.default,
            "device": lambda _: contextlib.nullcontext(),
            "set_device": lambda _: None,
            "synchronize": self.synchronize,
            "empty_cache": self.empty_cache,
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "is_current_stream_capturing": lambda: self.capturing is self.current,
            "graph_pool_handle": lambda: (0, next(self._pools)),
            "mem_get_info": lambda _=None: (self.free, self.total),
            "memory_reserved": lambda _=None: self.reserved,
            "memory_allocated": lambda _=None: self.reserved - self.cached,
            "get_per_process_memory_fraction": lambda _=None: self.fraction,
        }
        for name, value in cuda.items():
            monkeypatch.setattr(torch.cuda, name, value)
        for name, method in (("_cuda_endAllocateToPool", self.end_allocation), ("_cuda_releasePool", self.release)):
            monkeypatch.setattr(torch._C, name, method, raising=False)
        monkeypatch.setattr(torch._C, "_host_emptyCache", lambda: None, raising=False)

    def fail_at(self, point: str) -> None:
        if self.fails_at == point:
            raise self.error

    @contextlib.contextmanager
    def stream(self, stream: FakeStream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def synchronize(self, _: object = None) -> None:
        if self.capturing is not None:
            raise torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing")

    def empty_cache(self) -> None:
        if self.allocating:
            raise RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")
        self.emptied += 1

    def end_allocation(self, _: int, pool: tuple[int, int]) -> None:
        if pool not in self.allocating:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.allocating.remove(pool)

    def release(self, _: int, pool: tuple[int, int]) -> None:
        self.users[pool] -= 1
        assert self.users[pool] >= 0, "a pool was released more often than it was used"
        if not self.users[pool]:
            self.dropped.add(pool)


class FakeGraph:
    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime, self._has_ended, self.replays = runtime, False, 0
        self.pool: tuple[int, int] = (0, 0)

    def capture_begin(self, pool: tuple[int, int], capture_error_mode: str) -> None:
        assert capture_error_mode == "thread_local"
        runtime, self.pool = self._runtime, pool
        assert pool not in runtime.dropped, "use_count > 0 INTERNAL ASSERT FAILED"
        runtime.users[pool] += 1
        runtime.allocating.append(pool)
        runtime.fail_at("begin")
        runtime.capturing = runtime.current

    def capture_end(self) -> None:
        runtime = self._runtime
        if runtime.capturing is not runtime.current:
            raise torch.AcceleratorError("CUDA error: the operation cannot be performed in the present state")
        runtime.capturing = None
        runtime.fail_at("end")
        runtime.end_allocation(0, self.pool)
        self._has_ended = True
        runtime.fail_at("instantiate")

    def reset(self) -> None:
        if self._has_ended:
            self._has_ended = False
            self._runtime.release(0, self.pool)

    def replay(self) -> None:
        self.replays += 1
