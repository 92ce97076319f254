"""Files are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest

from chatterbox_worker.files import DRAFT_SUFFIX, check_writable, draft, lock_folder, write_whole
from support.paths import ROOT


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("sole_writer", [False, True])
def test_a_file_replaces_the_one_that_was_there(tmp_path: Path, durable: bool, sole_writer: bool) -> None:
    path = tmp_path / "a.wav"
    for data in (b"old", b"", b"new"):
        write_whole(path, data, durable=durable, sole_writer=sole_writer)
        assert path.read_bytes() == data

    assert names(tmp_path) == ["a.wav"]


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("error", [OSError, RuntimeError, KeyboardInterrupt, _Killed])
@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("durable", [False, True])
def test_a_writer_that_fails_leaves_what_was_there_and_no_draft(
    tmp_path: Path, error: type[BaseException], before: bytes | None, durable: bool
) -> None:
    path = tmp_path / "a.wav"
    if before is not None:
        path.write_bytes(before)

    def write_half() -> None:
        with draft(path, durable=durable) as written:
            written.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        write_half()

    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([] if before is None else [before])


@pytest.mark.parametrize("step", ["write_bytes", "replace", "fsync"])
def test_a_disk_that_fails_at_any_step_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*/a\.wav'"):
        write_whole(path, b"new", durable=True)
    monkeypatch.undo()

    assert (names(tmp_path), path.read_bytes()) == (["a.wav"], b"old")


def test_a_draft_that_cannot_be_removed_does_not_hide_why_the_write_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "unlink", gone)
    with pytest.raises(ValueError, match="why"), draft(tmp_path / "a.wav"):
        raise ValueError("why")


def test_a_draft_that_is_a_link_to_the_file_itself_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "t3.safetensors"
    path.write_bytes(b"weights")

    with draft(path) as written:
        written.hardlink_to(path)

    assert names(tmp_path) == ["t3.safetensors"]


def test_a_link_in_the_place_of_a_draft_is_not_written_through(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "a.wav"
    other.write_bytes(b"other")
    (tmp_path / ".a.wav.draft").symlink_to(other)

    write_whole(path, b"new", sole_writer=True)

    assert (other.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"other", b"new", False)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "missing" / "a.wav", b"x")


@pytest.mark.parametrize("durable", [False, True])
def test_what_must_survive_is_on_the_disk_before_it_is_renamed_and_so_is_the_rename_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(opened: int) -> None:
        where = Path(f"/proc/self/fd/{opened}").resolve()
        steps.append(f"sync {'folder' if where == tmp_path.resolve() else where.read_bytes().decode()}")
        fsync(opened)

    def recorded_replace(source: Path, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_whole(tmp_path / "a.wav", b"whole", durable=durable)

    assert steps == (["sync whole", "rename", "sync folder"] if durable else ["rename"])


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "a.wav", b"x", durable=True)
    finally:
        os.umask(before)

    assert (tmp_path / "a.wav").stat().st_mode & 0o777 == 0o666 & ~umask


def test_drafts_lie_hidden_in_the_same_folder_under_a_name_that_their_sweepers_know(tmp_path: Path) -> None:
    path = tmp_path / "pack.safetensors"
    with draft(path) as first, draft(path) as second, draft(path, sole_writer=True) as only:
        for written in (first, second, only):
            written.touch()
            assert written.parent == tmp_path
            assert fnmatch(written.name, f".*{DRAFT_SUFFIX}")  # batch.manifest; the cache takes all hidden files
        for written in (first, second):
            assert fnmatch(written.name, f".{path.name}.*{DRAFT_SUFFIX}")  # the packs
        assert only.name == f".{path.name}{DRAFT_SUFFIX}"
        assert len({first, second, only}) == 3


def test_it_imports_the_standard_library_only() -> None:
    code = (
        "import sys, chatterbox_worker.files\n"
        "print({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'})"
    )
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {code}"  # -S: without site-packages
    printed = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "{'chatterbox_worker'}"


def test_a_folders_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from chatterbox_worker.files import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT / "src", stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BlockingIOError), lock_folder(tmp_path):
            pass
    finally:
        other.kill()
        other.communicate()
    with lock_folder(tmp_path):
        assert not list(tmp_path.iterdir())


def test_a_lock_is_waited_for_until_its_time_is_up(tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        started_s = time.monotonic()
        with pytest.raises(BlockingIOError, match="another process has its lock"), lock_folder(tmp_path, wait_s=0.1):
            pass
        assert 0.1 <= time.monotonic() - started_s < 5

    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with lock_folder(tmp_path):
            held.set()
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    threading.Timer(0.1, free.set).start()
    with lock_folder(tmp_path, wait_s=10.0):
        assert free.is_set()
    holder.join()


@pytest.mark.parametrize(("number", "stops"), [(errno.ENOLCK, False), (errno.EBADF, False), (errno.EIO, True)])
def test_a_file_system_without_locks_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, stops: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="no") if stops else contextlib.nullcontext(), lock_folder(tmp_path):
        pass


def test_what_cannot_be_written_is_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "new/folder/speech.wav")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        check_writable(tmp_path / "file/speech.wav")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        check_writable(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(PermissionError, match=str(tmp_path)):
        check_writable(Path("new/speech.wav"))
