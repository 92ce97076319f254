"""The kernels of the flow and the vocoder: their arithmetic by Triton's interpreter, and that no GPU is needed."""

from __future__ import annotations

import pytest
import torch

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from support.kernels import compile_everywhere, run_interpreted

pytestmark = pytest.mark.slow


def norm_mish_add(kind: str) -> tuple[dict[str, str], dict[str, object], int]:
    types = dict.fromkeys(("x", "gain", "offset", "added", "out"), kind) | {"x_frames": "i32", "added_frames": "i32"}
    return types, {"each_frame": True, "width": 256, "block": 256, "eps": 1e-5}, 1


def snake() -> tuple[dict[str, str], dict[str, object], int]:
    types = {"x": "*fp32", "alpha": "*fp32", "mask": "*i1", "out": "*fp32", "size": "i32"}
    return types, {"scaled": True, "masked": True, "block": 1024}, 4


def feed_forward(kind: str) -> tuple[dict[str, str], dict[str, object], int]:
    names = ("x", "gain", "offset", "wide", "wide_bias", "narrow", "out")
    constants: dict[str, object] = {
        "frames": 64,
        "width": 256,
        "inner": 1024,
        "stride": 1032,
        "block": 32,
        "unit": 8.0,
        "eps": 1e-5,
    }
    return dict.fromkeys(names, kind) | {"count": "i32"}, constants, 4


KERNELS = {
    "norm_mish_add fast": norm_mish_add("*fp16"),
    "norm_mish_add overflow": norm_mish_add("*bf16"),
    "norm_mish_add exact": norm_mish_add("*fp32"),
    "snake": snake(),
    "feed_forward": feed_forward("*fp16"),
}


def test_the_kernels_compute_what_the_plain_path_computes() -> None:
    run_interpreted("interpreted_sound_kernels.py")


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_compiles_for_every_gpu_without_a_compiler(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from chatterbox_worker.engines.chatterbox.s3gen.kernels import sources

    monkeypatch.setenv("PATH", "/nonexistent")
    compile_everywhere(getattr(sources, name.partition(" ")[0]), *KERNELS[name])


def test_a_tensor_that_a_kernel_would_read_wrongly_is_refused() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    from chatterbox_worker.engines.chatterbox.s3gen.kernels import operators

    with FakeTensorMode():
        x, weight = torch.zeros(2, 3, 8, device="cuda:0"), torch.zeros(5, 8, device="cuda:0")
        norm = Affine(weight[0], weight[1])
        assert operators.norm_mish_add(x, norm, weight[2], 2).shape == (2, 2, 8)
        with pytest.raises(ValueError, match="must be contiguous; its strides are"):
            operators.norm_mish_add(x[:, :2], norm, weight[2], 2)
