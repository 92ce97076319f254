"""Device, thread count, arithmetic and memory limit of an engine: settings of the whole process."""

from __future__ import annotations

import torch

from chatterbox_worker.engines.chatterbox.device.threads import use_threads
from chatterbox_worker.errors import NotReady


def device_of(wanted: str) -> torch.device:
    """The device for a setting: "auto", "cpu", "cuda" or "cuda:N"; a GPU always has its number.

    Raises:
        NotReady: there is no such GPU.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    device = torch.device("cuda:0" if wanted == "cuda" else wanted)
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        available = f"the last GPU here is cuda:{count - 1}" if count else "there is no GPU here"
        raise NotReady(f"the device {wanted} was requested, but {available}; auto uses what is available")
    return device


def prepare(device: torch.device, threads: int) -> None:
    """Call before anything is computed. `threads`: of a CPU; 0 for as many as the process may use.

    A GPU's convolutions stay in float32: torch would round them to TF32, and the errors in the pitch add up in the
    phase. Its matrix products are float32 by torch's default.
    """
    if device.type == "cpu":
        use_threads(threads)
    elif device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


def work_on(device: torch.device) -> None:
    """Use this device for the calling thread's events, streams and new tensors. Threads start with GPU 0."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def limit_memory(device: torch.device, share: float) -> None:
    """Limit this process to `share` of a GPU's memory: allocations beyond it fail as if the memory were full."""
    if device.type == "cuda" and share < 1.0:
        torch.cuda.set_per_process_memory_fraction(share, device)
