"""Checkpoints as people publish them, each of another make, from the tiny weights of a family."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from support.checkpoints import checkpoint, linked

Find = Callable[..., Checkpoint]

PERSIAN = "[fa]"
EXTRA_TOKENS = 46


def single_t3(folder: Path) -> None:
    """Only a T3, in a trainer's wrapper and under a trainer's name."""
    state = load_file(checkpoint("english") / LAYOUTS["english"].t3)
    save_file({f"t3.{name}": value for name, value in state.items()}, folder / "model.safetensors")


def without_voice_encoder(folder: Path) -> None:
    for path in checkpoint("english").iterdir():
        if path.name != LAYOUTS["english"].voice_encoder:
            shutil.copy(path, folder)
    (folder / "README.md").write_text("# A model card\n")
    (folder / "config.json").write_text('{"lr": 1e-5}')


def larger_vocabulary(folder: Path) -> None:
    """A multilingual T3 with rows for one more language, and its tokenizer."""
    layout = LAYOUTS["multilingual"]
    state = load_file(checkpoint("multilingual") / layout.t3)
    for name in ("text_emb.weight", "text_head.weight"):
        state[name] = torch.cat([state[name], state[name][:EXTRA_TOKENS] + 0.5])
    save_file(state, folder / "t3_fa.safetensors")
    tokenizer = json.loads((checkpoint("multilingual") / layout.tokenizer[0]).read_text())
    first = len(tokenizer["model"]["vocab"])
    tokens = [PERSIAN, *(chr(0xFB50 + index) for index in range(EXTRA_TOKENS - 1))]
    tokenizer["model"]["vocab"] |= {token: first + index for index, token in enumerate(tokens)}
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][-1], "id": first, "content": PERSIAN})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def pickled(folder: Path) -> None:
    """As upstream's own training checkpoints: a list in a dictionary."""
    state = load_file(checkpoint("turbo") / LAYOUTS["turbo"].t3)
    torch.save({"model": [state], "step": 1000}, folder / "t3_turbo_finetuned.pt")


def wrong_family(folder: Path) -> None:
    shutil.copy(checkpoint("turbo") / LAYOUTS["turbo"].t3, folder)


MAKES: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "single": (single_t3, "english"),
    "whole": (without_voice_encoder, "english:de"),
    "persian": (larger_vocabulary, "multilingual:fa+en"),
    "pickled": (pickled, "turbo"),
    "wrong": (wrong_family, "multilingual"),
}
"""By name: what writes its files, and the family with the languages."""


def entry(root: Path, name: str) -> str:
    """Write the checkpoint of that make into `root`/`name`; returns its part of the setting."""
    write, family = MAKES[name]
    folder = root / name
    folder.mkdir()
    write(folder)
    return f"{name}={folder}:{family}"


def bases(root: Path) -> Path:
    """A folder with the published weights of the families, which packs may be written to."""
    for model in ("english", "multilingual", "turbo"):
        linked(model, root)
    return root
