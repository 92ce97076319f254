"""Checkpoints of random weights for the tests, and upstream's own modules loaded with them as oracles.

`checkpoint("turbo")` writes a tiny one on first use and returns its folder; it stays in the temporary folder under a
digest of the tools that wrote it. `upstream_t3(folder)` and `upstream_s3gen(folder)` load such a folder into upstream's
classes, tiny or full. The fixtures return the same folders by name:

    from support.checkpoints import turbo_folder  # noqa: F401
"""

from __future__ import annotations

import getpass
import hashlib
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chatterbox_worker.engines.chatterbox.checkpoint import layout as layout_module
from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS, Layout
from support.paths import ROOT

_TOOLS = ("synthetic_checkpoint", "synthetic_csm", "synthetic_tokenizer", "synthetic_weights", "upstream")
_WRITERS = (Path(__file__), *(ROOT / "tools" / f"{name}.py" for name in _TOOLS), Path(layout_module.__file__))


def checkpoint(model: str, size: str = "tiny", seed: int = 0) -> Path:
    """The folder of a synthetic checkpoint of `model` (also "csm"), written if missing. Read it, never change it: an
    engine that is built from settings writes packs, so it is given a `linked` one.
    """
    folder = shared_folder() / f"{model}-{size}-{seed}"
    if not folder.is_dir():
        from tools.synthetic_checkpoint import write_checkpoint

        try:
            write_checkpoint(folder, LAYOUTS.get(model), size=size, seed=seed)
        except OSError:
            if not folder.is_dir():  # else another test run was faster
                raise
    return folder


@cache
def shared_folder() -> Path:
    """Where all of them are."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _WRITERS)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"chatterbox-worker-checkpoints-{getpass.getuser()}" / digest


def linked(model: str, folder: Path) -> Path:
    """`folder`/`model` with links to the checkpoint's files, for what writes packs beside them; returns `folder`."""
    own = folder / model
    own.mkdir(parents=True)
    for path in checkpoint(model).iterdir():
        (own / path.name).symlink_to(path)
    return folder


def layout_of(folder: Path) -> Layout:
    """The layout whose T3 is in `folder`."""
    return next(layout for layout in LAYOUTS.values() if (folder / layout.t3).is_file())


@contextmanager
def upstream_may_warn() -> Iterator[None]:
    """For calls into upstream's code, which uses deprecated parts of torch and diffusers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def upstream_t3(folder: Path) -> Any:
    """Upstream's T3 with the weights in `folder`, in eval mode on the CPU. Shared: do not change it."""
    from safetensors.torch import load_file

    from tools.upstream import build_t3

    t3 = build_t3(layout_of(folder), _sizes(folder))
    t3.load_state_dict(load_file(folder / layout_of(folder).t3))
    return t3.eval()


@cache
def upstream_s3gen(folder: Path) -> Any:
    """Upstream's S3Token2Wav (tokenizer, x-vector network, flow, vocoder) with the weights in `folder`. Shared."""
    import torch
    from safetensors.torch import load_file

    from tools.upstream import build_s3gen

    layout = layout_of(folder)
    path = folder / layout.s3gen
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    s3gen = build_s3gen(_sizes(folder), meanflow=layout.meanflow)
    missing, unexpected = s3gen.load_state_dict(state, strict=False)
    assert not unexpected
    assert set(missing) <= {"tokenizer._mel_filters", "tokenizer.window"}
    return s3gen.eval()


@cache
def upstream_voice_encoder(folder: Path) -> Any:
    """Upstream's VoiceEncoder with the weights in `folder`. Shared."""
    import torch
    from safetensors.torch import load_file

    from tools.upstream import build_voice_encoder

    path = folder / layout_of(folder).voice_encoder
    encoder = build_voice_encoder()
    encoder.load_state_dict(load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True))
    return encoder.eval()


def _sizes(folder: Path) -> Any:
    from safetensors import safe_open

    from tools.upstream import FULL, TINY

    with safe_open(folder / layout_of(folder).t3, "pt") as file:
        width = file.get_slice("speech_head.weight").get_shape()[1]
    return TINY if width == TINY.t3_width else FULL


@pytest.fixture(scope="session")
def english_folder() -> Path:
    return checkpoint("english")


@pytest.fixture(scope="session")
def multilingual_folder() -> Path:
    return checkpoint("multilingual")


@pytest.fixture(scope="session")
def turbo_folder() -> Path:
    return checkpoint("turbo")


@pytest.fixture(scope="session")
def nano_folder() -> Path:
    return checkpoint("nano")
