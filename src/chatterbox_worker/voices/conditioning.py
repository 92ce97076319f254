"""A cache for what an engine computed from a recording: in memory, and on the volume for other workers.

The store knows arrays, not what they mean. A key is the recording's digest and the revision of the weights that encoded
it. The volume may be missing, read-only, full or shared: every failure there counts as a miss and is logged once, and
the worker goes on.
"""

from __future__ import annotations

import glob
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from chatterbox_worker.files import write_whole

Arrays = Mapping[str, npt.NDArray[Any]]

_SAFE = re.compile(r"[A-Za-z0-9._+-]+")  # characters of a file name; no separator
_log = logging.getLogger(__name__)


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

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        """Cache at most `max_bytes` of arrays in memory, and all of them in `folder` unless it is None."""
        self.folder = folder
        self.max_bytes = max_bytes
        self._cached: OrderedDict[ConditioningKey, Arrays] = OrderedDict()
        self._cached_bytes = 0
        self._pending: dict[ConditioningKey, Future[Arrays]] = {}
        self._warned: set[str] = set()
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
            self._remove_pending(key)
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
            for path in self.folder.glob(f"{glob.escape(clip)}.*.safetensors"):
                _remove(path)

    def _remove_pending(self, key: ConditioningKey) -> None:
        with self._lock:
            del self._pending[key]

    def _put(self, key: ConditioningKey, arrays: Arrays) -> None:
        with self._lock:
            del self._pending[key]
            self._cached[key] = arrays
            self._cached_bytes += _size_bytes(arrays)
            while self._cached_bytes > self.max_bytes:
                _, dropped = self._cached.popitem(last=False)
                self._cached_bytes -= _size_bytes(dropped)

    def _path(self, key: ConditioningKey) -> Path | None:
        return None if self.folder is None else self.folder / f"{key.clip}.{key.model}.safetensors"

    def _load(self, key: ConditioningKey) -> Arrays | None:
        path = self._path(key)
        if path is None:
            return None
        try:
            return _freeze(load(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_once("read", f"cannot read conditionings from {self.folder}: {error.strerror or error}")
        except (SafetensorError, ValueError, KeyError) as error:
            self._warn_once("corrupt", f"{path} is corrupt and will be computed again: {error}")
        return None

    def _save(self, key: ConditioningKey, arrays: Arrays) -> None:
        path = self._path(key)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
        except OSError as error:
            self._warn_once("write", f"cannot store conditionings in {self.folder}: {error.strerror or error}")

    def _warn_once(self, kind: str, sentence: str) -> None:
        with self._lock:
            is_first = kind not in self._warned
            self._warned.add(kind)
        if is_first:
            _log.warning("%s", sentence)


def _freeze(arrays: Arrays) -> Arrays:
    """Read-only copies of the arrays, which no caller can change."""
    frozen = {name: np.array(array) for name, array in arrays.items()}
    for array in frozen.values():
        array.flags.writeable = False
    return frozen


def _size_bytes(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # the volume went away between two calls
        _log.debug("could not remove %s", path)
