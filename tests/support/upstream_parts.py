"""Single files of `chatterbox/models`, imported by themselves, as oracles for what encodes references.

Importing them by name would run `chatterbox/__init__.py`, which imports every model with transformers and diffusers:
ten seconds that a test of one network need not wait.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any


@cache
def upstream_part(file: str) -> Any:
    """The module of a file or of a package's `__init__.py`, such as "s3gen/xvector.py"."""
    package = importlib.util.find_spec("chatterbox")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).parent / "models" / file
    name = f"_chatterbox_{path.parent.name if path.stem == '__init__' else path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # packages import their own parts by this name
    spec.loader.exec_module(module)
    return module


def upstream_tokenizer(state: dict[str, Any]) -> Any:
    """`S3Tokenizer` as wide and deep as `state`; its own constructor supports one size only."""
    import torch
    from librosa.filters import mel
    from s3tokenizer.model_v2 import ModelConfig, S3TokenizerV2, precompute_freqs_cis

    width = state["encoder.conv1.weight"].shape[0]
    layers = 1 + max(int(name.split(".")[2]) for name in state if name.startswith("encoder.blocks."))
    kind = upstream_part("s3tokenizer/__init__.py").S3Tokenizer
    tokenizer = kind.__new__(kind)
    config = ModelConfig(n_audio_state=width, n_audio_head=width // 64, n_audio_layer=layers)
    with torch.device("meta"):
        S3TokenizerV2.__init__(tokenizer, "speech_tokenizer_v2_25hz", config)
    tokenizer.encoder.freqs_cis = precompute_freqs_cis(64, 2048)
    tokenizer.n_fft = 400
    tokenizer.register_buffer("_mel_filters", torch.from_numpy(mel(sr=16_000, n_fft=400, n_mels=128)))
    tokenizer.register_buffer("window", torch.hann_window(400))
    return fill(tokenizer, state)


def upstream_x_vector(state: dict[str, Any]) -> Any:
    import torch

    with torch.device("meta"):
        network = upstream_part("s3gen/xvector.py").CAMPPlus(memory_efficient=False)
    return fill(network, state)


def fill(module: Any, state: dict[str, Any]) -> Any:
    """`module` with the tensors of `state`, and its own buffers where `state` has none."""
    own = {name: value for name, value in module.state_dict().items() if not value.is_meta}
    module.load_state_dict(own | state, assign=True)
    return module.eval()
