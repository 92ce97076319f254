"""`python -m chatterbox_worker.convert IN --voice NAME -o OUT`: recorded speech said by another voice.

The words and their timing stay; a recording may last an hour. The models are those of `CHATTERBOX_MODELS`, or what this
machine has weights for; the voice is one of the library or that of a recording.
"""

from __future__ import annotations

import argparse
import base64
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from chatterbox_worker import command, command_text, wiring
from chatterbox_worker.cancel import CancelScope
from chatterbox_worker.catalogue import FORMATS, MODEL_RATE, SAMPLE_RATES
from chatterbox_worker.config import Settings, environment
from chatterbox_worker.errors import InvalidRequest, WorkerError
from chatterbox_worker.files import check_writable, save
from chatterbox_worker.local import local_environment
from chatterbox_worker.request import ConversionRequest, parse_conversion
from chatterbox_worker.synthesis.conversion import MOST_BYTES

_SUFFIXES = {".oga": "ogg"}


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.convert", description=__doc__)
    parser.add_argument("input", type=Path, metavar="IN", help="the recording, in any audio format")
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument("--voice", metavar="NAME", help="a voice of the library; the model's own if left out")
    voice.add_argument("--reference", type=Path, metavar="FILE", help="a recording of the voice")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="the file to write")
    parser.add_argument("--format", choices=FORMATS, help="that of OUT's name if left out")
    parser.add_argument("--sample-rate", type=int, choices=SAMPLE_RATES, default=MODEL_RATE, help="Hertz (%(default)s)")
    parser.add_argument("--bitrate-kbps", type=int, metavar="N", help="of mp3")
    parser.add_argument("--model", metavar="NAME", help="the first that can convert if left out")
    parser.add_argument("--seed", type=int, metavar="N", help="random if left out")
    return parser.parse_args(arguments)


def _format(options: argparse.Namespace) -> str:
    suffix = options.out.suffix.lower()
    name = options.format or _SUFFIXES.get(suffix, suffix.removeprefix("."))
    if name not in FORMATS:
        raise InvalidRequest(f"{options.out} has no audio format's name: give --format", field="format")
    return str(name)


def _request(options: argparse.Namespace, settings: Settings) -> ConversionRequest:
    """Raises InvalidRequest, OSError."""
    size = options.input.stat().st_size
    if size > MOST_BYTES:
        raise InvalidRequest(f"{options.input} has {size} bytes; at most {MOST_BYTES} can be read", field="audio")
    reference = None if options.reference is None else base64.b64encode(options.reference.read_bytes()).decode("ascii")
    fields = {
        "voice": options.voice, "reference_audio": reference, "format": _format(options),
        "sample_rate": options.sample_rate, "bitrate_kbps": options.bitrate_kbps, "model": options.model,
        "seed": options.seed, "cache": False,
    }  # fmt: skip
    return parse_conversion(fields, settings, options.input.read_bytes())


def _convert(options: argparse.Namespace) -> str:
    """Raises WorkerError, OSError."""
    check_writable(options.out)
    settings = Settings.from_env(local_environment(environment()))
    request = _request(options, settings)
    synthesizer = wiring.build(replace(settings, models=(request.model,), packs=()))
    try:
        with tqdm(unit="stretch", file=sys.stderr, dynamic_ncols=True, disable=None) as bar:

            def show(done: int, total: int, _audio_s: float) -> None:
                bar.total = total
                bar.update(done - bar.n)

            recording = synthesizer.speak(request, CancelScope(show))
    finally:
        synthesizer.close()
    save(options.out, recording.audio)
    for warning in recording.info.warnings:
        sys.stderr.write(f"{warning}\n")
    info = recording.info
    return f"{options.out}: {info.duration_s:.1f} s by {info.voice}, seed {info.seed}"


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)-7s| %(name)s | %(message)s")
    try:
        command.print_line(_convert(options))
    except (WorkerError, OSError) as error:
        return command_text.fail(error)
    return 0


if __name__ == "__main__":
    command.run(main)
