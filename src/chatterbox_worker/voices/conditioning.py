"""What an engine made of a recording, kept so that it is made once: in memory, and on the volume for other workers.

The store knows arrays, not what they mean. A key is the recording's digest and the revision of the weights that
listened to it. The volume is hostile: missing, read-only, full, shared; whatever goes wrong there is a miss, said once
in the log, and the worker speaks on.
"""

from __future__ import annotations

import glob
import logging
import re
import tempfile
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

Arrays = Mapping[str, npt.NDArray[Any]]

_SAFE = re.compile(r"[A-Za-z0-9._+-]+")  # what may stand in a file name; no separator
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
                raise ValueError(f"{part!r} cannot stand in a file name")


class ConditioningStore:
    """Safe to use from any thread."""

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        """Keep at most `max_bytes` of arrays in memory, and all of them in `folder` unless it is None."""
        self.folder = folder
        self.max_bytes = max_bytes
        self._kept: OrderedDict[ConditioningKey, Arrays] = OrderedDict()
        self._kept_bytes = 0
        self._pending: dict[ConditioningKey, Future[Arrays]] = {}
        self._complained: set[str] = set()
        self._lock = threading.Lock()

    def get_or_compute(self, key: ConditioningKey, compute: Callable[[], Arrays]) -> Arrays:
        """The arrays at `key`, read-only; made by `compute` if they are nowhere.

        Of callers that ask for the same key at once one computes and the rest wait for it. What `compute` raises goes
        to all of them, and the next caller tries again.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            pending = self._pending.get(key)
            if pending is None:
                mine = self._pending[key] = Future()
        if pending is not None:
            return pending.result()
        try:
            made = self._load(key)
            if made is None:
                made = _frozen(compute())
                self._save(key, made)
        except BaseException as error:
            self._settle(key)
            mine.set_exception(error)
            raise
        self._keep(key, made)
        mine.set_result(made)
        return made

    def forget(self, clip: str) -> None:
        """Drop everything that was made of a recording, by its digest, here and on the volume."""
        with self._lock:
            for key in [key for key in self._kept if key.clip == clip]:
                self._kept_bytes -= _size_bytes(self._kept.pop(key))
        if self.folder is not None and _SAFE.fullmatch(clip):
            for path in self.folder.glob(f"{glob.escape(clip)}.*.safetensors"):
                _remove(path)

    def _settle(self, key: ConditioningKey) -> None:
        with self._lock:
            del self._pending[key]

    def _keep(self, key: ConditioningKey, arrays: Arrays) -> None:
        with self._lock:
            del self._pending[key]
            self._kept[key] = arrays
            self._kept_bytes += _size_bytes(arrays)
            while self._kept_bytes > self.max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= _size_bytes(dropped)

    def _path(self, key: ConditioningKey) -> Path | None:
        return None if self.folder is None else self.folder / f"{key.clip}.{key.model}.safetensors"

    def _load(self, key: ConditioningKey) -> Arrays | None:
        path = self._path(key)
        if path is None:
            return None
        try:
            return _frozen(load(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain("read", f"cannot read conditionings from {self.folder}: {error.strerror or error}")
        except (SafetensorError, ValueError, KeyError) as error:
            self._complain("corrupt", f"{path} is corrupt and will be made again: {error}")
        return None

    def _save(self, key: ConditioningKey, arrays: Arrays) -> None:
        """Write to a temporary name, then rename: a reader sees a whole file or none."""
        path = self._path(key)
        if path is None:
            return
        draft: Path | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as file:
                draft = Path(file.name)
                file.write(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
            draft.replace(path)
            draft = None
        except OSError as error:
            self._complain("write", f"cannot keep conditionings in {self.folder}: {error.strerror or error}")
        finally:
            if draft is not None:
                _remove(draft)

    def _complain(self, kind: str, sentence: str) -> None:
        with self._lock:
            first = kind not in self._complained
            self._complained.add(kind)
        if first:
            _log.warning("%s", sentence)


def _frozen(arrays: Arrays) -> Arrays:
    """The arrays, copied where somebody else could change them, and closed for writing."""
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
