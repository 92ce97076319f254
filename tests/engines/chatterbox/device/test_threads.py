"""Threads that have computed and are idle must not keep others from spinning while they wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines.chatterbox.device import threads
from chatterbox_worker.engines.chatterbox.device.cpu_features import cpu_features
from chatterbox_worker.engines.chatterbox.device.threads import allowed_cores, release_threads, use_threads

TASKS = Path("/proc/self/task")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_as_many_threads_are_used_as_are_wanted_or_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "allowed_cores", lambda: 3)
    for wanted, used in ((1, 1), (0, 3), (2, 2), (2, 2)):
        assert use_threads(wanted) == used == torch.get_num_threads()


def test_the_first_cores_flags_are_the_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "processor\t: 0\nflags\t\t: fpu avx2\nprocessor\t: 1\nflags\t\t: fpu\n"
    monkeypatch.setattr(Path, "read_text", lambda _: lines)
    assert cpu_features() == {"fpu", "avx2"}
    monkeypatch.setattr(Path, "read_text", lambda _: "model name: one of another kind\n")
    assert cpu_features() == frozenset()


def thread_count() -> int:
    return len(list(TASKS.iterdir()))


@pytest.mark.skipif(not TASKS.is_dir(), reason="counts threads as Linux shows them")
def test_a_released_thread_has_no_helpers_and_gets_them_back_when_it_computes() -> None:
    seen: list[int] = []

    def compute() -> None:
        x = torch.randn(300_000)
        for _ in range(2):
            (x * x).sum()
            seen.append(thread_count())
            release_threads()
            seen.append(thread_count())

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    busy, idle, busy_again, idle_again = seen
    assert idle < busy
    assert (busy_again, idle_again) == (busy, idle)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "0 100000\n"}, 1),
        ({"cpu.max": "999900000 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu.max": "nonsense\n"}, None),
    ],
)
def test_a_container_s_quota_limits_the_threads(files: dict[str, str], cores: int | None, tmp_path: Path) -> None:
    unlimited = allowed_cores(tmp_path / "nowhere")
    if hasattr(os, "sched_getaffinity"):
        assert unlimited == len(os.sched_getaffinity(0))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert allowed_cores(tmp_path) == (unlimited if cores is None else cores)
