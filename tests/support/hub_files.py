"""Files of a few bytes that `locate.find` accepts as checkpoints."""

from __future__ import annotations

from pathlib import Path

from chatterbox_worker.engines.chatterbox.checkpoint.layout import LAYOUTS


def write_files(folder: Path, model: str) -> None:
    """Write the files of `model`'s repository to `folder`/`model`."""
    layout = LAYOUTS[model]
    home = folder / model
    home.mkdir(parents=True)
    for name in layout.files:
        if name not in layout.from_base:
            content = b"{}" if name.endswith(".json") else f"{model} {name}".encode()
            header = len(b"{}").to_bytes(8, "little") + b"{}"
            (home / name).write_bytes(header if name.endswith(".safetensors") else content)
