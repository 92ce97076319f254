"""The limit on a GPU's memory, and the settings of the device and of CSM's repository."""

from __future__ import annotations

import pytest
import torch

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.device.memory import gpu_free_bytes
from chatterbox_worker.engines.device import limit_memory
from chatterbox_worker.errors import InvalidRequest

GPU = torch.device("cuda:0")


def test_a_share_of_the_memory_is_set_for_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[float, torch.device]] = []
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: limits.append((share, device))
    )
    limit_memory(torch.device("cpu"), 0.5)
    limit_memory(GPU, 1.0)
    limit_memory(GPU, 0.85)

    assert limits == [(0.85, GPU)]


@pytest.mark.parametrize(("share", "free"), [(1.0, 60), (0.5, 40), (0.05, 0)])
def test_free_memory_is_at_most_what_the_share_leaves(monkeypatch: pytest.MonkeyPatch, share: float, free: int) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60, 100))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: share)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 10)

    assert gpu_free_bytes(GPU) == free


@pytest.mark.parametrize("text", ["0", "0.04", "1.01", "nan", "inf", "much", "-1"])
def test_an_invalid_share_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="CHATTERBOX_GPU_MEMORY_FRACTION"):
        Settings.from_env({"CHATTERBOX_GPU_MEMORY_FRACTION": text})


@pytest.mark.parametrize("text", ["csm-1b", "a/b/c", "a/b@", "https://example.com/a"])
def test_an_invalid_repository_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="CHATTERBOX_CSM_REPO"):
        Settings.from_env({"CHATTERBOX_CSM_REPO": text})
