"""`python -m chatterbox_worker.train.merge VOICE.safetensors DIR`: merges a voice's adapter into the model's weights.

DIR is then a checkpoint like any other. If it has the model's name and is in the folder CHATTERBOX_WEIGHTS_DIR, every
voice of that model uses it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import command, command_text
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.custom_models import FAMILIES
from chatterbox_worker.errors import InvalidRequest, VolumeFailed, WorkerError, choices
from chatterbox_worker.voices.bundle import unpack


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.train.merge", description=__doc__)
    parser.add_argument("voice", type=Path, help="a voice file with an adapter")
    parser.add_argument("folder", type=Path, help="the folder to write the weights to")
    options = parser.parse_args(arguments)
    try:
        _merge(options.voice, options.folder, Settings.from_env(environment()))
    except WorkerError as error:
        return command_text.fail(error, 2 if isinstance(error, InvalidRequest) else 1)
    return 0


def _merge(voice: Path, folder: Path, settings: Settings) -> None:
    try:
        adapter = unpack(voice.read_bytes(), field=str(voice)).adapter
    except OSError as error:
        raise InvalidRequest(f"{voice} cannot be read: {error.strerror or error}", field="voice") from error
    if adapter is None:
        raise InvalidRequest(f"{voice} has no adapter: it is not a fine-tuned voice", field="voice")
    if adapter.model not in FAMILIES:
        raise InvalidRequest(
            f"{voice} is fine-tuned for {adapter.model}; only {choices(FAMILIES)} can be merged", field="voice"
        )
    # slow imports only after the checks
    from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.serving.adapters import merge_into_checkpoint  # noqa: PLC0415

    checkpoint = checkpoint_of(adapter.model, settings)
    try:
        merge_into_checkpoint(checkpoint, adapter, folder)
    except OSError as error:
        raise VolumeFailed(f"{folder} cannot be written: {error.strerror or error}") from error
    command.print_line(f"{folder}: {adapter.model} with the adapter of {voice} merged into its weights")


if __name__ == "__main__":
    command.run(main)
