"""A run's saved state: one file, complete at any moment, from which a killed run continues as if it had not stopped.

It is written next to the old file, flushed to the disk and renamed over it. It holds what the next step depends on, as
far as that does not follow from the step's number: the trained weights, the optimizer, the loss scale and the random
generators; and the curves of the report. It is read with `weights_only`, so nothing in it can be executed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from chatterbox_worker import files
from chatterbox_worker.errors import InvalidRequest


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings, and lists and dicts of them) to `path`, or leave what is there.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    try:
        with files.draft(path, durable=True, sole_writer=True) as draft, draft.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:  # torch's writer raises its own after that of the file
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def load_state(path: Path) -> dict[str, Any] | None:
    """The state saved at `path`, on the CPU; None if there is none.

    Raises:
        InvalidRequest: the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidRequest(
            f"the run cannot be resumed: {path} cannot be read ({reason}); delete it to start again", field="run_dir"
        ) from error
    return state
