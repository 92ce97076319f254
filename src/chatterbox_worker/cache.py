"""The audio cache: finished recordings on the volume, named by a digest of what they were generated from.

An entry is `{key}.{format}`, the audio as it was sent, and `{key}.json`, its `SpeechInfo` with digests of the audio and
of itself; the audio is renamed into place last, so that an entry is whole or absent. The key is SHA-256 over everything
that changes the sound. Files of other kinds (`read`, `write`) begin with the digest of what follows.

The volume is optional and hostile: missing, read-only, full, slow, shared by many workers, with zeros in place of what
was written. What is read is proven by the digests; the audio's again only if its file has changed since, which it does
now and then by being used. A bad entry is a miss and is written again, a failed write is logged once, and nothing here
raises because of the volume. A hit costs two reads whatever the number of entries; the folder is walked only now and
then, by a thread of its own, after writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.files import write_whole

log = logging.getLogger(__name__)

PIPELINE_VERSION = 6
"""Raise it whenever the same request would sound different than before: it is part of every key."""
_SWEEP_SHARE = 0.02  # sweep after writing this share of the limit: the folder overshoots by no more
_LOW_WATER = 0.9  # a sweep goes below the limit, so that the next write does not call for another
_RECENT_S = 30.0  # a file used more recently need not be marked as used again: a write to the volume
_MOST_PROVEN = 4096
_DIGEST_BYTES = 32  # SHA-256
_ORPHAN_S = 3600.0  # a temporary file this old belongs to a worker that died


@dataclass(frozen=True, slots=True, eq=False)
class CacheEntry:
    """A finished recording."""

    audio: bytes
    info: SpeechInfo


def key_of(parts: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of `parts` and the pipeline's version: sorted keys, no spaces, exact floats,
    case preserved.
    """
    parts = {"pipeline": PIPELINE_VERSION, **parts}
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


