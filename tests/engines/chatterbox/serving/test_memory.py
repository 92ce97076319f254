"""How many slots fit into the memory."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.serving import memory
from chatterbox_worker.engines.chatterbox.serving.memory import make_slots, slot_bytes, slots_for, slots_within
from chatterbox_worker.engines.chatterbox.t3.model import T3
from support.tiny_engine import parts


@pytest.mark.parametrize(
    ("slot", "budget", "expected"), [(100, 1000, 8), (100, 399, 3), (100, 99, 1), (100, 0, 1), (1, 10**9, 8)]
)
def test_slots_are_as_many_as_fit_the_budget_and_at_least_one(slot: int, budget: int, expected: int) -> None:
    assert slots_within(slot, budget, 8) == expected


@pytest.mark.parametrize("model", ["turbo", "multilingual"])
def test_a_slots_bytes_are_those_of_its_cache(model: str) -> None:
    t3 = parts(model).t3
    assert slot_bytes(t3, 77) == t3.cache(t3.rows, 77).nbytes


def test_engines_share_the_machines_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    t3 = parts("turbo").t3
    monkeypatch.setattr(memory, "CPU_BUDGET_BYTES", 4 * slot_bytes(t3, 100))
    assert [slots_for(t3, 100, engines=engines) for engines in (1, 2, 9)] == [4, 2, 1]


def test_slots_on_a_gpu_take_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    t3 = copy.copy(parts("turbo").t3)
    t3.device = torch.device("cuda:1")
    free = {t3.device: 60 * slot_bytes(t3, 100)}
    monkeypatch.setattr(memory, "gpu_free_bytes", lambda device: free[device])
    assert [slots_for(t3, 100, engines=engines) for engines in (1, 2, 9, 99)] == [30, 15, 3, 1]
    free[t3.device] *= 9
    assert slots_for(t3, 100, engines=1) == 64


def test_slots_that_run_out_of_memory_become_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    real = T3.cache

    def small(t3: T3, rows: int, length: int) -> Tensor:
        if rows > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(t3, rows, length)

    monkeypatch.setattr(T3, "cache", small)
    assert make_slots(parts("turbo").t3, 16, 50).size == 2


def test_another_failure_is_not_tried_again_with_fewer_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fail(t3: T3, rows: int, length: int) -> Tensor:
        tried.append(rows)
        raise KeyError("a bug")

    monkeypatch.setattr(T3, "cache", fail)
    with pytest.raises(KeyError):
        make_slots(parts("turbo").t3, 16, 50)
    assert tried == [16]
