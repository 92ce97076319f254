"""How many utterances fit into one batch: the memory that their keys and values take, and the memory that is free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from chatterbox_worker.engines.chatterbox.device.failures import free_memory, is_out_of_memory
from chatterbox_worker.engines.chatterbox.device.memory import gpu_free_bytes
from chatterbox_worker.engines.chatterbox.t3.block_slots import BlockSlots
from chatterbox_worker.engines.chatterbox.t3.decoder import Decoder
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.slots import Slots

_MOST_ON_GPU = 64  # with this many, reading the cache dominates a step's cost and another slot adds no throughput
_MOST_ON_CPU = 4  # a matrix product with up to this many rows costs no more than with one (t3/linear.py)
GPU_SHARE = 0.5  # of what the weights leave free; the rest is for the flow, the vocoder and the graphs
CPU_BUDGET_BYTES = 3 * 2**29  # 1.5 GiB: two slots of the largest model in float32 (760 MB each)
_CGROUP, _MEMINFO = Path("/sys/fs/cgroup"), Path("/proc/meminfo")


def slot_bytes(t3: T3, length: int) -> int:
    """Bytes of one utterance's keys and values in `length` positions."""
    return 2 * t3.layers * t3.rows * t3.heads * length * t3.head_dim * t3.dtype.itemsize


def slots_within(slot: int, budget: float, most: int) -> int:
    """How many slots of `slot` bytes fit into `budget` bytes: at most `most`, and at least one to be able to run."""
    return max(1, min(most, int(budget // slot)))


def slots_for(t3: T3, length: int, *, engines: int) -> int:
    """How many slots of `length` positions fit now, if `engines` such engines share the machine."""
    if t3.device.type == "cuda":
        budget, most = gpu_free_bytes(t3.device) * GPU_SHARE / engines, _MOST_ON_GPU
    else:
        budget, most = CPU_BUDGET_BYTES / engines, _MOST_ON_CPU
    return slots_within(slot_bytes(t3, length), budget, most)


def decoder_of(t3: T3) -> type[Slots | BlockSlots]:
    """How the model decodes: token by token, or in blocks."""
    return Slots if t3.mask is None else BlockSlots


def make_slots(
    t3: T3, size: int, length: int, *, graphs: bool = True, aligned_heads: Sequence[tuple[int, int]] = ()
) -> Decoder:
    """`size` slots, or half as many each time that allocation runs out of memory. The others as in `Slots`."""
    decoder = decoder_of(t3)
    while size > 1:
        try:
            return decoder(t3, size, length, graphs=graphs, aligned_heads=aligned_heads)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        free_memory()  # another process took what was free
        size //= 2
    return decoder(t3, 1, length, graphs=graphs, aligned_heads=aligned_heads)


def check_memory(needed: int, device: torch.device) -> None:
    """Check that `needed` bytes are free on a CPU; on a GPU the allocation itself reports that.

    Raises:
        MemoryError: they are not. Allocating them anyway would get the process killed, with all its requests.
    """
    if device.type == "cpu" and needed > (free := free_bytes()):
        raise MemoryError(f"{needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} MiB are free")


def free_bytes(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> float:
    """The lower of the machine's free memory and what this container may still use; infinite if both are unknown."""
    return min(_machine_free(meminfo), _container_free(cgroup))


def _machine_free(meminfo: Path) -> float:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return float("inf")
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), float("inf"))


def _container_free(cgroup: Path) -> float:
    """From the files of cgroups v2 or v1; the page cache does not count as used, since it can be dropped."""
    for limit, stat, field in (
        ("memory.max", "memory.stat", "anon"),
        ("memory/memory.limit_in_bytes", "memory/memory.stat", "total_rss"),
    ):
        try:
            allowed = float((cgroup / limit).read_text())
            used = dict(line.split() for line in (cgroup / stat).read_text().splitlines())[field]
        except (OSError, ValueError, KeyError):  # no such file, or "max"
            continue
        return allowed - float(used)
    return float("inf")
