"""The names and shapes of the tensors in a .pt file, without torch and without running anything that is in it.

The file is a zip archive with a pickle of the objects, in which each tensor refers to another entry of the archive. The
pickle is read by Python's own machine with the few functions that weights need; any other name in it is refused, as
`torch.load(weights_only=True)` refuses it. A small file cannot become large: its entries must be stored as they are,
its tensors together may take no more than `_LARGEST_RATIO` times its size, and of objects that contain one another no
more than `_MOST_OBJECTS` are visited.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from chatterbox_worker.errors import NotReady

_LARGEST_PICKLE = 4 * 2**20  # bytes; that of S3Gen's 2 500 tensors has 0.3 million
_LARGEST_RATIO = 2  # a table that two modules share is in the file once
_DEEPEST = 4  # {"model": [{"tfmr": ...}]} and the like
_MOST_TENSORS = 20_000
_MOST_OBJECTS = 200_000  # ten for each of the most tensors
_LONGEST_KEY = 1000  # characters, or bytes
_LONGEST_NAMES = 4 * _LARGEST_PICKLE  # characters of all names: a prefix that is written once is in many of them
_MOST_DIMENSIONS = 8
_LARGEST_NUMBER = 2**63  # PyTorch's lengths, and keys: the hashes of larger ones can all be the same
_REFUSED_CODES = (pickle.BYTEARRAY8 + pickle.NEXT_BUFFER + pickle.EXT1 + pickle.EXT2 + pickle.EXT4 + pickle.EMPTY_SET
                  + pickle.ADDITEMS + pickle.FROZENSET + pickle.PUT + pickle.GET)  # fmt: skip
"""Opcodes that torch does not write. The first allocates what the file claims; the last hash what the file contains,
whose hashes can all be the same.
"""
_KEYS: Mapping[bytes, slice] = MappingProxyType({
    pickle.SETITEM: slice(-2, -1), pickle.SETITEMS: slice(None, None, 2), pickle.DICT: slice(None, None, 2),
})  # fmt: skip
"""Where an opcode that fills a dictionary has its keys on the stack."""
_BYTES: Mapping[str, int] = MappingProxyType({
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1, "UntypedStorage": 1,
})  # fmt: skip
_STORAGE = ("storage", "type", "key", "location", "length")
"""What torch writes of a storage."""

PICKLE_ERRORS = (pickle.UnpicklingError, zipfile.BadZipFile, struct.error, OSError, ValueError, TypeError, LookupError,
                 AttributeError, EOFError, OverflowError, AssertionError, RuntimeError)  # fmt: skip
"""What reading a broken pickle can raise, with torch or without."""

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
    except PICKLE_ERRORS as error:
        raise NotReady(f"the weights file {path} cannot be read: {error}") from error


def leaves(value: object, kind: type[_Leaf]) -> Iterator[tuple[str, _Leaf]]:
    """The objects of a kind in nested dictionaries and lists, each with its names joined by dots.

    Raises:
        pickle.UnpicklingError: there are more than `_MOST_OBJECTS`, or their names are longer than `_LONGEST_NAMES`;
            one that several others contain counts each time.
    """
    letters = 0
    for count, (name, each) in enumerate(_walk(value)):
        letters += len(name)
        if count > _MOST_OBJECTS or letters > _LONGEST_NAMES:
            raise pickle.UnpicklingError("it has more objects than weights have")
        if isinstance(each, kind):
            yield name, each


def _walk(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    yield name, value
    if depth < _DEEPEST and isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in items:
            yield from _walk(each, f"{name}.{key}" if name else str(key), depth + 1)


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


def _with_small_keys(code: bytes) -> Callable[[Any], None]:
    """What reads the opcode, for keys that are texts and numbers: of others, many can have the same hash, or one can
    take long to hash.
    """
    load, keys = pickle._Unpickler.dispatch[code[0]], _KEYS[code]

    def check(unpickler: Any) -> None:
        if not all(map(_is_small, unpickler.stack[keys])):
            raise pickle.UnpicklingError("it has a key that is neither a short text nor a number")
        load(unpickler)

    return check


def _is_small(key: object) -> bool:
    if isinstance(key, int):
        return abs(key) < _LARGEST_NUMBER
    return isinstance(key, float | None) or (isinstance(key, str | bytes) and len(key) <= _LONGEST_KEY)


def _drop_attributes(unpickler: Any) -> None:
    """What reads BUILD: the attributes of an object, such as `_metadata` of a state dictionary, are no tensors."""
    unpickler.stack.pop()


class _Unpickler(pickle._Unpickler):
    dispatch = (
        {code: load for code, load in pickle._Unpickler.dispatch.items() if code not in _REFUSED_CODES}
        | {code[0]: _with_small_keys(code) for code in _KEYS}
        | {pickle.BUILD[0]: _drop_attributes}
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        if module == "torch" and name in _BYTES:
            return name
        raise pickle.UnpicklingError(f"it contains {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) != len(_STORAGE) or not isinstance(pid[1], str):
            raise pickle.UnpicklingError(f"it has a storage that is not given by {', '.join(_STORAGE)}")
        return _Storage(_BYTES[pid[1]])


def _tensor(
    storage: _Storage,
    _offset: int,
    size: tuple[int, ...],
    _stride: object,
    _requires_grad: object,
    _hooks: object,
    _metadata: object = None,
) -> _Tensor:
    if (
        not isinstance(size, tuple)
        or len(size) > _MOST_DIMENSIONS
        or not all(isinstance(length, int) and 0 <= length < _LARGEST_NUMBER for length in size)
    ):
        raise pickle.UnpicklingError("it has a tensor whose shape is not a tuple of lengths")
    return _Tensor(size, storage.item_bytes)


def _size(lengths: tuple[int, ...]) -> tuple[int, ...]:
    return lengths


def _ordered_dict() -> OrderedDict[object, object]:
    """Without arguments, as torch writes it: a copy of another dictionary would take memory with each reference."""
    return OrderedDict()


def _parameter(tensor: _Tensor, _requires_grad: object, _hooks: object) -> _Tensor:
    return tensor


_FUNCTIONS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType({
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): _size,
})  # fmt: skip
