"""Device, precision, thread count, arithmetic and memory limits of an engine: settings of the whole process."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import torch

from chatterbox_worker.engines.chatterbox.device.memory import DEFAULT_GRAPH_SHARE, graph_memory
from chatterbox_worker.engines.chatterbox.device.threads import use_threads
from chatterbox_worker.errors import GpuUnusable, NotReady

log = logging.getLogger(__name__)

_CONTROL, _DRIVER = Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version")
_DRIVERS = {"12": 525, "13": 580}
"""The oldest driver (Linux) for each major version of CUDA: NVIDIA's table of minor version compatibility."""

_BF16_SINCE = (8, 0)
"""Compute capability from which GPUs multiply bfloat16; before it torch emulates that, slower than float32."""


def device_of(wanted: str) -> torch.device:
    """The device for a setting: "auto", "cpu", "cuda" or "cuda:N"; a GPU always has its number.

    Raises:
        GpuUnusable: this machine has a GPU that torch cannot use, and the setting is not "cpu".
        NotReady: there is no such GPU.
    """
    if wanted == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0  # the count may include an unusable GPU
    if not count and _CONTROL.exists():
        raise GpuUnusable(_why_unusable())
    if wanted == "auto":
        return torch.device("cuda:0" if count else "cpu")
    device = torch.device("cuda:0" if wanted == "cuda" else wanted)
    if (device.index or 0) >= count:
        available = f"the last GPU here is cuda:{count - 1}" if count else "there is no GPU here"
        raise NotReady(f"the device {wanted} was requested, but {available}; auto uses what is available")
    return device


def profile_of(wanted: str, device: torch.device) -> str:
    """The profile for a setting: "exact", "fast", "int8" or "nf4". A GPU without bfloat16 is exact by default.

    Raises:
        NotReady: small weights are wanted on a GPU without bfloat16.
    """
    if device.type != "cuda":
        return "exact" if wanted == "auto" else wanted
    if wanted == "exact" or (capability := torch.cuda.get_device_capability(device)) >= _BF16_SINCE:
        return "fast" if wanted == "auto" else wanted
    name = f"{torch.cuda.get_device_name(device)} (compute capability {capability[0]}.{capability[1]})"
    if wanted in ("int8", "nf4"):
        raise NotReady(
            f"the profile {wanted} multiplies in bfloat16 on a GPU, which {name} cannot: it needs compute capability "
            "8.0; choose CHATTERBOX_PROFILE=exact"
        )
    log.warning("the profile is exact: %s has no bfloat16 arithmetic, which fast needs", name)
    return "exact"


def prepare(
    device: torch.device, threads: int, *, cudnn_attention: bool = False, graph_share: float = DEFAULT_GRAPH_SHARE
) -> None:
    """Call before anything is computed. `threads`: of a CPU; 0 for as many as the process may use. `graph_share`: of a
    GPU's memory, the most that captured graphs may take.

    A GPU's convolutions stay in float32: torch would round them to TF32, and the errors in the pitch add up in the
    phase. They are deterministic, so that a seed gives the same bits again: 0.5 ms of the vocoder's 9 for 5 s (H100).
    Its matrix products are float32 by torch's default. cuDNN's attention is off unless it is switched on: torch
    prefers it on recent GPUs, where it plans anew for every shape and has no other kernel to fall back to.
    """
    if device.type == "cpu":
        use_threads(threads)
    elif device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.enable_cudnn_sdp(cudnn_attention)
        graph_memory(device).share = graph_share


def work_on(device: torch.device) -> None:
    """Use this device for the calling thread's events, streams and new tensors. Threads start with GPU 0."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def limit_memory(device: torch.device, share: float) -> None:
    """Limit this process to `share` of a GPU's memory: allocations beyond it fail as if the memory were full."""
    if device.type == "cuda" and share < 1.0:
        torch.cuda.set_per_process_memory_fraction(share, device)


def _why_unusable() -> str:
    cuda = torch.version.cuda or "none"
    needed = _DRIVERS.get(cuda.partition(".")[0])
    driver = _driver_version()
    sentence = (
        f"this machine has a GPU, but PyTorch cannot use it (driver {driver or 'unknown'}, built for CUDA {cuda})"
    )
    if driver is not None and needed is not None and int(driver.partition(".")[0]) < needed:
        return (
            f"{sentence}: CUDA {cuda} needs driver {needed} or newer; update the driver, "
            f"or choose machines with CUDA {cuda} and newer (RunPod: the endpoint's filter of CUDA versions)"
        )
    return (
        f"{sentence}; see whether nvidia-smi works in this container and CUDA_VISIBLE_DEVICES hides the GPU, "
        "or set CHATTERBOX_DEVICE=cpu to speak on the CPU"
    )


def _driver_version() -> str | None:
    """Of NVIDIA's kernel module, such as "570.133.20"; None if it cannot be read."""
    try:
        found = re.search(r"Kernel Module.*?(\d+(?:\.\d+)+)", _DRIVER.read_text(errors="replace"))
    except OSError:
        return None
    return found.group(1) if found else None
