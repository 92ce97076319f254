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
    """The folders: all are read, and the last is written to."""

    def __init__(self) -> None:
        self._folders = [Path(tempfile.gettempdir()) / _FOLDER]

    def read_from(self, folder: Path) -> None:
        """Look in this folder too, and there first."""
        if folder not in self._folders:
            self._folders.insert(0, folder)

    def write_to(self, folder: Path) -> None:
        """Use this folder alone."""
        self._folders = [folder]

    def get(self, source: Path, settings: object, compile_kernel: Callable[[], Binary]) -> Binary:
        """The kernel of a source file for some settings, compiled if no folder has it."""
        key = [source.read_text("utf-8"), importlib.metadata.version("triton"), repr(settings)]
        name = f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}.kernel"
        for folder in self._folders:
            if (binary := _read(folder / name)) is not None:
                return binary
        binary = compile_kernel()
        _write(self._folders[-1] / name, binary)
        return binary


COMPILED = CompiledKernels()
"""Those of this process."""


def _read(path: Path) -> Binary | None:
    """None if the file is missing or broken."""
    try:
        header, code = path.read_bytes().split(b"\n", 1)
        return Binary(code=code, ptx="", **json.loads(header))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, binary: Binary) -> None:
    header = {name: value for name, value in dataclasses.asdict(binary).items() if name not in {"code", "ptx"}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, json.dumps(header).encode() + b"\n" + binary.code)
    except OSError as error:
        _log.info("cannot write %s (%s); the next start compiles it again", path, error.strerror or error)
