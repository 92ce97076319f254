"""The synthetic CSM has the published one's layout."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from transformers import CsmConfig

from support.checkpoints import checkpoint
from tools.synthetic_csm import configuration, tensors

# The hub's repository as public projects list it: 538 tensors of float32 in two files of 4 944 026 784 and
# 2 189 474 180 bytes.
PUBLISHED_FILES = {
    "chat_template.jinja", "config.json", "generation_config.json", "preprocessor_config.json",
    "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "transformers-00001-of-00002.safetensors",
    "transformers-00002-of-00002.safetensors", "transformers.safetensors.index.json",
}  # fmt: skip


def test_the_full_one_has_the_published_number_of_tensors_and_bytes() -> None:
    shapes = tensors("full")
    size = sum(torch.Size(shape).numel() * dtype.itemsize for shape, dtype in shapes.values())

    assert len(shapes) == 538
    assert 0 < 4_944_026_784 + 2_189_474_180 - size < 100_000  # the two files' headers


def test_the_tiny_one_has_the_same_files_and_keys_except_for_layers_and_codebooks() -> None:
    folder = checkpoint("csm")
    listed = json.loads((folder / "transformers.safetensors.index.json").read_text())["weight_map"]
    tiny, full = set(tensors("tiny")), set(tensors("full"))

    assert {path.name for path in folder.iterdir()} == PUBLISHED_FILES
    assert set(listed) == tiny
    assert {name for name in full - tiny if ".layers." not in name} == set()
    assert tiny < full


@pytest.mark.parametrize("size", ["full", "tiny"])
def test_its_rotary_frequencies_are_the_published_ones_and_accepted_without_a_warning(
    size: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    config = CsmConfig(**configuration(size))
    assert caplog.messages == []
    depth, backbone = config.depth_decoder_config.rope_parameters, config.rope_parameters
    assert (depth["original_max_position_embeddings"], backbone["original_max_position_embeddings"]) == (16, 1024)
    assert (depth["low_freq_factor"], depth["high_freq_factor"]) == (0.001953125, 0.0078125)  # convert_csm.py
    assert (backbone["low_freq_factor"], backbone["high_freq_factor"]) == (0.125, 0.5)
