"""When a process gives memory back: an answer that is still being sent does not hide what is free after it."""

from __future__ import annotations

import ctypes
import time

import pytest

from chatterbox_worker import memory
from chatterbox_worker.memory import MemoryRelease, memory_released
from support.serving import wait_for

MB = 2**20


class Process:
    """Its memory: what it needs, and what it has freed and not given back."""

    def __init__(self) -> None:
        self.needed, self.freed, self.releases = 120 * MB, 0, 0

    def rss_bytes(self) -> int:
        return self.needed + self.freed

    def trim(self, _: int) -> None:
        self.freed, self.releases = 0, self.releases + 1


class Library:
    """The C library, as `return_freed` uses it."""

    def __init__(self, process: Process) -> None:
        self.malloc_trim = process.trim


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    process = Process()
    monkeypatch.setattr(memory, "rss_bytes", process.rss_bytes)
    monkeypatch.setattr(memory, "share_heaps", lambda _: None)
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library(process))
    return process


def test_an_answer_that_is_being_sent_is_not_the_process_s_own(process: Process) -> None:
    """Each release at a job's end finds the answer in memory; what is freed after the last one goes back as well."""
    release = MemoryRelease()
    for _ in range(20):
        process.needed, process.freed = 140 * MB, 60 * MB
        release()
        process.needed, process.freed = 120 * MB, 20 * MB
    release(is_quiet=True)
    assert process.rss_bytes() == 120 * MB


def test_memory_that_stays_is_accepted_in_a_quiet_moment(process: Process) -> None:
    release = MemoryRelease()
    process.needed = 200 * MB
    release()
    release(is_quiet=True)
    for _ in range(10):
        release()
    assert process.releases == 2


def test_little_is_not_worth_a_release(process: Process) -> None:
    release = MemoryRelease()
    process.freed = 8 * MB
    release()
    assert process.releases == 0


def test_the_level_falls_at_once(process: Process) -> None:
    release = MemoryRelease()
    process.needed = 60 * MB
    release()
    process.freed = 40 * MB
    release()
    assert process.releases == 1


def test_a_server_gives_it_back_when_no_request_is_inside(process: Process) -> None:
    inside = 1
    with memory_released(lambda: inside == 0, heaps=2, every_s=0.01):
        process.needed, process.freed = 140 * MB, 60 * MB
        time.sleep(0.1)
        assert process.releases == 0
        inside = 0
        wait_for(lambda: process.rss_bytes() == 140 * MB)
    releases = process.releases
    process.freed = 60 * MB
    time.sleep(0.05)
    assert process.releases == releases
