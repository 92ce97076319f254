"""A cache for what an engine computed from a recording: in memory, and on the volume for other workers.

The store knows arrays, not what they mean. A key is the recording's digest and the revision of the weights that encoded
it. On the volume they are `stored_files`: every failure there is a miss.
"""

from __future__ import annotations

import contextlib
import glob
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from chatterbox_worker.stored_files import StoredFiles

Arrays = Mapping[str, npt.NDArray[Any]]

_SAFE = re.compile(r"[A-Za-z0-9._+-]+")  # characters of a file name; no separator
_SUFFIX = ".arrays"  # a digest, and then safetensors
_NO_LIMIT_BYTES = 2**62


@dataclass(frozen=True, slots=True)
class ConditioningKey:
    clip: str
    """Digest of the recording."""
    model: str
    """The model and the revision of its weights."""

    def __post_init__(self) -> None:
        for part in (self.clip, self.model):
            if not _SAFE.fullmatch(part) or part.startswith("."):
                raise ValueError(f"{part!r} cannot be part of a file name")


class ConditioningStore:
    """Safe to use from any thread."""

    def __init__(
        self,
        folder: Path | None,
        max_bytes: int,
        *,
        max_stored_bytes: int = _NO_LIMIT_BYTES,
        max_age_s: float = math.inf,
    ) -> None:
        """Cache at most `max_bytes` of arrays in memory, and at most `max_stored_bytes` in `folder` unless it is None,
        where they are kept for `max_age_s` seconds after their last use.
        """
        self.folder = folder
        self.max_bytes = max_bytes
        self._files = folder and StoredFiles(
            folder, max_bytes=max_stored_bytes, max_age_s=max_age_s, about="the cache of encoded voices"
        )
        self._cached: OrderedDict[ConditioningKey, Arrays] = OrderedDict()
        self._cached_bytes = 0
        self._pending: dict[ConditioningKey, Future[Arrays]] = {}
        self._lock = threading.Lock()

    def get_or_compute(self, key: ConditioningKey, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays at `key`, read-only; computed by `compute` if they are not cached.

        If several callers need the same key at once, one computes and the others wait for it. All of them get an
        exception of `compute`, and the next caller tries again.
        """
        with self._lock:
            if key in self._cached:
                self._cached.move_to_end(key)
                return self._cached[key]
            pending = self._pending.get(key)
            if pending is None:
                mine = self._pending[key] = Future()
        if pending is not None:
            return pending.result()
        try:
            arrays = self._load(key)
            if arrays is None:
                arrays = _freeze(compute())
                self._save(key, arrays)
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            mine.set_exception(error)
            raise
        self._put(key, arrays)
        mine.set_result(arrays)
        return arrays

    def forget(self, clip: str) -> None:
        """Drop everything that was computed from a recording, by its digest, in memory and on the volume."""
        with self._lock:
            for key in [key for key in self._cached if key.clip == clip]:
                self._cached_bytes -= _size_bytes(self._cached.pop(key))
        if self.folder is not None and _SAFE.fullmatch(clip):
            self.flush()
            for path in self.folder.glob(f"{glob.escape(clip)}.*"):
                with contextlib.suppress(OSError):  # the volume went away between two calls
                    path.unlink()

    def flush(self) -> None:
        """Return once everything that was computed is on the volume, where that allows it."""
        if self._files:
            self._files.flush()

    def _put(self, key: ConditioningKey, arrays: Arrays) -> None:
        with self._lock:
            del self._pending[key]
            self._cached[key] = arrays
            self._cached_bytes += _size_bytes(arrays)
            while self._cached_bytes > self.max_bytes:
                _, dropped = self._cached.popitem(last=False)
                self._cached_bytes -= _size_bytes(dropped)

    def _load(self, key: ConditioningKey) -> Arrays | None:
        stored = self._files.read(_name(key)) if self._files else None
        try:
            return None if stored is None else _freeze(load(bytes(stored)))
        except (SafetensorError, ValueError, KeyError):  # of another version
            return None

    def _save(self, key: ConditioningKey, arrays: Arrays) -> None:
        if self._files:
            data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
            write = partial(self._files.write, _name(key), data)
            if self.max_bytes == 0:
                write()  # the next caller has no other place to find it
            else:
                self._files.write_later(write, len(data))


def _name(key: ConditioningKey) -> str:
    return f"{key.clip}.{key.model}{_SUFFIX}"


def _freeze(arrays: Arrays) -> Arrays:
    """Read-only copies of the arrays, which no caller can change."""
    frozen = {name: np.array(array) for name, array in arrays.items()}
    for array in frozen.values():
        array.flags.writeable = False
    return frozen


def _size_bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())
