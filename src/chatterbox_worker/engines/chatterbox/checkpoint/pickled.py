"""The names and shapes of the tensors in a .pt file, without torch and without running anything that is in it.

The file is a zip archive with a pickle of the objects, in which each tensor refers to another entry of the archive. The
pickle is read by Python's own machine with the few functions that weights need; any other name in it is refused, as
`torch.load(weights_only=True)` refuses it. A small file cannot become large: its entries must be stored as they are,
and its tensors together may take no more than `_LARGEST_RATIO` times its size.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from chatterbox_worker.errors import NotReady

_LARGEST_PICKLE = 32 * 2**20  # bytes; that of S3Gen's 2 500 tensors has 0.3 million
_LARGEST_RATIO = 2  # a table that two modules share is in the file once
_DEEPEST = 4  # {"model": [{"tfmr": ...}]} and the like
_MOST_TENSORS = 20_000
_REFUSED_CODES = pickle.BYTEARRAY8 + pickle.NEXT_BUFFER + pickle.EXT1 + pickle.EXT2 + pickle.EXT4
"""Opcodes that torch does not write; the first allocates what the file claims."""
_BYTES: Mapping[str, int] = MappingProxyType({
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "UntypedStorage": 1,
})  # fmt: skip

_Leaf = TypeVar("_Leaf")


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    item_bytes: int


@dataclass(frozen=True, slots=True)
class _Storage:
    item_bytes: int


def read_pickled_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """From the name of each tensor to its shape; names of nested dictionaries and lists are joined by dots.

    Raises:
        NotReady: it is not such a file, contains something else than weights, or claims to be larger than it is.
    """
    try:
        tensors, size = dict(leaves(_unpickle(path), _Tensor)), path.stat().st_size
        _check_size(sum(math.prod(tensor.shape) * tensor.item_bytes for tensor in tensors.values()), size)
        return {name: tensor.shape for name, tensor in tensors.items()}
    # what a pickle that is not one of torch's can raise
    except (pickle.UnpicklingError, zipfile.BadZipFile, OSError, ValueError, TypeError, LookupError,
            AttributeError, EOFError, OverflowError, RecursionError, NotImplementedError) as error:  # fmt: skip
        raise NotReady(f"the weights file {path} cannot be read: {error}") from error


def leaves(value: object, kind: type[_Leaf], name: str = "", depth: int = 0) -> Iterator[tuple[str, _Leaf]]:
    """The objects of a kind in nested dictionaries and lists, each with its names joined by dots."""
    if isinstance(value, kind):
        yield name, value
    elif depth < _DEEPEST and isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in items:
            yield from leaves(each, kind, f"{name}.{key}" if name else str(key), depth + 1)


def _check_size(total: int, size: int) -> None:
    if total > _LARGEST_RATIO * size:
        raise pickle.UnpicklingError(f"its tensors take {total} bytes, and the file has {size}")


def _unpickle(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise pickle.UnpicklingError("it is compressed; torch.save stores tensors as they are")
        pickles = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1 or pickles[0].file_size > _LARGEST_PICKLE or len(entries) > _MOST_TENSORS:
            raise pickle.UnpicklingError("it is not a file of torch.save")
        return _Unpickler(io.BytesIO(archive.read(pickles[0]))).load()


class _Unpickler(pickle._Unpickler):
    dispatch = {  # noqa: RUF012 - as in the class above
        code: load for code, load in pickle._Unpickler.dispatch.items() if code not in _REFUSED_CODES
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        if module == "torch" and name in _BYTES:
            return name
        raise pickle.UnpicklingError(f"it contains {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> _Storage:
        _, name, *_ = pid
        return _Storage(_BYTES[name])


def _tensor(storage: _Storage, _offset: int, size: tuple[int, ...], *_: object) -> _Tensor:
    if not all(isinstance(length, int) and length >= 0 for length in size):
        raise pickle.UnpicklingError(f"it has a tensor of shape {size}")
    return _Tensor(tuple(size), storage.item_bytes)


def _parameter(tensor: _Tensor, *_: object) -> _Tensor:
    return tensor


_FUNCTIONS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType({
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
})  # fmt: skip
