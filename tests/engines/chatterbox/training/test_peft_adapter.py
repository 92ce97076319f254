"""Adapters in PEFT's format become voices that change T3 as PEFT itself does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from chatterbox_worker.engines.chatterbox.checkpoint.checkpoint import load_t3_state
from chatterbox_worker.engines.chatterbox.serving.adapters import MergedWeights
from chatterbox_worker.engines.chatterbox.training.peft_adapter import read_peft_adapter
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.train.import_adapter import main
from chatterbox_worker.voices.bundle import unpack
from support.audio_clips import wav_bytes
from support.checkpoints import checkpoint
from support.peft_adapters import FIRST, SECOND, write_adapter
from support.tiny_engine import found


@pytest.mark.parametrize(
    ("more", "scales"),
    [
        ({}, (2.0, 3.0)),
        ({"use_rslora": True}, (4.0, 6 / math.sqrt(2))),
        ({"alpha_pattern": {r"layers\.1\.mlp\.(up|down)_proj": 6, "proj": 1}}, (2.0, 3.0)),
    ],
)
@pytest.mark.parametrize("prefix", ["base_model.model.", "base_model.model.t3.", "layers"])
def test_ranks_and_scales_of_each_layer_are_those_of_peft(
    tmp_path: Path, prefix: str, more: dict[str, Any], scales: tuple[float, float]
) -> None:
    changes = write_adapter(tmp_path / "adapter", prefix, **more)
    adapter = read_peft_adapter(tmp_path / "adapter", found("english"))
    base = load_t3_state(found("english"))
    merged = MergedWeights(base, adapter)
    for module, scale in zip((FIRST, SECOND), scales, strict=True):
        expected = base[f"{module}.weight"] + scale * changes[module]
        torch.testing.assert_close(merged[f"{module}.weight"], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3', not LORA"),
        ({"use_dora": True}, "use_dora True, which a voice cannot have"),
        ({"modules_to_save": ["text_emb"]}, "modules_to_save"),
        ({"lora_bias": True}, "it has lora_bias True"),
        ({"lora_alpha": "x"}, "the alpha 'x'"),
        ({"lora_alpha": True}, "the alpha True"),
        ({"lora_alpha": math.inf}, "the alpha inf"),
        ({"alpha_pattern": {"(": 1}}, "an alpha_pattern that is no regular expression"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is 'pissa_niter_4', which changes the model's"),
    ],
)
def test_what_a_voice_cannot_have_is_refused_by_name(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    write_adapter(tmp_path / "adapter", **config)
    with pytest.raises(InvalidRequest, match=why):
        read_peft_adapter(tmp_path / "adapter", found("english"))


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"lora_A": (0, 8), "lora_B": (8, 0)}, "has no lora_A"),
        ({"lora_A": (4, 8)}, "has no lora_A"),
        ({"lora_B": (8, 4)}, "has no lora_A"),
        ({"lora_A": (4,), "lora_B": (8, 4)}, "has no lora_A"),
        ({"lora_A": (4, 8, 1), "lora_B": (8, 4)}, "has no lora_A"),
        ({"lora_A": (4, 8), "lora_B": (8, 4, 1)}, "has no lora_A"),
        ({"lora_A": (4, 8), "lora_B": (8, 2)}, "has no lora_A"),
        ({"lora_A": (4, 8), "lora_B": (8, 4), "lora_magnitude": (8,)}, r"it has .*lora_magnitude.weight"),
        ({}, "it has nothing"),
        (None, "cannot be imported"),
    ],
)
def test_factors_that_do_not_belong_together_are_refused(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]] | None, why: str
) -> None:
    write_adapter(tmp_path / "adapter")
    path = tmp_path / "adapter/adapter_model.safetensors"
    path.unlink()
    if tensors is not None:
        save_file({f"{FIRST}.{name}.weight": torch.ones(shape) for name, shape in tensors.items()}, path)
    with pytest.raises(InvalidRequest, match=why):
        read_peft_adapter(tmp_path / "adapter", found("english"))


@pytest.mark.parametrize(
    ("config", "why"),
    [("[]", r"its peft_type is \[\], not LORA"), (" " * 2**20 + "{}", "it has 1048578 bytes"), ("{", "JSON")],
)
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, config: str, why: str) -> None:
    write_adapter(tmp_path / "adapter")
    (tmp_path / "adapter/adapter_config.json").write_text(config)
    with pytest.raises(InvalidRequest, match=why):
        read_peft_adapter(tmp_path / "adapter", found("english"))


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapter")
    with pytest.raises(InvalidRequest, match="turbo has no linear layer of that name"):
        read_peft_adapter(tmp_path / "adapter", found("turbo"))


def test_the_command_writes_a_voice_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_adapter(tmp_path / "lucia")
    (tmp_path / "clip.wav").write_bytes(wav_bytes())
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/english").symlink_to(checkpoint("english"))
    monkeypatch.setenv("CHATTERBOX_WEIGHTS_DIR", str(tmp_path / "weights"))
    arguments = [str(tmp_path / name) for name in ("lucia", "clip.wav", "lucia.safetensors")]
    assert main([*arguments, "--model", "english"]) == 0
    voice = unpack((tmp_path / "lucia.safetensors").read_bytes(), field="voice")
    assert voice.adapter is not None
    assert set(voice.adapter.factors) == {FIRST, SECOND}
    assert "rank 4, 2 layers of english" in capsys.readouterr().out
    assert main([str(tmp_path / "none"), *arguments[1:], "--model", "english"]) == 2
