"""Which device the engines compute on, and how much of its memory is theirs."""

from __future__ import annotations

import torch


def chosen_device(wanted: str) -> torch.device:
    """The device of `Settings.device`."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    return torch.device("cuda:0" if wanted == "cuda" else wanted)


def limit_memory(device: torch.device, share: float) -> None:
    """Let this process take no more than `share` of a GPU's memory: what goes beyond it fails as if there were no more."""
    if device.type == "cuda" and share < 1.0:
        torch.cuda.set_per_process_memory_fraction(share, device)
