"""Operations on a volume that does not answer: they have a limit in time, and others are not held up."""

from __future__ import annotations

import multiprocessing
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from chatterbox_worker import mounts
from chatterbox_worker.files import write_whole
from chatterbox_worker.mounts import Mount, mount_of


def test_what_does_not_return_fails_after_its_limit_and_then_at_once(caplog: pytest.LogCaptureFixture) -> None:
    mount, released = Mount("/volume"), threading.Event()
    with pytest.raises(OSError, match="did not answer within 0 s"):
        mount.run(released.wait, 0.05)
    started_s = time.monotonic()
    for _ in range(100):
        with pytest.raises(OSError, match="has not answered for"):
            mount.run(lambda: 1, 60.0)
    assert time.monotonic() - started_s < 60.0  # not 60 s for each
    assert caplog.messages == ["/volume did not answer within 0 s; going on without it until it does"]
    released.set()
    assert _soon(lambda: mount.run(lambda: 1, 60.0)) == 1
    assert caplog.messages[1:] == ["/volume answers again"]


def test_one_lost_operation_does_not_end_the_use_of_a_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_RETRY_S", 0.05)
    mount, released = Mount("/volume"), threading.Event()
    with pytest.raises(OSError, match="did not answer"):
        mount.run(released.wait, 0.01)
    assert _soon(lambda: mount.run(lambda: 1, 60.0)) == 1
    assert mount.run(lambda: 2, 60.0) == 2
    monkeypatch.setattr(mounts, "_RETRY_S", 0.0)
    for _ in range(mounts._MOST_STUCK - 1):
        with pytest.raises(OSError, match="did not answer"):
            mount.run(released.wait, 0.001)
    threads = threading.active_count()
    with pytest.raises(OSError, match="has not answered"):
        mount.run(lambda: 1, 60.0)
    assert threading.active_count() == threads
    released.set()


def test_what_moves_many_bytes_has_more_time(tmp_path: Path) -> None:
    """A slow volume with a long recording: neither the write fails, nor what others want of the volume."""
    mount, data = Mount("/volume"), bytes(10 * mounts.SLOWEST_BYTES_PER_S)

    def write() -> None:
        write_whole(tmp_path / "long.wav", data)
        time.sleep(0.2)

    mount.run(write, 0.05)
    assert mount.run(lambda: 1, 60.0) == 1
    with pytest.raises(OSError, match="did not answer"):
        mount.run(lambda: time.sleep(0.2), 0.05)


def test_a_write_that_was_given_up_does_not_happen_later(tmp_path: Path) -> None:
    mount, released, ended = Mount("/volume"), threading.Event(), threading.Event()
    path = tmp_path / "voice.flac"
    path.write_bytes(b"old")

    def write() -> None:
        released.wait()
        try:
            write_whole(path, b"new")
        finally:
            ended.set()

    with pytest.raises(OSError, match="did not answer"):
        mount.run(write, 0.01)
    released.set()
    assert ended.wait(60)
    assert [each.name for each in tmp_path.iterdir()] == ["voice.flac"]
    assert path.read_bytes() == b"old"


def test_results_and_errors_are_the_operations_own_and_a_nested_one_needs_no_thread() -> None:
    mount = Mount("/volume")
    assert mount.run(lambda: mount.run(threading.current_thread, 0.0), 60.0) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        mount.run(lambda: 1 // 0, 60.0)
    threads = threading.active_count()
    assert [mount.run(partial(int, n), 60.0) for n in range(50)] == list(range(50))
    assert threading.active_count() == threads


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of Python 3.12
def test_a_forked_process_has_threads_of_its_own(tmp_path: Path) -> None:
    assert mount_of(tmp_path).run(lambda: 1, 60.0) == 1  # its thread waits for more
    child = multiprocessing.get_context("fork").Process(target=lambda: mount_of(tmp_path).run(lambda: 1, 60.0))
    child.start()
    child.join()
    assert child.exitcode == 0


def test_folders_of_one_file_system_are_one_mount() -> None:
    assert mount_of(Path("/proc/self/task")) is mount_of(Path("/proc/no/such/folder"))
    assert mount_of(Path("/proc")) is not mount_of(Path("/"))


def _soon(act: object) -> object:
    deadline_s = time.monotonic() + 60.0
    while True:
        try:
            return act()  # type: ignore[operator]
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
