"""The audio cache: finished recordings on the volume, named by a digest of what they were generated from.

An entry is `{key}.{format}`, the audio as it was sent, and `{key}.json`, its `SpeechInfo` with digests of the audio and
of itself; the audio is renamed into place last, so that an entry is whole or absent. The key is SHA-256 over everything
that changes the sound.

The volume is optional and hostile, as `stored_files` says. What is read is proven by the digests; the audio's again
only if its file has changed since, which it does now and then by being used. A bad entry is a miss and is written
again. A hit costs two reads whatever the number of entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.stored_files import StoredFiles, mark_as_used, read_file, store

PIPELINE_VERSION = 6
"""Raise it whenever the same request would sound different than before: it is part of every key."""
_MOST_PROVEN = 4096
_CHECK_EVERY_S = 0.1  # whether a caller still waits for what another produces


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
        self.files = StoredFiles(folder, max_bytes=max_bytes, max_age_s=max_age_s, about="the audio cache")
        """The folder of the entries; files of other kinds share it and its limits."""
        self.folder = folder
        self._lock = threading.Lock()
        self._making: dict[str, Future[CacheEntry]] = {}
        self._proven: dict[Path, tuple[int, int, int, str]] = {}
        """The file, as it was when its audio had the digest."""
        self._unwritten: dict[tuple[str, str], CacheEntry] = {}
        """By key and format, until they are on the volume."""
        self.hits = 0
        self.misses = 0

    @property
    def enabled(self) -> bool:
        return self.files.enabled

    def get(self, key: str, audio_format: str) -> CacheEntry | None:
        """The entry, or None for a miss: absent, too old, partly written or unreadable."""
        if not self.enabled:
            return None
        if (unwritten := self._unwritten.get((key, audio_format))) is not None:
            self.hits += 1
            return unwritten
        audio_path, about_path = self._paths(key, audio_format)

        def read() -> CacheEntry:
            now_s = time.time()
            audio, found = read_file(audio_path, newer_than_s=now_s - self.files.max_age_s)
            info, digest = _facts(read_file(about_path)[0])
            self._prove(audio_path, audio, found, digest)
            mark_as_used(audio_path, found, now_s)
            return CacheEntry(audio, info)

        try:
            entry = self.files.on_volume(read)
        except FileNotFoundError:
            self.misses += 1
            return None
        except (OSError, ValueError) as error:
            self.files.complain("read", error)
            self.misses += 1
            return None
        self.hits += 1
        return entry

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
        """Store the entry soon, if the volume allows it; `get` finds it at once."""
        name = key, audio_format

        def write() -> None:
            try:
                self._write(*self._paths(key, audio_format), entry)
            finally:
                with self._lock:
                    if self._unwritten.get(name) is entry:  # not one that was put later
                        del self._unwritten[name]

        with self._lock:
            if self.files.write_later(write, len(entry.audio)):
                self._unwritten[name] = entry

    def _write(self, audio_path: Path, about_path: Path, entry: CacheEntry) -> None:
        def write() -> None:
            try:
                store(about_path, _sidecar(entry))
                store(audio_path, entry.audio)
            except OSError:
                with contextlib.suppress(OSError):
                    if not audio_path.exists():  # a full disk had room for the facts only
                        about_path.unlink()
                raise

        try:
            self.files.on_volume(write)
        except OSError as error:
            self.files.complain("write", error)
            return
        self.files.count_written(len(entry.audio))

    @contextlib.contextmanager
    def single_flight(
        self, key: str, check: Callable[[], None] = lambda: None
    ) -> Iterator[Callable[[CacheEntry], None] | CacheEntry]:
        """One producer for a key: yields a function that takes the result, or the result another thread just produced.

        If a producer fails or is cancelled without a result, the next waiting caller becomes the producer. What
        `check` raises ends the waiting.
        """
        while True:
            with self._lock:
                running = self._making.get(key)
                if running is None:
                    mine = self._making[key] = Future()
            if running is None:
                break
            while not wait([running], timeout=_CHECK_EVERY_S).done:
                check()
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
