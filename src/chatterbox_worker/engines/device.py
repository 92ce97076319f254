"""Where an engine computes, with how many threads, which arithmetic and how much memory: settings that hold for the whole process."""

from __future__ import annotations

import torch

from chatterbox_worker.engines.chatterbox.device.threads import use_threads
from chatterbox_worker.errors import NotReady


def device_of(wanted: str) -> torch.device:
    """Of a setting: "auto", "cpu", "cuda" or "cuda:N"; a GPU always with its number.

    Raises:
        NotReady: there is no such GPU.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    device = torch.device("cuda:0" if wanted == "cuda" else wanted)
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        there = f"the last GPU here is cuda:{count - 1}" if count else "there is no GPU here"
        raise NotReady(f"the device {wanted} was asked for, but {there}; auto takes what there is")
    return device


def prepare(device: torch.device, threads: int) -> None:
    """Before anything is computed. `threads` of a CPU, 0 for as many as it may use.

    A GPU's convolutions keep float32: torch would round them to TF32, and what that does to a pitch adds up to phase. Its matrix
    products keep it by torch's default.
    """
    if device.type == "cpu":
        use_threads(threads)
    elif device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


def work_on(device: torch.device) -> None:
    """The calling thread's events, streams and new tensors are this device's. Threads begin on GPU 0."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def limit_memory(device: torch.device, share: float) -> None:
    """Let this process take no more than `share` of a GPU's memory: what goes beyond it fails as if there were no more."""
    if device.type == "cuda" and share < 1.0:
        torch.cuda.set_per_process_memory_fraction(share, device)
