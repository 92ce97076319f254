"""Compiled kernels on the disk: those of an image are compiled while it is built, others on their first use.

A file is named by a digest of everything that decides what it holds, so a stale one is never found. Reading one takes
less than a millisecond; importing Triton and compiling takes half a second for each kernel.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chatterbox_worker import files

_FOLDER = "chatterbox-worker-kernels"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Binary:
    """A compiled kernel."""

    name: str
    code: bytes
    ptx: str
    """Empty if it was read from the disk."""
    shared_bytes: int
    threads: int
    overlaps: bool
    """Whether it may be launched before the kernel before it has ended."""


def shared_folder(weights_dir: Path) -> Path:
    """Where an image has its kernels, next to its weights."""
    return weights_dir / _FOLDER


class CompiledKernels:
    """The folders: those that were prepared are read, and this process's own is read and written to."""

    def __init__(self) -> None:
        self._prepared = list[Path]()
        self._own: Path | None = None

    def read_from(self, folder: Path) -> None:
        """Look in this folder too, and there first."""
        if folder not in self._prepared:
            self._prepared.insert(0, folder)

    def write_to(self, folder: Path) -> None:
        """Use this folder in place of one for temporary files."""
        self._own = folder

    def get(self, source: Path, settings: object, compile_kernel: Callable[[], Binary]) -> Binary:
        """The kernel of a source file for some settings, compiled if no folder has it."""
        key = [source.read_text("utf-8"), _compiler(), repr(settings)]
        name = f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.kernel"
        own = self._own or _temporary_folder()
        folders = [*self._prepared, *([] if own is None else [own])]
        for folder in folders:
            if (binary := _read(folder / name)) is not None:
                return binary
        binary = compile_kernel()
        if own is not None:
            _write(own / name, binary)
        return binary


COMPILED = CompiledKernels()
"""Those of this process."""


def _compiler() -> str:
    """Triton's version; it is in more than one distribution."""
    for name in ("triton", "pytorch-triton"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


def _temporary_folder() -> Path | None:
    """The folder of this user; None if no folder can be written to."""
    try:
        return Path(tempfile.gettempdir()) / f"{_FOLDER}-{os.geteuid()}"
    except OSError:
        return None


def _read(path: Path) -> Binary | None:
    """None if the file is missing, broken or another user's: its code runs in this process."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_uid not in {0, os.geteuid()}:
                return None
            header, code = file.read().split(b"\n", 1)
        values = json.loads(header)
        return Binary(code=code, ptx="", **values) if values.pop("sha256") == _digest(code) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(path: Path, binary: Binary) -> None:
    header = {name: value for name, value in dataclasses.asdict(binary).items() if name not in {"code", "ptx"}}
    header["sha256"] = _digest(binary.code)
    try:
        path.parent.mkdir(mode=0o700 if path.parent == _temporary_folder() else 0o777, parents=True, exist_ok=True)
        files.write_whole(path, json.dumps(header).encode() + b"\n" + binary.code)
    except OSError as error:
        _log.info("cannot write %s (%s); the next start compiles it again", path, error.strerror or error)


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()