class AudioCache:
    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._making: dict[str, Future[CacheEntry]] = {}
        self._unswept_bytes = round(max_bytes * _SWEEP_SHARE)  # due at the first write, for what others left
        self._sweeper: threading.Thread | None = None
        self._complained: set[str] = set()
        self._proven: dict[Path, tuple[int, int, int, str]] = {}
        """The file, as it was when its audio had the digest."""
        self.hits = 0
        self.misses = 0

    @property
    def enabled(self) -> bool:
        return self._max_bytes > 0

    def get(self, key: str, audio_format: str) -> CacheEntry | None:
        """The entry, or None for a miss: absent, too old, partly written or unreadable."""
        if not self.enabled:
            return None
        audio_path, about_path = self._paths(key, audio_format)
        try:
            now_s = time.time()
            audio, found = _read(audio_path, newer_than_s=now_s - self._max_age_s)
            info, digest = _facts(_read(about_path)[0])
            self._prove(audio_path, audio, found, digest)
        except FileNotFoundError:
            self.misses += 1
            return None
        except (OSError, ValueError) as error:
            self._complain("read", error)
            self.misses += 1
            return None
        _mark_as_used(audio_path, found, now_s)
        self.hits += 1
        return CacheEntry(audio, info)

    def _prove(self, path: Path, audio: bytes, found: os.stat_result, digest: str) -> None:
        """Raises ValueError if a bit of the audio is not as it was written."""
        state = (found.st_ino, found.st_size, found.st_mtime_ns, digest)
        if self._proven.get(path) == state:
            return
        if hashlib.sha256(audio).hexdigest() != digest:
            raise ValueError("its audio is damaged, or still being written")
        with self._lock:
            self._proven[path] = state
            if len(self._proven) > _MOST_PROVEN:
                del self._proven[next(iter(self._proven))]

    def put(self, key: str, audio_format: str, entry: CacheEntry) -> None:
        """Store the entry if the volume allows it."""
        if not self.enabled:
            return
        audio_path, about_path = self._paths(key, audio_format)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path, data in ((about_path, _sidecar(entry)), (audio_path, entry.audio)):
                _remove_folder(path)
                write_whole(path, data)
        except OSError as error:
            with contextlib.suppress(OSError):
                if not audio_path.exists():  # a full disk had room for the facts only
                    about_path.unlink(missing_ok=True)
            self._complain("write", error)
            return
        self._count_written(len(entry.audio))

    def read(self, name: str) -> bytes | None:
        """What `write` stored under this file name; None if it is absent, too old, partly written or unreadable."""
        if not self.enabled:
            return None
        path = self.folder / name
        try:
            now_s = time.time()
            stored, found = _read(path, newer_than_s=now_s - self._max_age_s)
            data = _proven(stored)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._complain("read", error)
            return None
        _mark_as_used(path, found, now_s)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Store a file of another kind within the same limits, if the volume allows it."""
        if not self.enabled:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / name, hashlib.sha256(data).digest() + data)
        except OSError as error:
            self._complain("write", error)
            return
        self._count_written(len(data))

    @contextlib.contextmanager
    def single_flight(self, key: str) -> Iterator[Callable[[CacheEntry], None] | CacheEntry]:
        """One producer for a key: yields a function that takes the result, or the result another thread just produced.

        If a producer fails or is cancelled without a result, the next waiting caller becomes the producer.
        """
        while True:
            with self._lock:
                running = self._making.get(key)
                if running is None:
                    mine = self._making[key] = Future()
            if running is None:
                break
            with contextlib.suppress(_ProducerGone):
                yield running.result()
                return
        try:
            yield mine.set_result
        finally:
            with self._lock:
                del self._making[key]
            if not mine.done():
                mine.set_exception(_ProducerGone())

    def figures(self) -> dict[str, Any]:
        """Counts of this process, for the `info` action."""
        return {"enabled": self.enabled, "folder": str(self.folder), "hits": self.hits, "misses": self.misses}

    def _paths(self, key: str, audio_format: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.{audio_format}", self.folder / f"{key}.json"

    def _count_written(self, size_bytes: int) -> None:
        """Starts a sweep if enough was written since the last."""
        with self._lock:
            self._unswept_bytes += size_bytes
            due = self._unswept_bytes >= self._max_bytes * _SWEEP_SHARE
            if not due or (self._sweeper is not None and self._sweeper.is_alive()):
                return
            self._unswept_bytes = 0
            self._sweeper = threading.Thread(target=self.sweep, name="cache-sweep", daemon=True)
            self._sweeper.start()

    def sweep(self) -> None:
        """Bring the folder under its limits: first what is too old, then the least recently used."""
        try:
            entries = self._remove_old(time.time())
        except OSError as error:
            self._complain("list", error)
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
        sidecars: list[Path] = []
        with os.scandir(self.folder) as found:
            for file in found:
                with contextlib.suppress(OSError):  # another worker removed it
                    found_stat = file.stat()
                    age_s = now_s - found_stat.st_mtime
                    if file.name.endswith(".json"):
                        sidecars += [Path(file.path)] if age_s > _ORPHAN_S else []
                    elif age_s > (_ORPHAN_S if file.name.startswith(".") else self._max_age_s):
                        _remove(Path(file.path))
                    elif not file.name.startswith("."):
                        entries.append((found_stat.st_mtime, found_stat.st_size, file.path))
        keys = {Path(path).stem for _, _, path in entries}
        for sidecar in sidecars:
            if sidecar.stem not in keys:  # its worker was killed before it wrote the audio
                with contextlib.suppress(OSError):
                    sidecar.unlink()
        return entries

    def _complain(self, what: str, error: Exception) -> None:
        if what not in self._complained:
            self._complained.add(what)
            log.warning("the audio cache cannot %s %s: %s; speaking on without it", what, self.folder, error)


def _read(path: Path, *, newer_than_s: float = 0.0) -> tuple[bytes, os.stat_result]:
    """Raises OSError, FileNotFoundError for a file that is too old and for what is not a file."""
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would block without it
    with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor
        found = os.fstat(opened)
        if found.st_mtime < newer_than_s or not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(path)
        return file.read(), found


def _proven(stored: bytes) -> bytes:
    """What follows the digest. Raises ValueError if a bit of it is not as it was written."""
    digest, data = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise ValueError("a file is damaged, or still being written")
    return data


def _mark_as_used(path: Path, found: os.stat_result, now_s: float) -> None:
    """For the sweep, which removes what was used least recently."""
    if now_s - found.st_mtime > _RECENT_S:
        with contextlib.suppress(OSError):
            os.utime(path)


def _sidecar(entry: CacheEntry) -> bytes:
    """The digest of the rest, then the digest of the audio and the facts, as two lines."""
    facts = json.dumps({**entry.info.as_json(), "_sha256": hashlib.sha256(entry.audio).hexdigest()}).encode()
    return hashlib.sha256(facts).hexdigest().encode() + b"\n" + facts


def _facts(sidecar: bytes) -> tuple[SpeechInfo, str]:
    """The facts and the digest of the audio. Raises ValueError if a bit of them is not as it was written."""
    digest, _, facts = sidecar.partition(b"\n")
    if digest != hashlib.sha256(facts).hexdigest().encode():
        raise ValueError("its JSON is damaged or of another version")
    about = json.loads(facts)
    return SpeechInfo.from_json(about), str(about.get("_sha256"))


class _ProducerGone(Exception):  # between waiting threads only
    pass


def _remove_folder(path: Path) -> None:
    """What is in the place of an entry and is not a file: a file cannot be renamed over it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def _remove(audio_path: Path) -> None:
    with contextlib.suppress(OSError):
        _remove_folder(audio_path)
        audio_path.unlink(missing_ok=True)
        audio_path.with_suffix(".json").unlink(missing_ok=True)
