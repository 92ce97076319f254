"""A run's memory: one file, whole at any moment, from which a killed run goes on as if nothing had happened.

It is written beside the old one, flushed to the disk and renamed over it. It holds what the next step depends on and is not
a function of the step's number: the adapter, the optimizer, the loss scale, the random generators; and what the report
draws. It is read with `weights_only`, so nothing in it can run.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from chatterbox_worker.errors import InvalidRequest


def keep(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, and lists and dicts of them) to `path`, or leave what is there.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def recall(path: Path) -> dict[str, Any] | None:
    """What was kept at `path`, on the CPU; None where nothing was.

    Raises:
        InvalidRequest: the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        why = str(error).partition("\n")[0]
        raise InvalidRequest(
            f"the run cannot go on: {path} cannot be read ({why}); delete it to start again", field="run_dir"
        ) from error
    return state
