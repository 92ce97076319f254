"""How many kernels a step, a flow and a vocoder take on a GPU, counted on fake tensors of the full-size models."""

from __future__ import annotations

import json

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from bench import launches
from tools.fake_gpu import CUDA

pytestmark = pytest.mark.slow

LIMITS = {
    "multilingual": {
        "step": 390, "flow": 6500, "vocoder": 520, "step_kernels": 290, "flow_kernels": 5500, "vocoder_kernels": 450,
    },
    "turbo": {
        "step": 300, "flow": 1400, "vocoder": 520, "step_kernels": 220, "flow_kernels": 1300, "vocoder_kernels": 450,
    },
}  # fmt: skip


def test_the_models_stay_within_their_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert launches.main(["--models", *LIMITS, "--buckets", "64"]) == 0
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name: set(stages) for name, stages in counts.items()} == {name: set(most) for name, most in LIMITS.items()}
    for name, stages in LIMITS.items():
        for stage, most in stages.items():
            assert counts[name][stage] <= most, (name, stage)


def test_hidden_copies_are_counted() -> None:
    with FakeTensorMode():
        cache, values = torch.zeros(4, 6, 10, 8, device=CUDA), torch.zeros(4, 6, 1, 8, device=CUDA)
        rows, heads = torch.arange(4, device=CUDA)[:, None, None], torch.arange(6, device=CUDA)[None, :, None]
        positions = torch.zeros(4, 1, 1, dtype=torch.int64, device=CUDA)
        query = torch.zeros(1, 2, 5, 8, device=CUDA)
        mask = torch.ones(1, 1, 5, 5, dtype=torch.bool, device=CUDA)
        strided = launches.count(lambda: cache.index_put_((rows, heads, positions), values))
        flat = launches.count(
            lambda: cache.view(-1, 8).index_put_((torch.zeros(4, 6, 1, dtype=torch.int64, device=CUDA),), values)
        )
        masked = launches.count(lambda: torch.nn.functional.scaled_dot_product_attention(query, query, query, mask))
    assert (strided.operations["index_put_"], strided.hidden["index_put_"]) == (1, 3)
    assert not flat.hidden
    assert masked.hidden.total() == 3
    assert masked.operations.total() == 1
