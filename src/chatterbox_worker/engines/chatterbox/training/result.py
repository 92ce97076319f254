"""A model that results from training, for the setting of custom models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from chatterbox_worker import files
from chatterbox_worker.engines.chatterbox.checkpoint.locate import Checkpoint
from chatterbox_worker.engines.chatterbox.checkpoint.tensor_file import write_tensors


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    t3: Mapping[str, Tensor]
    """All of it, by the names of upstream's file."""
    checkpoint: Checkpoint
    """What it was trained from."""
    tokenizer: str | None
    """The checkpoint's file of it, if it was extended."""

    def write(self, folder: Path, about: Mapping[str, Any]) -> Path:
        """Write T3 and, if it was extended, its tokenizer to `folder`, as CHATTERBOX_CUSTOM_MODELS reads them.

        Returns T3's file. It is replaced last and at once: a folder without it is not served.

        Raises:
            OSError: a file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.tokenizer is not None:
            content = self.checkpoint.path(self.tokenizer).read_bytes()
            files.write_whole(folder / self.tokenizer, content, durable=True, sole_writer=True)
        path = folder / self.checkpoint.layout.t3
        with files.draft(path, durable=True, sole_writer=True) as draft:
            write_tensors(draft, self.t3, {"format": "pt", "chatterbox_worker": json.dumps(about)})
        return path
