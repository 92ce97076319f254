"""Small weights: the arithmetic of a model whose weights are the dequantised ones, alone and in a batch."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType

import pytest
import torch
from torch import Tensor

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.kernels.proven import families
from chatterbox_worker.engines.chatterbox.serving.adapters import adapt
from chatterbox_worker.engines.chatterbox.t3 import quantize
from chatterbox_worker.engines.chatterbox.t3.linear import (
    Precision,
    Small,
    Source,
    linear,
    precision_of,
)
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.quantize import (
    NF4,
    check_nf4,
    dequantize_nf4,
    load_bitsandbytes,
    quantize_nf4,
)
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import NotReady
from support.fine_tuned import tiny_adapter
from support.narrow_t3 import TEXT, occupy
from support.small_weights import ROUND, dequantized_state
from support.tiny_engine import found

CPU, CUDA, META = torch.device("cpu"), torch.device("cuda:0"), torch.device("meta")
SMALL = [Precision.INT8_WEIGHTS, Precision.NF4]
TEXTS = (TEXT, [255, 5, 0])
both_models = pytest.mark.parametrize("model", ["multilingual", "turbo"])
both_precisions = pytest.mark.parametrize("precision", SMALL)


@cache
def state(model: str) -> dict[str, Tensor]:
    return load_t3_state(found(model))


@cache
def small(model: str, precision: Precision) -> T3:
    return T3(state(model), precision=precision, device=CPU)


def tokens(t3: T3, model: str, *, together: bool = False, steps: int = 25) -> list[list[int]]:
    """Two texts with seeds of their own, one after the other or in one batch."""
    size = len(TEXTS) if together else 1
    spoken: list[list[int]] = [[] for _ in TEXTS]
    slots = Slots(t3, size, 300)
    for group in [range(len(TEXTS))] if together else [[0], [1]]:
        for slot, which in enumerate(group):
            occupy(slots, slot, model, text=TEXTS[which], seed=7 + which)
        for _ in range(steps):
            for which, token in zip(group, slots.step()[:size].tolist(), strict=True):
                spoken[which].append(token)
        for slot in range(size):
            slots.release(slot)
    return spoken


@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("multilingual", Precision.NF4), ("turbo", Precision.INT8_WEIGHTS),
        pytest.param("multilingual", Precision.INT8_WEIGHTS, marks=pytest.mark.slow),
        pytest.param("turbo", Precision.NF4, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_tokens_are_those_of_the_dequantised_weights_alone_and_in_a_batch(model: str, precision: Precision) -> None:
    reference = T3(dequantized_state(state(model), precision), precision=Precision.EXACT, device=CPU)
    expected = tokens(reference, model)
    assert tokens(small(model, precision), model) == expected
    assert tokens(small(model, precision), model, together=True) == expected
    assert min(len(set(each)) for each in expected) > 15  # the comparison is meaningful only if the tokens vary


@both_precisions
def test_an_adapter_is_merged_before_it_is_quantised(precision: Precision) -> None:
    adapter = tiny_adapter("turbo")
    exact = adapt(T3(state("turbo"), precision=Precision.EXACT, device=CPU), state("turbo"), adapter)
    adapted = adapt(small("turbo", precision), state("turbo"), adapter)
    assert adapted.precision is precision
    changed = [
        name for name, tensor in adapted.tensors.items() if tensor is not small("turbo", precision).tensors[name]
    ]
    assert changed
    dense, layer = (t3._blocks[0].attention_in for t3 in (exact, adapted))  # type: ignore[attr-defined]
    x = torch.randn(2, dense.weight.to_dense().shape[1] if dense.weight.is_mkldnn else dense.weight.shape[1])
    whole = dense.weight.to_dense() if dense.weight.is_mkldnn else dense.weight
    torch.testing.assert_close(layer(x), x @ ROUND[precision](whole).t() + dense.bias, rtol=1e-5, atol=1e-5)


@both_models
@both_precisions
def test_what_is_saved_and_lost_is_counted(model: str, precision: Precision) -> None:
    t3, rounded = small(model, precision), dequantized_state(state(model), precision)
    figures = t3.small_weights()
    assert figures is not None
    names = [name for name, weight in rounded.items() if weight is not state(model)[name]]
    lost = sum((rounded[name] - state(model)[name]).square().sum().item() for name in names)
    assert figures.relative_error == pytest.approx(
        (lost / sum(state(model)[n].square().sum().item() for n in names)) ** 0.5
    )
    values = sum(rounded[name].numel() for name in names)
    per_value = {Precision.INT8_WEIGHTS: 1, Precision.NF4: 0.5 + 4 / 64}[precision]
    scales = 4 * sum(rounded[n].shape[1 if n.startswith("tfmr.h.") else 0] for n in names)
    small_bytes = values * per_value + (scales if precision is Precision.INT8_WEIGHTS else 0)
    sums = sum(tensor.nbytes for name, tensor in t3.tensors.items() if name.endswith(" error"))
    others = figures.stored_bytes - sums - small_bytes
    exact = T3(state(model), precision=Precision.EXACT, device=CPU)
    assert others == sum(tensor.numel() * 4 for tensor in exact.tensors.values()) - 4 * values
    assert figures.unquantized_bytes - sums == others + 4 * values
    assert exact.small_weights() is None


def test_the_table_is_made_of_a_normal_distributions_quantiles() -> None:
    """Appendix E: 2^3 + 1 quantiles above zero and 2^3 below, between 0.5 and 1 - (1/30 + 1/32) / 2, scaled to 1."""
    offset = 1 - (1 / 30 + 1 / 32) / 2
    above = torch.special.ndtri(torch.linspace(offset, 0.5, 9, dtype=torch.float64)[:-1])
    below = -torch.special.ndtri(torch.linspace(offset, 0.5, 8, dtype=torch.float64)[:-1])
    values = torch.cat([above, below, torch.zeros(1, dtype=torch.float64)]).sort().values
    torch.testing.assert_close(values / values.max(), torch.tensor(NF4, dtype=torch.float64), rtol=0, atol=2e-6)


def test_every_weight_becomes_the_nearest_value_of_its_block() -> None:
    weight = torch.randn(6, 128, generator=torch.Generator().manual_seed(0))
    weight[0, :64] = 0
    whole = dequantize_nf4(*quantize_nf4(weight))
    scales = weight.reshape(-1, 64).abs().amax(1)
    choices = scales[:, None, None] * torch.tensor(NF4)
    nearest = (weight.reshape(-1, 64, 1) - choices).abs().amin(-1)
    torch.testing.assert_close((weight - whole).abs().reshape(-1, 64), nearest)
    assert torch.equal(whole[0, :64], torch.zeros(64))


@pytest.mark.slow  # importing bitsandbytes takes seconds
def test_weights_are_packed_as_bitsandbytes_packs_and_unpacks_them() -> None:
    load_bitsandbytes()
    weight = torch.randn(48, 128, generator=torch.Generator().manual_seed(1))
    codes, scales = quantize_nf4(weight)
    packed, theirs = torch.ops.bitsandbytes.quantize_4bit(weight, 64, "nf4", torch.uint8)
    assert torch.equal(codes.flatten(), packed.flatten())
    assert torch.equal(scales, theirs)
    for dtype in (torch.float32, torch.bfloat16):
        unpacked = torch.ops.bitsandbytes.dequantize_4bit(codes, scales, 64, "nf4", (48, 128), dtype)
        assert torch.equal(unpacked, dequantize_nf4(codes, scales, dtype))


def test_a_device_that_cannot_unpack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "load_bitsandbytes", lambda: None)
    check = check_nf4.__wrapped__
    check(CPU)
    with pytest.raises(NotReady, match="bitsandbytes cannot unpack nf4 weights on meta"):
        check(META)
    monkeypatch.setattr(quantize, "dequantize_nf4", lambda codes, *_: torch.randn(codes.shape))
    with pytest.raises(NotReady, match="unpacks nf4 weights on cpu to other values"):
        check(CPU)


@both_precisions
def test_a_layer_in_bfloat16_is_near_the_one_in_float32(precision: Precision) -> None:
    weight, bias = torch.randn(32, 64, generator=torch.Generator().manual_seed(2)), torch.arange(32.0)
    layer = linear(Source("a", lambda: weight, bias, lambda _, make: make()), precision, CPU)
    assert isinstance(layer, Small)
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(3))
    expected = x @ ROUND[precision](weight).t() + bias
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer(x.bfloat16()).float(), expected, rtol=0.03, atol=0.2)
    product, shift = layer.product_and_bias(x)
    torch.testing.assert_close(product + shift, expected, rtol=1e-5, atol=1e-5)


def test_profiles_and_devices_go_together_or_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision_of("int8", CPU) is Precision.INT8
    assert precision_of("int8", CUDA) is precision_of("int8", META) is Precision.INT8_WEIGHTS
    assert [each.dtype_on(CUDA) for each in SMALL] == [torch.bfloat16] * 2
    with pytest.raises(NotReady, match=r"nf4 is for GPUs.*int8"):
        precision_of("nf4", CPU)
    for profile in ("int8", "nf4"):
        assert not families("off", CUDA, profile)
        with pytest.raises(NotReady, match=f"CHATTERBOX_KERNELS.*{profile}"):
            families("on", CUDA, profile)

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match="pip install bitsandbytes"):
        linear(Source("a", lambda: torch.ones(2, 64), None, lambda _, make: make()), Precision.NF4, CUDA)
    monkeypatch.undo()

    def fail(_: str) -> ModuleType:
        raise RuntimeError("no library for CUDA 13")

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(NotReady, match="no library for CUDA 13"):
        load_bitsandbytes()
