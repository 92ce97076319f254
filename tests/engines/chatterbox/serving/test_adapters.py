"""Base weights and an adapter: the sum is peft's, in every precision, and an adapter that does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chatterbox_worker.engine import Adapter, Factors
from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import find
from chatterbox_worker.engines.chatterbox.serving import memory
from chatterbox_worker.engines.chatterbox.serving.adapters import MergedWeights, adapt, merge_into_checkpoint
from chatterbox_worker.engines.chatterbox.serving.memory import check_memory, free_bytes
from chatterbox_worker.engines.chatterbox.t3.linear import Precision
from chatterbox_worker.engines.chatterbox.t3.model import T3
from chatterbox_worker.engines.chatterbox.t3.sampling import Sampling
from chatterbox_worker.engines.chatterbox.t3.slots import Slots
from chatterbox_worker.errors import InvalidRequest
from support.fine_tuned import tiny_adapter
from support.narrow_t3 import CPU, TEXT, VOICES, forced_noise, largest_difference, occupy, upstream
from support.t3_oracle import generate_gpt2, generate_llama, oracle_t3
from support.tiny_engine import found
from tools.step_noise import StepNoise
from tools.synthetic_adapter import GPT2, LLAMA, random_adapter

TOKENS = torch.randint(0, 6561, (24,), generator=torch.Generator().manual_seed(3)).tolist()
both = pytest.mark.parametrize("model", ["english", "turbo"])


@cache
def state(model: str) -> dict[str, Tensor]:
    return dict(upstream(model).state_dict())


def adapter_for(model: str, **options: Any) -> Adapter:
    return random_adapter(state(model), model=model, **options)


def with_peft(model: str, adapter: Adapter) -> Any:
    """Upstream's T3 into which peft has merged the same matrices."""
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

    module = oracle_t3(model)
    targets = [name.rpartition(".")[2] for name in (GPT2 if model == "turbo" else LLAMA)]
    config = LoraConfig(
        r=adapter.rank, lora_alpha=int(adapter.alpha), target_modules=targets, fan_in_fan_out=model == "turbo"
    )
    inject_adapter_in_model(config, module)
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, LoraLayer)}
    assert layers.keys() == adapter.factors.keys()
    for name, layer in layers.items():
        layer.lora_A["default"].weight.data = torch.from_numpy(adapter.factors[name].down).float()
        layer.lora_B["default"].weight.data = torch.from_numpy(adapter.factors[name].up).float()
        layer.merge()
    return module.eval()


def forced_logits(t3: T3, model: str) -> list[Tensor]:
    slots, logits = Slots(t3, 1, 200, StepNoise(forced_noise(TOKENS), t3.vocabulary)), []
    occupy(slots, 0, model, sampling=Sampling())
    for _ in TOKENS:
        logits.append(slots.logits.clone())
        slots.step()
    return logits


def upstream_logits(module: Any, model: str) -> list[Tensor]:
    voice = VOICES[model]
    vocabulary, noise = module.speech_head.weight.shape[0], forced_noise(TOKENS)
    generate = generate_gpt2 if model == "turbo" else generate_llama
    return generate(
        module, voice, TEXT, Sampling(),
        noise=lambda step: noise(torch.tensor([step]), vocabulary)[0], steps=len(TOKENS),
    ).logits  # fmt: skip


@both
def test_the_sum_and_its_logits_are_upstreams_with_peft(model: str) -> None:
    adapter = adapter_for(model, dtype=np.float16)
    theirs = with_peft(model, adapter)
    merged = MergedWeights(state(model), adapter)
    for module in adapter.factors:
        weight = theirs.get_submodule(module).base_layer.weight
        torch.testing.assert_close(merged[f"{module}.weight"], weight, atol=1e-5, rtol=1e-5)

    base = T3(state(model), precision=Precision.EXACT, device=CPU)
    mine = forced_logits(adapt(base, state(model), adapter), model)

    assert largest_difference(mine, upstream_logits(theirs, model)) < 1e-4
    assert largest_difference(mine, forced_logits(base, model)) > 0.1


def plain(tensor: Tensor) -> Tensor:
    """The numbers, of a matrix in oneDNN's layout too."""
    return tensor.to_dense() if tensor.is_mkldnn else tensor


@both
@pytest.mark.parametrize("precision", Precision)
def test_every_precision_is_computed_from_the_sum_and_shares_unchanged_tensors(
    model: str, precision: Precision
) -> None:
    name = "attn.c_attn" if model == "turbo" else "self_attn.k_proj"
    adapter = adapter_for(model, names=[name])
    base = T3(state(model), precision=precision, device=CPU)
    before = {name: plain(tensor).clone() for name, tensor in base.tensors.items()}
    merged = dict(MergedWeights(state(model), adapter))
    expected = T3(merged, precision=precision, device=CPU)

    got = adapt(base, state(model), adapter)

    assert got.tensors.keys() == expected.tensors.keys() == base.tensors.keys()
    for key, tensor in got.tensors.items():
        assert torch.equal(plain(tensor), plain(expected.tensors[key])), key
        assert torch.equal(plain(base.tensors[key]), before[key])
        assert (tensor is base.tensors[key]) is (name not in key), key


