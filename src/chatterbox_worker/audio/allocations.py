"""How much libav may allocate at once. It believes what a file says of itself: 100 bytes of WAV whose title claims to
have 1.9 GB took as much memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import av.buffer

MOST_READ_BYTES = 64 * 2**20
"""For files from elsewhere: more than the largest upload, and so than any tag or picture in it."""


def limit_allocations(most_bytes: int) -> None:
    """Of each single allocation, in the whole process, from now on. No effect if libav is not to be found."""
    if _set_limit is not None:
        _set_limit(most_bytes)


def allow_allocations() -> None:
    """As libav begins: 2 GB. The index of an audiobook of thirty hours takes more than `MOST_READ_BYTES`."""
    limit_allocations(2**31 - 1)


def _find() -> Callable[[int], object] | None:
    try:  # a look-up in PyAV's library also finds what the libraries that it is linked to export
        function = ctypes.CDLL(av.buffer.__file__).av_max_alloc
    except (AttributeError, OSError):
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], None
    return function


_set_limit = _find()
