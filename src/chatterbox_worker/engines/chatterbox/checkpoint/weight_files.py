"""Check and identify weights files without reading them whole."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from operator import index
from pathlib import Path

from chatterbox_worker.errors import NotReady

_LFS_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
_SAMPLE_BYTES = 4096
_SAMPLES = 64  # spread over a file: different weights differ in all of them


def check_file(path: Path) -> None:
    """Raise NotReady, naming the file, if it is truncated, empty, a Git LFS pointer or not of its suffix's format."""
    try:
        flaw = _flaw(path)
    except OSError as error:
        raise NotReady(f"the weights file {path} cannot be read: {error.strerror or error}") from error
    if flaw is not None:
        raise NotReady(f"the weights file {path} {flaw}")


def _flaw(path: Path) -> str | None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if not start:
        return "is empty"
    if start == _LFS_POINTER:
        return "is a Git LFS pointer, not the weights: fetch it with `git lfs pull` or let the worker download it"
    if path.suffix == ".safetensors":
        return _safetensors_flaw(path, size)
    if path.suffix == ".pt" and start.startswith(b"PK") and not zipfile.is_zipfile(path):
        return f"is truncated ({size} bytes): its directory is missing"
    if path.suffix == ".json":
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return "is not JSON"
    return None


def _safetensors_flaw(path: Path, size: int) -> str | None:
    """The format: 8 bytes of header length, little endian, the JSON header, then the tensors to the end of the file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            return f"is truncated ({size} bytes): it ends within its header"
        if length > _LONGEST_HEADER:
            return f"is corrupt: its header has {length} bytes"
        try:
            header = json.loads(file.read(length))
            ends = [index(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            return "is corrupt: its header is not that of a safetensors file"
    end = max(ends, default=0)
    if end != size - 8 - length:
        return f"is truncated or corrupt: {size} bytes, {8 + length + end} by its header"
    return None


def remainder_name(model: str) -> str:
    """The file in a checkpoint's folder that stays of the files that packs replace (`remainder`)."""
    return f"chatterbox-worker-{model}-remainder.safetensors"


def read_metadata(path: Path) -> Mapping[str, str]:
    """The metadata of a safetensors file that `check_file` has accepted. Raises NotReady if it has none."""
    try:
        with path.open("rb") as file:
            metadata: Mapping[str, str] = json.loads(file.read(int.from_bytes(file.read(8), "little")))["__metadata__"]
            return metadata
    except (OSError, ValueError, KeyError) as error:
        raise NotReady(f"the weights file {path} cannot be read: {error!r}") from error


def sample_digest(files: Mapping[str, Path]) -> str:
    """SHA-256 (hex) over names, sizes and evenly spread samples of the files, in milliseconds whatever their size.

    Small files are digested whole. Fine-tuned weights have the sizes and headers of those they came from, so a digest
    of sizes and headers alone would not distinguish them; the samples do.
    """
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        size = path.stat().st_size
        digest.update(f"{name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _SAMPLES * _SAMPLE_BYTES:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
