"""`python -m chatterbox_worker.train.import_adapter FOLDER CLIP VOICE.safetensors --model english`

makes a voice of a LoRA adapter in PEFT's format, which other programs for training write, and a clip of the speaker.
The voice is then used like one that was trained here: saved in the voice library, and spoken by its model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import command, command_text
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.custom_models import FAMILIES
from chatterbox_worker.errors import InvalidRequest, VolumeFailed, WorkerError
from chatterbox_worker.files import write_whole
from chatterbox_worker.voices.bundle import Bundle, pack
from chatterbox_worker.voices.clip import decode_clip


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.train.import_adapter", description=__doc__)
    parser.add_argument("folder", type=Path, help="has adapter_model.safetensors and adapter_config.json")
    parser.add_argument("clip", type=Path, help="a recording of the speaker, best 10 s")
    parser.add_argument("voice", type=Path, help="the voice file to write")
    parser.add_argument("--model", required=True, choices=FAMILIES, help="the model that the adapter was trained on")
    options = parser.parse_args(arguments)
    try:
        _import(options.folder, options.clip, options.voice, options.model, Settings.from_env(environment()))
    except WorkerError as error:
        return command_text.fail(error, 2 if isinstance(error, InvalidRequest) else 1)
    return 0


def _import(folder: Path, clip: Path, voice: Path, model: str, settings: Settings) -> None:
    try:
        recording = decode_clip(clip.read_bytes(), field="clip")
    except OSError as error:
        raise InvalidRequest(f"{clip} cannot be read: {error.strerror or error}", field="clip") from error
    # slow imports only after the checks
    from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of  # noqa: PLC0415
    from chatterbox_worker.engines.chatterbox.training.peft_adapter import read_peft_adapter  # noqa: PLC0415

    adapter = read_peft_adapter(folder, checkpoint_of(model, settings))
    data = pack(Bundle(recording, None, {"adapter": folder.name}, adapter))
    try:
        write_whole(voice, data)
    except OSError as error:
        raise VolumeFailed(f"{voice} cannot be written: {error.strerror or error}") from error
    command.print_line(
        f"{voice}: {len(data) / 1e6:.2f} MB, rank {adapter.rank}, {len(adapter.factors)} layers of {model}"
    )


if __name__ == "__main__":
    command.run(main)
