"""A folder of files that can be computed again: which of them a sweep removes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from chatterbox_worker.stored_files import StoredFiles
from test_cache import settle

CONTENT = b"x" * 68  # 100 bytes with its digest


def files_in(folder: Path, *, max_bytes: int = 10**6, max_age_s: float = 3600) -> StoredFiles:
    return StoredFiles(folder, max_bytes=max_bytes, max_age_s=max_age_s, about="the files of a test")


def test_a_sweep_removes_what_is_too_old_and_then_the_least_recently_used(tmp_path: Path) -> None:
    files = files_in(tmp_path, max_bytes=1000, max_age_s=100)
    now = time.time()
    for index in range(20):
        files_in(tmp_path).write(f"k{index:02}", CONTENT)
        settle()
        os.utime(tmp_path / f"k{index:02}", (now - 50 + index, now - 50 + index))
    os.utime(tmp_path / "k19", (now - 200, now - 200))
    for name, age_s in ((".writing-dead", 7200), (".being-written", 200)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (now - age_s, now - age_s))

    files.sweep()

    left = [f"k{index:02}" for index in range(10, 19)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".being-written", *left]


def test_reading_a_file_keeps_it_from_the_sweep(tmp_path: Path) -> None:
    files = files_in(tmp_path, max_bytes=250)
    for name in "abc":
        files_in(tmp_path).write(name, CONTENT)
        settle()
        os.utime(tmp_path / name, (time.time() - 60, time.time() - 60 + ord(name) / 100))
    files.read("a")

    files.sweep()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]


def test_a_clock_that_is_set_back_makes_no_file_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_in(tmp_path, max_bytes=250, max_age_s=100)
    files.write("a", CONTENT)
    settle()
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s - 86_400)
    assert files.read("a") is not None
    os.utime(tmp_path / "a", (now_s - 60, now_s - 60))  # ahead of the clock, and still the oldest
    for name in "bc":
        files.write(name, CONTENT)
        settle()

    files.sweep()

    assert [files.read(name) is None for name in "abc"] == [True, False, False]
