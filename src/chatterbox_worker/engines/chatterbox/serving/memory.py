"""How many utterances may be spoken at once, from the memory that their keys and values take, and what memory there is."""

from __future__ import annotations

from pathlib import Path

import torch

from chatterbox_worker.engines.chatterbox.device.failures import free_memory, is_out_of_memory
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.slots import Slots

_MOST_ON_GPU = 64  # chatterbox.md 1.7: the step's cost is the cache's by then, and a place more brings nothing
_MOST_ON_CPU = 4  # as many rows as a matrix product costs no more for than one (t3_linear)
GPU_SHARE = 0.5  # of what is free beside the weights; the rest is for the flow, the vocoder and the graphs
CPU_BUDGET_BYTES = 3 * 2**29  # 1.5 GiB: four places of the largest model in float32 (380 MB each)
_CGROUP, _MEMINFO = Path("/sys/fs/cgroup"), Path("/proc/meminfo")


def slot_bytes(t3: T3, length: int) -> int:
    """Keys and values of one utterance in `length` positions."""
    return 2 * t3.layers * t3.rows * t3.heads * length * t3.head_dim * t3.precision.dtype.itemsize


def places(slot: int, budget: float, most: int) -> int:
    """How many slots of so many bytes the budget holds: at least one, for with none nothing would be spoken."""
    return max(1, min(most, int(budget // slot)))


def gpu_free_bytes(device: torch.device) -> int:
    """Of a GPU, as far as this process may use it (`engines.device.limit_memory`)."""
    free, total = torch.cuda.mem_get_info(device)
    mine = round(torch.cuda.get_per_process_memory_fraction(device) * total) - torch.cuda.memory_reserved(device)
    return max(0, min(free, mine))


def places_for(t3: T3, length: int, *, engines: int) -> int:
    """How many slots of `length` positions fit now, where `engines` such engines will share the machine."""
    if t3.device.type == "cuda":
        budget, most = gpu_free_bytes(t3.device) * GPU_SHARE / engines, _MOST_ON_GPU
    else:
        budget, most = CPU_BUDGET_BYTES / engines, _MOST_ON_CPU
    return places(slot_bytes(t3, length), budget, most)


def make_slots(t3: T3, size: int, length: int, *, graphs: bool = True) -> Slots:
    """So many slots, or as many of them as there turns out to be memory for. `graphs` as in `Slots`."""
    while size > 1:
        try:
            return Slots(t3, size, length, graphs=graphs)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        free_memory()  # another process took what was free
        size //= 2
    return Slots(t3, 1, length, graphs=graphs)


def check_room(needed: int, device: torch.device) -> None:
    """See that a CPU has so many bytes to give; a GPU says so itself, when it is asked.

    Raises:
        MemoryError: it has not. A process that took them all the same would be killed, with everyone it speaks for.
    """
    if device.type == "cpu" and needed > (free := free_bytes()):
        raise MemoryError(f"{needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free")


def free_bytes(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> float:
    """What the machine has free and this process's container allows; infinite where neither tells."""
    return min(_machine_free(meminfo), _container_free(cgroup))


def _machine_free(meminfo: Path) -> float:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return float("inf")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), float("inf"))


def _container_free(cgroup: Path) -> float:
    """By version 2's files or version 1's; pages of files do not count as taken, for they can go."""
    for limit, stat, taken in (
        ("memory.max", "memory.stat", "anon"),
        ("memory/memory.limit_in_bytes", "memory/memory.stat", "total_rss"),
    ):
        try:
            allowed = float((cgroup / limit).read_text())
            used = dict(line.split() for line in (cgroup / stat).read_text().splitlines())[taken]
        except (OSError, ValueError, KeyError):  # no such file, or "max"
            continue
        return allowed - float(used)
    return float("inf")
