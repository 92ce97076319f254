"""The kernels of the flow and the vocoder: their arithmetic by Triton's interpreter, and that no GPU is needed."""

from __future__ import annotations

import pytest
import torch

from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from support.kernels import compile_everywhere, run_interpreted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # seconds for each


def norm_product(kind: str, block_width: int) -> tuple[dict[str, str], dict[str, object], int]:
    """The types, constants and warps of the full-size feed-forward's first product."""
    constants: dict[str, object] = {"width": 256, "outputs": 1032, "biased": True, "gelu": True, "eps": 1e-5}
    blocks: dict[str, object] = {"block_rows": 64, "block_outputs": 64, "block_width": block_width}
    types = dict.fromkeys(("x", "gain", "offset", "weight", "bias", "out"), kind)
    return types | {"rows": "i32"}, constants | blocks, 4


def norm_mish_add(kind: str) -> tuple[dict[str, str], dict[str, object], int]:
    types = dict.fromkeys(("x", "gain", "offset", "added", "out"), kind) | {"x_frames": "i32", "added_frames": "i32"}
    return types, {"each_frame": True, "width": 256, "block": 256, "eps": 1e-5}, 1


def snake() -> tuple[dict[str, str], dict[str, object], int]:
    types = {"x": "*fp32", "alpha": "*fp32", "mask": "*i1", "out": "*fp32", "size": "i32"}
    return types, {"scaled": True, "masked": True, "block": 1024}, 4


KERNELS = {
    "norm_product fast": norm_product("*fp16", 64),
    "norm_product overflow": norm_product("*bf16", 64),
    "norm_product exact": norm_product("*fp32", 32),
    "norm_mish_add": norm_mish_add("*fp16"),
    "snake": snake(),
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
        norm, affine = Affine(weight[0], weight[1]), Affine(weight, None)
        assert operators.norm_product(x, norm, affine, gelu=True).shape == (2, 3, 5)
        assert operators.norm_mish_add(x, norm, weight[2], 2).shape == (2, 2, 8)
        with pytest.raises(ValueError, match="must be contiguous; its strides are"):
            operators.norm_product(x[:, :2], norm, affine, gelu=True)
