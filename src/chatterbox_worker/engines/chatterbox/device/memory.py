"""A GPU's memory: what this process may still take of it, and the part that captured graphs may take."""

from __future__ import annotations

import threading
import weakref

import torch

DEFAULT_GRAPH_SHARE = 0.15
"""Of the memory that this process may use. Not measured yet: two models have about 500 graphs."""

_SPARE = 1 / 16  # of the same memory: for batches that are larger than any before


def usable_bytes(device: torch.device) -> float:
    """Of a GPU's memory, what this process may use at all (`engines.device.limit_memory`)."""
    _, total = torch.cuda.mem_get_info(device)
    return torch.cuda.get_per_process_memory_fraction(device) * total


def gpu_free_bytes(device: torch.device) -> int:
    """Free memory of a GPU that this process may take; what torch has cached is not counted."""
    free, _ = torch.cuda.mem_get_info(device)
    mine = round(usable_bytes(device)) - torch.cuda.memory_reserved(device)
    return max(0, min(free, mine))


class GraphMemory:
    """How much memory the graphs of one GPU take. Safe to use from any thread."""

    def __init__(self, device: torch.device, share: float = DEFAULT_GRAPH_SHARE) -> None:
        """`share`: of the memory that this process may use."""
        self._device, self.share = device, share
        self._used = 0
        self._lock = threading.RLock()  # an owner may be collected while another one is counted

    @property
    def used_bytes(self) -> int:
        """By what the device's free memory shrank during captures; other allocations meanwhile count too."""
        return self._used

    def has_room(self) -> bool:
        """Whether one more graph may be captured: the share is not used up, and a sixteenth of the memory is free."""
        cached = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        usable = usable_bytes(self._device)
        return gpu_free_bytes(self._device) + cached > _SPARE * usable and self._used < self.share * usable

    def is_tight(self) -> bool:
        """Whether a graph may need memory that torch has cached: a capture takes memory from the driver only."""
        return gpu_free_bytes(self._device) < _SPARE * usable_bytes(self._device)

    def add(self, taken: int, owner: object) -> None:
        """Count a graph that took so many bytes, as long as `owner` lives, which keeps it."""
        self._count(max(0, taken))
        weakref.finalize(owner, self._count, -max(0, taken)).atexit = False

    def _count(self, change: int) -> None:
        with self._lock:
            self._used += change


_graphs: dict[torch.device, GraphMemory] = {}
_lock = threading.Lock()


def graph_memory(device: torch.device) -> GraphMemory:
    """The one account of a GPU's graphs."""
    with _lock:
        return _graphs.setdefault(device, GraphMemory(device))