@both
def test_an_adapter_of_zeros_changes_no_bit(model: str) -> None:
    base = T3(state(model), precision=Precision.EXACT, device=CPU)
    mine = adapt(base, state(model), adapter_for(model, strength=0.0))
    for with_it, without in zip(forced_logits(mine, model), forced_logits(base, model), strict=True):
        assert torch.equal(with_it, without)


QUERY = "tfmr.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("module", "inputs", "outputs", "why"),
    [
        ("tfmr.layers.3.self_attn.q_proj", 128, 128, "'tfmr.layers.3.self_attn.q_proj', and english has no linear"),
        ("tfmr.h.0.attn.c_attn", 128, 384, "no linear layer"),
        ("text_emb", 128, 704, "no linear layer"),
        ("tfmr.norm", 128, 128, "no linear layer"),
        (QUERY, 64, 128, "q_proj of 64 inputs and 128 outputs; that of english has 128 and 128"),
        ("tfmr.layers.0.mlp.up_proj", 256, 128, "that of english has 128 and "),
    ],
)
def test_a_layer_that_the_model_lacks_is_refused(module: str, inputs: int, outputs: int, why: str) -> None:
    factors = Factors(np.ones((4, inputs), np.float32), np.ones((outputs, 4), np.float32))
    with pytest.raises(InvalidRequest, match=why) as refused:
        MergedWeights(state("english"), Adapter("english", "", 4, 8, {module: factors}))
    assert refused.value.field == "voice"


def test_a_sum_that_overflows_is_refused() -> None:
    huge = Factors(np.full((4, 128), 3e38, np.float32), np.full((128, 4), 3e38, np.float32))
    with pytest.raises(InvalidRequest, match="overflow"):
        MergedWeights(state("english"), Adapter("english", "", 4, 8, {QUERY: huge}))[f"{QUERY}.weight"]


@pytest.mark.parametrize("model", ["turbo", "multilingual"])
def test_merged_weights_are_a_checkpoint(model: str, tmp_path: Path) -> None:
    base, adapter = found(model), tiny_adapter(model)
    path = merge_into_checkpoint(base, adapter, tmp_path / model)
    served = find(LAYOUTS[model], weights_dir=tmp_path, offline=True)

    assert path == served.path(served.layout.t3)
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert served.files.keys() == base.files.keys()
    assert served.revision != base.revision
    assert not [file for file in (tmp_path / model).iterdir() if file.name not in served.files]
    state, expected = load_t3_state(served), MergedWeights(load_t3_state(base), adapter)
    assert state.keys() == dict(expected).keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)
    with pytest.raises(InvalidRequest, match="fine-tuned on other weights"):
        merge_into_checkpoint(served, adapter, tmp_path / "twice")


def test_merged_weights_have_another_revision_however_little_they_differ(tmp_path: Path) -> None:
    adapter = tiny_adapter("turbo", names=["h.0.attn.c_proj"], strength=0.0)
    for name, alpha in (("one", 1.0), ("two", 2.0)):
        merge_into_checkpoint(found("turbo"), replace(adapter, alpha=alpha), tmp_path / name / "turbo")
    revisions = {find(LAYOUTS["turbo"], weights_dir=tmp_path / name, offline=True).revision for name in ("one", "two")}
    assert len(revisions) == 2


def test_weights_are_not_merged_over_themselves_or_into_others() -> None:
    base = found("turbo")
    with pytest.raises(InvalidRequest, match="choose another folder"):
        merge_into_checkpoint(base, tiny_adapter("turbo"), base.folder)
    with pytest.raises(InvalidRequest, match="fine-tuned for multilingual; turbo cannot"):
        merge_into_checkpoint(base, replace(tiny_adapter("turbo"), model="multilingual"), base.folder)


# Memory


def container(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 5000 * 1024),
        ({"memory.max": "max\n", "memory.stat": "anon 7\nfile 9\n"}, 5000 * 1024),
        ({"memory.max": "1000000\n", "memory.stat": "anon 400000\nfile 900000\n"}, 600_000),
        ({"memory/memory.limit_in_bytes": "900000\n", "memory/memory.stat": "cache 1\ntotal_rss 400000\n"}, 500_000),
        ({"memory.max": "10000000000\n", "memory.stat": "anon 0\n"}, 5000 * 1024),
    ],
)
def test_free_memory_is_the_least_of_the_machines_and_the_containers(
    files: dict[str, str], free: int, tmp_path: Path
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert free_bytes(container(tmp_path / "cgroup", files), meminfo) == free
    assert free_bytes(tmp_path / "none", tmp_path / "none") == float("inf")


def test_an_adapter_that_exceeds_a_cpus_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 10 * 2**20)
    check_memory(10 * 2**20, CPU)
    with pytest.raises(MemoryError, match="11 MiB are needed and 10 MiB are free"):
        check_memory(11 * 2**20, CPU)
    check_memory(11 * 2**20, torch.device("cuda:0"))  # the allocation itself fails there
    base = T3(state("english"), precision=Precision.EXACT, device=CPU)
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(MemoryError):
        adapt(base, state("english"), adapter_for("english"))
