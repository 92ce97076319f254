"""The kernels of T3's step: their arithmetic by Triton's interpreter, and that no GPU and no compiler is needed."""

from __future__ import annotations

import importlib

import pytest
import torch

from support.kernels import compile_everywhere, run_interpreted

pytestmark = pytest.mark.slow

_ROW = {"positions": "*i64", "starts": "*i64"}
KERNELS: dict[str, tuple[dict[str, str], dict[str, object], int]] = {  # types, constants of the full-size models, warps
    "attention.store_rotated": (
        {"qkv": "*bf16", "table": "*bf16", **_ROW, "cache": "*bf16", "query": "*bf16"},
        {"heads": 16, "half": 32, "table_width": 72, "rotates": True}, 1,
    ),
    "attention.attend": (
        {"query": "*bf16", "cache": "*bf16", **_ROW, "out": "*bf16", "partial": "*fp32", "arrivals": "*i32"},
        {"heads": 16, "dim": 64, "splits": 4, "block": 128}, 4,
    ),
    "products.project": (
        {
            "x": "*bf16", "weight": "*bf16", "bias": "*bf16", "gain": "*bf16", "shift": "*bf16", "table": "*bf16",
            **_ROW, "cache": "*bf16", "query": "*bf16",
        },
        {
            "rows": 2, "inputs": 1024, "heads": 16, "half": 32, "block": 4, "table_width": 72, "rotates": True,
            "kind": 1, "biased": False, "eps": 1e-5, "stretches": 0,
        }, 2,
    ),
    "products.multiply": (
        dict.fromkeys(("x", "weight", "bias", "gain", "shift", "residual", "out"), "*bf16"),
        {
            "rows": 4, "inputs": 4096, "outputs": 1024, "block": 4, "kind": 0, "gelu": False, "biased": True,
            "adds": True, "eps": 1e-5, "stretches": 0,
        }, 8,
    ),
    "products.multiply_gated": (
        dict.fromkeys(("x", "weight", "gain", "out"), "*bf16"),
        {"rows": 2, "inputs": 1024, "outputs": 4096, "block": 8, "eps": 1e-5, "stretches": 0}, 4,
    ),
    "elementwise.swiglu": ({"gate_up": "*bf16", "out": "*bf16"}, {"width": 4096, "block": 1024}, 4),
    "elementwise.add_norm": (
        dict.fromkeys(("residual", "x", "weight", "bias", "shift", "total", "out"), "*bf16"),
        {"width": 1024, "block": 1024, "eps": 1e-5}, 4,
    ),
    "sampling.sample": (
        {
            "logits": "*fp32", "penalties": "*fp32", "keys": "*i64", "steps": "*i64", "divisor": "*fp32",
            "greedy": "*i1", "min_p": "*fp32", "tail": "*fp32", "dropped": "*i64", "cfg": "*fp32", "tokens": "*i64",
            "key_stride": "i32", "step_stride": "i32",
        },
        {"vocabulary": 8194, "block": 16384, "guided": True, "sorts": True}, 16,
    ),
}  # fmt: skip
TILES: dict[str, tuple[dict[str, object], int]] = {  # what differs by tensor cores, and the warps
    "products.project": ({"rows": 8, "block": 8, "stretches": 4}, 4),
    "products.multiply": ({"rows": 16, "block": 8, "stretches": 16}, 16),
    "products.multiply_gated": ({"rows": 16, "block": 8, "stretches": 4}, 4),
}
for _name, (_constants, _warps) in TILES.items():
    KERNELS[f"{_name} tiles"] = (KERNELS[_name][0], KERNELS[_name][1] | _constants, _warps)


def test_the_kernels_compute_what_the_plain_path_computes() -> None:
    run_interpreted("interpreted_kernels.py")


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_compiles_for_every_gpu_without_a_compiler(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, _, function = name.partition(" ")[0].partition(".")
    module = importlib.import_module(f"chatterbox_worker.engines.chatterbox.t3.kernels.sources.{file}")

    monkeypatch.setenv("PATH", "/nonexistent")
    compile_everywhere(getattr(module, function), *KERNELS[name])


def test_the_operators_are_known_to_fake_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    from chatterbox_worker.engines.chatterbox.t3.kernels import operators

    with FakeTensorMode():
        gate_up = torch.zeros(3, 20, device="cuda:0")
        assert operators.swiglu(gate_up).shape == (3, 10)
