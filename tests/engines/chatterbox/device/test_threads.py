"""Threads that have computed and are idle must not keep others from spinning while they wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from chatterbox_worker.engines.chatterbox.device.threads import release_threads

TASKS = Path("/proc/self/task")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


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
