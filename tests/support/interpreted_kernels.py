"""The kernels of T3's step against the plain path, by Triton's interpreter: `TRITON_INTERPRET=1 python THIS_FILE`.

Each kernel by itself, and a whole step of a small model with them.

The interpreter replaces Triton's own functions when Triton is imported, so this is a process of its own.
"""

from __future__ import annotations

from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.checkpoint.remainder import t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.state_dict import Affine
from chatterbox_worker.engines.chatterbox.kernels.proven import Family
from chatterbox_worker.engines.chatterbox.t3 import model as t3_model
from chatterbox_worker.engines.chatterbox.t3.kernels import operators
from chatterbox_worker.engines.chatterbox.t3.kernels.sources import attention, elementwise, sampling
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.sampling import (
    CounterNoise,
    Sampling,
    SamplingRows,
    draw,
    filter_gpt2,
    filter_llama,
    guide,
)
from support.checkpoints import checkpoint
from support.kernels import launch_on_cpu

CPU = torch.device("cpu")
ROWS, HEADS, LENGTH, DIM = 2, 3, 700, 64
POSITIONS = torch.tensor([5, 650])
STARTS = (torch.arange(ROWS * 2 * HEADS) * LENGTH).view(ROWS, 2 * HEADS)


def check_swiglu() -> None:
    gate_up, out = torch.randn(3, 400), torch.empty(3, 200)
    elementwise.swiglu[(3, 2, 1)](gate_up, out, width=200, block=128)
    torch.testing.assert_close(out, functional.silu(gate_up[:, :200]) * gate_up[:, 200:])


def check_add_norm(dtype: torch.dtype) -> None:
    residual, x = torch.randn(2, 3, 192).to(dtype)
    shift, weight, bias = torch.randn(3, 192).to(dtype)
    total, out = torch.empty(2, 3, 192, dtype=dtype)
    elementwise.add_norm[(3, 1, 1)](residual, x, weight, bias, shift, total, out, width=192, block=256, eps=1e-5)
    expected = (residual.float() + x.float() + shift.float()).to(dtype)
    torch.testing.assert_close(total, expected)  # the interpreter cuts bfloat16 off, a GPU rounds
    torch.testing.assert_close(out, functional.layer_norm(total, (192,), weight, bias, 1e-5))


def check_store_rotated(*, rotates: bool) -> None:
    qkv, table = torch.randn(ROWS, 3, HEADS, DIM), torch.randn(LENGTH, 72)
    layer, query = torch.zeros(ROWS, 2 * HEADS, LENGTH, DIM), torch.empty(ROWS, HEADS, DIM)
    attention.store_rotated[(ROWS, HEADS, 1)](
        qkv, table, POSITIONS, STARTS, layer, query, heads=HEADS, half=32, table_width=72, rotates=rotates
    )
    cos, sin = table[POSITIONS][:, None, :32], table[POSITIONS][:, None, 32:64]

    def rotate(x: Tensor) -> Tensor:
        first, second = x[..., :32], x[..., 32:]
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1) if rotates else x

    torch.testing.assert_close(query, rotate(qkv[:, 0]))
    expected = torch.zeros_like(layer)
    for row, position in enumerate(POSITIONS):
        expected[row, :, position] = torch.cat([rotate(qkv[:, 1])[row], qkv[row, 2]])
    torch.testing.assert_close(layer, expected)


def check_attend(splits: int, dtype: torch.dtype) -> None:
    layer, query = torch.randn(ROWS, 2 * HEADS, LENGTH, DIM).to(dtype), torch.randn(ROWS, HEADS, DIM).to(dtype)
    out, partial = torch.empty_like(query), torch.empty(ROWS, HEADS, splits, DIM + 2)
    arrivals = torch.zeros(ROWS * HEADS, dtype=torch.int32)
    attention.attend[(ROWS, HEADS, splits)](
        query,
        layer,
        POSITIONS,
        STARTS,
        out,
        partial,
        arrivals,
        heads=HEADS,
        dim=DIM,
        splits=splits,
        block=64,
        overlaps=False,
    )
    assert not arrivals.any()
    for row, position in enumerate(POSITIONS.tolist()):
        keys, values = layer[row, :HEADS, : position + 1].float(), layer[row, HEADS:, : position + 1].float()
        expected = functional.scaled_dot_product_attention(query[row][:, None].float(), keys, values)[:, 0]
        torch.testing.assert_close(out[row], expected.to(dtype))


