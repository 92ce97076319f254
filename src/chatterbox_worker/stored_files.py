"""A folder of files on a volume, for what can be computed again: within a size and an age, and proven when read.

The volume is optional and hostile: missing, read-only, full, slow, shared by many workers, with zeros in place of what
was written. A file begins with the digest of what follows (`read`, `write`), is written whole and read only as it was
written; a bad one is a miss, a failed write is logged once, and nothing here raises because of the volume. The digest
is compared again only if the file has changed since, which it does now and then by being used. The folder is walked
only now and then, by a thread of its own, after writes: what is too old goes, then what was used least recently, and
drafts that killed workers left behind. What the volume does not answer within seconds has failed (`mounts`). Nothing
waits for a write: it is done later, on a thread of its own (`write_later`).
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from chatterbox_worker.files import ORPHAN_S, write_whole
from chatterbox_worker.mounts import LOOK_UP_S, allow_bytes, mount_of

log = logging.getLogger(__name__)

_SWEEP_SHARE = 0.02  # sweep after writing this share of the limit: the folder overshoots by no more
_LOW_WATER = 0.9  # a sweep goes below the limit, so that the next write does not call for another
_RECENT_S = 30.0  # a file used more recently need not be marked as used again: a write to the volume
_DIGEST_BYTES = 32  # SHA-256
_MOST_PROVEN = 4096  # files
_MOST_WAITING_BYTES = 256 * 2**20  # to be written; a recording of 40 minutes is 115 MB
_T = TypeVar("_T")


class StoredFiles:
    """Safe to use from any thread."""

    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float, about: str) -> None:
        """`about` is what the log calls it. With `max_bytes` 0 nothing is stored."""
        self.folder = folder
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._about = about
        self._lock = threading.Lock()
        self._unswept_bytes = round(max_bytes * _SWEEP_SHARE)  # due at the first write, for what others left
        self._sweeper: threading.Thread | None = None
        self._complained: set[str] = set()
        self._proven: dict[Path, tuple[int, int, int]] = {}
        """The state in which a file had its digest."""
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._waiting_bytes = 0
        self._is_closed = False

    @property
    def enabled(self) -> bool:
        return self._max_bytes > 0

    def read(self, name: str) -> memoryview | None:
        """What `write` stored under this file name; None if it is absent, too old, partly written or unreadable."""
        if not self.enabled:
            return None
        path = self.folder / name

        def read() -> memoryview:
            now_s = time.time()
            stored, found = _read_file(path, newer_than_s=now_s - self._max_age_s)
            content = memoryview(stored)[_DIGEST_BYTES:]
            self._prove(path, found, stored[:_DIGEST_BYTES], content)
            _mark_as_used(path, found, now_s)
            return content

        try:
            return self._on_volume(read)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.complain("read", error)
            return None

    def _prove(self, path: Path, found: os.stat_result, digest: bytes, content: memoryview) -> None:
        """Raises ValueError if a bit of the content is not as it was written."""
        state = (found.st_ino, found.st_size, found.st_mtime_ns)
        if self._proven.get(path) == state:
            return
        if hashlib.sha256(content).digest() != digest:
            raise ValueError("a file is damaged, or still being written")
        with self._lock:
            self._proven[path] = state
            if len(self._proven) > _MOST_PROVEN:
                del self._proven[next(iter(self._proven))]

    def write(self, name: str, data: bytes) -> None:
        """Store a file, if the volume allows it."""
        if not self.enabled:
            return
        try:
            self._on_volume(lambda: _store(self.folder / name, hashlib.sha256(data).digest() + data))
        except OSError as error:
            self.complain("write", error)
            return
        self._count_written(len(data))

    def write_later(self, write: Callable[[], None], size_bytes: int) -> bool:
        """Run `write` on the writer's thread, after those before it: network volumes take milliseconds for each of a
        dozen operations.

        False: it is left out, since as much waits already as memory is set aside for, or `close` was called.
        """
        if not self.enabled:
            return False
        with self._lock:
            is_full = self._waiting_bytes > 0 and self._waiting_bytes + size_bytes > _MOST_WAITING_BYTES
            if self._is_closed or is_full:
                return False
            self._waiting_bytes += size_bytes
            self._writer.submit(self._write_now, write, size_bytes)
        return True

    def _write_now(self, write: Callable[[], None], size_bytes: int) -> None:
        try:
            write()
        except Exception:  # a fault of ours: the others are still to be written
            log.exception("a write to %s failed", self.folder)
        finally:
            with self._lock:
                self._waiting_bytes -= size_bytes

    def flush(self) -> None:
        """Return once everything that waited is written."""
        with self._lock:
            waiting = None if self._is_closed else self._writer.submit(int)  # after all that was there before
        if waiting is not None:
            waiting.result()

    def close(self) -> None:
        """Return once everything that waited is written; what comes later is left out."""
        with self._lock:
            self._is_closed = True
        self._writer.shutdown(wait=True)

    def _on_volume(self, work: Callable[[], _T]) -> _T:
        """The result of what reads or writes the folder; raises OSError if the volume does not answer."""
        return mount_of(self.folder).run(work, LOOK_UP_S)

    def _count_written(self, size_bytes: int) -> None:
        """Starts a sweep if enough was written since the last began."""
        with self._lock:
            self._unswept_bytes += size_bytes
            if self._is_due() and (self._sweeper is None or not self._sweeper.is_alive()):
                self._sweeper = threading.Thread(target=self._sweep_while_due, name="sweep", daemon=True)
                self._sweeper.start()

    def _is_due(self) -> bool:
        return self._unswept_bytes >= self._max_bytes * _SWEEP_SHARE

    def _sweep_while_due(self) -> None:
        """Again after a sweep in which others wrote: it may not have seen their files."""
        while True:
            with self._lock:
                if not self._is_due():
                    self._sweeper = None
                    return
                self._unswept_bytes = 0
            self.sweep()

    def sweep(self) -> None:
        """Bring the folder under its limits: first what is too old, then the least recently used."""
        try:
            entries = self._remove_old(time.time())
        except OSError as error:
            self.complain("list", error)
            return
        excess = sum(size for _, size, _ in entries) - self._max_bytes
        if excess <= 0:
            return
        excess += round(self._max_bytes * (1 - _LOW_WATER))
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            _remove(Path(path))
            excess -= size

    def _remove_old(self, now_s: float) -> list[tuple[float, int, str]]:
        """When the remaining files were used last, their sizes and paths. Raises OSError if there is no folder."""
        entries: list[tuple[float, int, str]] = []
        with os.scandir(self.folder) as found:
            for file in found:
                with contextlib.suppress(OSError):  # another worker removed it
                    found_stat = file.stat()
                    age_s = now_s - found_stat.st_mtime
                    if age_s > (ORPHAN_S if file.name.startswith(".") else self._max_age_s):
                        _remove(Path(file.path))
                    elif not file.name.startswith("."):
                        entries.append((found_stat.st_mtime, found_stat.st_size, file.path))
        return entries

    def complain(self, what: str, error: Exception) -> None:
        """Log that the folder could not be read, written or listed: once for each."""
        if what not in self._complained:
            self._complained.add(what)
            log.warning("%s cannot %s %s: %s; going on without it", self._about, what, self.folder, error)


class Unwritten(Generic[_T]):
    """What waits to be written, so that it is found under its file's name at once. Thread-safe."""

    def __init__(self, files: StoredFiles) -> None:
        self._files = files
        self._values: dict[str, _T] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> _T | None:
        return self._values.get(name)

    def put(self, name: str, value: _T, pack: Callable[[_T], bytes], size_bytes: int) -> None:
        """Write `pack(value)` later; nothing is kept if it is left out. `size_bytes`: the memory that it takes."""

        def write() -> None:
            try:
                self._files.write(name, pack(value))
            finally:
                with self._lock:
                    if self._values.get(name) is value:  # not one that was put later
                        del self._values[name]

        with self._lock:
            if self._files.write_later(write, size_bytes):
                self._values[name] = value


def _read_file(path: Path, *, newer_than_s: float) -> tuple[bytes, os.stat_result]:
    """The contents and the state of a file.

    Raises:
        FileNotFoundError: it is too old, or no file.
        OSError: it cannot be read.
    """
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block without it
    try:  # a file object would ask for the state again, three times
        found = os.fstat(opened)
        if found.st_mtime < newer_than_s or not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(path)
        allow_bytes(found.st_size)
        data = os.read(opened, found.st_size)
        while len(data) < found.st_size and (more := os.read(opened, found.st_size - len(data))):
            data += more
        return data, found
    finally:
        os.close(opened)


def _mark_as_used(path: Path, found: os.stat_result, now_s: float) -> None:
    """For the sweep, which removes what was used least recently."""
    if now_s - found.st_mtime > _RECENT_S:
        with contextlib.suppress(OSError):
            os.utime(path)


def _store(path: Path, data: bytes) -> None:
    """Write a file whole. Its folder, and a folder in its place, are looked at only if that fails: each look takes a
    network volume milliseconds.

    Raises:
        OSError: it cannot be written.
    """
    try:
        write_whole(path, data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except IsADirectoryError:
        shutil.rmtree(path)
        write_whole(path, data)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
