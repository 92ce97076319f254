"""How many utterances may be spoken at once, from the memory that their keys and values take."""

from __future__ import annotations

import torch

from chatterbox_worker.engines.chatterbox.failures import free_memory, is_out_of_memory
from chatterbox_worker.engines.chatterbox.t3 import T3
from chatterbox_worker.engines.chatterbox.t3_slots import Slots

_MOST_ON_GPU = 64  # chatterbox.md 1.7: the step's cost is the cache's by then, and a place more brings nothing
_MOST_ON_CPU = 4  # as many rows as a matrix product costs no more for than one (t3_linear)
GPU_SHARE = 0.5  # of what is free beside the weights; the rest is for the flow, the vocoder and the graphs
CPU_BUDGET_BYTES = 3 * 2**29  # 1.5 GiB: four places of the largest model in float32 (380 MB each)


def slot_bytes(t3: T3, length: int) -> int:
    """Keys and values of one utterance in `length` positions."""
    return 2 * t3.layers * t3.rows * t3.heads * length * t3.head_dim * t3.precision.dtype.itemsize


def places(slot: int, budget: float, most: int) -> int:
    """How many slots of so many bytes the budget holds: at least one, for with none nothing would be spoken."""
    return max(1, min(most, int(budget // slot)))


def free_bytes(device: torch.device) -> int:
    """Of a GPU, as far as this process may use it (`engines.device.limit_memory`)."""
    free, total = torch.cuda.mem_get_info(device)
    mine = round(torch.cuda.get_per_process_memory_fraction(device) * total) - torch.cuda.memory_reserved(device)
    return max(0, min(free, mine))


def places_for(t3: T3, length: int, *, engines: int) -> int:
    """How many slots of `length` positions fit now, where `engines` such engines will share the machine."""
    if t3.device.type == "cuda":
        budget, most = free_bytes(t3.device) * GPU_SHARE / engines, _MOST_ON_GPU
    else:
        budget, most = CPU_BUDGET_BYTES / engines, _MOST_ON_CPU
    return places(slot_bytes(t3, length), budget, most)


def make_slots(t3: T3, size: int, length: int) -> Slots:
    """So many slots, or as many of them as there turns out to be memory for."""
    while size > 1:
        try:
            return Slots(t3, size, length)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        free_memory()  # another process took what was free
        size //= 2
    return Slots(t3, 1, length)
