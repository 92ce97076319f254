"""The audio cache: finished recordings on the volume, named by a digest of what they were generated from.

An entry is one file, `{key}.{format}.entry`: its `SpeechInfo` and the audio as it was sent. The key is SHA-256 over
everything that changes the sound. The volume is optional and hostile, as `stored_files` says: a bad entry is a miss and
is written again. A hit costs one read whatever the number of entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatterbox_worker.answer import SpeechInfo
from chatterbox_worker.stored_files import StoredFiles, Unwritten

PIPELINE_VERSION = 6
"""Raise it whenever the same request would sound different than before: it is part of every key."""
_LENGTH_BYTES = 4  # of what is known of the audio, before it
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
        self._unwritten = Unwritten[CacheEntry](self.files)
        self.hits = 0
        self.misses = 0

    @property
    def enabled(self) -> bool:
        return self.files.enabled

    def get(self, key: str, audio_format: str) -> CacheEntry | None:
        """The entry, or None for a miss: absent, too old, partly written or unreadable."""
        if not self.enabled:
            return None
        name = _name(key, audio_format)
        if (unwritten := self._unwritten.get(name)) is not None:
            self.hits += 1
            return unwritten
        entry = None
        if (stored := self.files.read(name)) is not None:
            try:
                entry = _unpack(stored)
            except ValueError as error:
                self.files.complain("read", error)
        if entry is None:
            self.misses += 1
        else:
            self.hits += 1
        return entry

    def put(self, key: str, audio_format: str, entry: CacheEntry) -> None:
        """Store the entry soon, if the volume allows it; `get` finds it at once."""
        self._unwritten.put(_name(key, audio_format), entry, _pack, len(entry.audio))

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


def _name(key: str, audio_format: str) -> str:
    return f"{key}.{audio_format}.entry"


def _pack(entry: CacheEntry) -> bytes:
    facts = json.dumps(entry.info.as_json()).encode()
    return len(facts).to_bytes(_LENGTH_BYTES, "big") + facts + entry.audio


def _unpack(stored: memoryview) -> CacheEntry:
    """Raises ValueError for an entry of another version."""
    start = _LENGTH_BYTES + int.from_bytes(stored[:_LENGTH_BYTES], "big")
    info = SpeechInfo.from_json(json.loads(bytes(stored[_LENGTH_BYTES:start])))
    return CacheEntry(bytes(stored[start:]), info)


class _ProducerGone(Exception):  # between waiting threads only
    pass