def check_project(rows: int, *, is_gpt: bool) -> None:
    """Against `store_rotated` of the product, which `check_store_rotated` compares."""
    x, norm = torch.randn(rows, 128), (torch.rand(128) + 0.5, torch.randn(128))
    positions, starts = POSITIONS.repeat(rows // 2), (torch.arange(rows * 2 * HEADS) * LENGTH).view(rows, 2 * HEADS)
    affine = Affine(torch.randn(3 * HEADS * DIM, 128) / 11, torch.randn(3 * HEADS * DIM) if is_gpt else None)
    table = None if is_gpt else torch.randn(LENGTH, 72)
    used = norm if is_gpt else norm[:1]
    layer, expected_layer = torch.zeros(2, rows, 2 * HEADS, LENGTH, DIM)
    query = operators.project(x, affine, used, table, positions, starts, layer)
    hidden = functional.layer_norm(x, (128,), *norm) if is_gpt else functional.rms_norm(x, (128,), norm[0], 1e-5)
    qkv = functional.linear(hidden, *affine).view(rows, 3, HEADS, DIM)
    expected = operators.store_rotated(qkv, table, positions, starts, expected_layer)
    torch.testing.assert_close(query, expected)
    torch.testing.assert_close(layer, expected_layer)


def check_multiply(rows: int, inputs: int) -> None:
    x, norm, residual = (
        torch.randn(rows, inputs),
        (torch.rand(inputs) + 0.5, torch.randn(inputs)),
        torch.randn(rows, 24),
    )
    affine = Affine(torch.randn(24, inputs) / inputs**0.5, torch.randn(24))
    plain = Affine(affine.weight, None)
    torch.testing.assert_close(operators.multiply(x, plain), functional.linear(x, plain.weight))
    expected = residual + functional.linear(functional.rms_norm(x, (inputs,), norm[0], 1e-5), *affine)
    torch.testing.assert_close(operators.multiply(x, affine, norm=norm[:1], residual=residual), expected)
    expected = functional.linear(functional.layer_norm(x, (inputs,), *norm), *affine)
    got = operators.multiply(x, affine, norm=norm, gelu=True)
    torch.testing.assert_close(got, functional.gelu(expected, approximate="tanh"))
    wide = functional.linear(functional.rms_norm(x, (inputs,), norm[0], 1e-5), affine.weight[:16])
    got = operators.multiply_gated(x, Affine(affine.weight[:16], None), norm[0])
    torch.testing.assert_close(got, functional.silu(wide[:, :8]) * wide[:, 8:])


def check_sample(*, guided: bool, sorts: bool) -> None:
    vocabulary, steps = 1000, 12
    samplings = [
        Sampling(temperature=0.8, min_p=0.05 * guided, cfg_weight=0.5, top_k=50 * sorts, top_p=0.95),
        Sampling(temperature=0.0, cfg_weight=0.3),
        Sampling(min_p=0.3 * guided, top_p=0.3),
        Sampling(top_k=1 * sorts),
        Sampling(top_p=0.0),
        Sampling(temperature=2.0, repetition_penalty=0.5),
    ]
    count = len(samplings)
    rows, noise = SamplingRows.of(samplings, vocabulary, CPU), CounterNoise(count, steps, vocabulary, CPU)
    for slot in range(count):
        noise.seed(slot, slot + 11)
    for step in range(steps):
        logits = torch.randn((2 if guided else 1) * count, vocabulary) * 3
        penalties = torch.where(torch.rand(count, vocabulary) < 0.1, 1.2, 1.0)
        if guided:
            plain = guide(logits[0::2], logits[1::2], rows.cfg_weight)
            plain = filter_llama(plain, penalties, rows, sorts=sorts)
        else:
            plain = filter_gpt2(logits, penalties, rows, sorts=sorts)
        at, tokens = torch.full((count,), step), torch.empty(count, dtype=torch.int64)
        sampling.sample[(count, 1, 1)](
            logits, penalties, noise.keys, at, rows.divisor, rows.is_greedy, rows.min_p, rows.tail, rows.dropped,
            rows.cfg_weight, tokens, noise.keys.stride(0), 1,
            vocabulary=vocabulary, block=1024, guided=guided, sorts=sorts,
        )  # fmt: skip
        assert torch.equal(tokens, draw(plain, noise(at), rows)), (guided, sorts, step)


def check_step(model: str, rows: int) -> None:
    """A whole step of a small T3: what a GPU runs for it, on a CPU, with few rows, a tile of 8, and others."""
    found = find(LAYOUTS[model], weights_dir=checkpoint(model), offline=True)
    t3 = T3(t3_state(found), precision=Precision.EXACT, device=CPU)
    t3.kernels = frozenset(Family)
    at = POSITIONS.repeat(rows // 2)
    cache, positions = torch.randn(t3.cache(rows, LENGTH).shape), at[:, None]
    x = torch.randn(rows, 1, t3.width)
    ours_cache, embedded = cache.clone(), x + t3._positions[positions] if t3.is_gpt else x
    plain = t3.forward(x, cache, positions, LENGTH)
    starts = t3.row_starts(ours_cache)
    assert t3._has_products(rows) is (rows != 6)
    ours = t3._step_by_kernels(embedded[:, 0], ours_cache, at, LENGTH, starts)
    torch.testing.assert_close(ours, plain[:, 0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours_cache, cache, atol=1e-4, rtol=1e-4)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    launch_on_cpu(operators._FOR_GPU)
    with (
        torch.inference_mode(),
        mock.patch.object(t3_model, "pack_weight", lambda weight: weight),
        mock.patch.object(operators, "TILE_TYPES", (torch.float32,)),  # the interpreter multiplies no bfloat16
    ):
        for rows in (2, 6, 8):
            check_step("multilingual", rows)
            check_step("turbo", rows)
    check_swiglu()
    for rows, inputs in ((1, 64), (2, 128), (4, 2048), (8, 128), (16, 2048)):
        check_multiply(rows, inputs)
    for dtype in (torch.float32, torch.bfloat16):
        check_add_norm(dtype)
        check_attend(1, dtype)
        check_attend(4, dtype)
    for flag in (False, True):
        check_store_rotated(rotates=flag)
        check_project(2, is_gpt=flag)
        check_project(8, is_gpt=flag)
        check_sample(guided=flag, sorts=False)
        check_sample(guided=flag, sorts=True)
    print("equal")  # noqa: T201


if __name__ == "__main__":
    main()
