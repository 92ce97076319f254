"""What the command line of `chatterbox_worker.clone` takes; each flag of two words may be written with underlines, too."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker.clone.speakers import SAME
from chatterbox_worker.clone.voice import LEAST_S
from chatterbox_worker.errors import quote

_ABOUT = """\
A voice from recordings of one person: 1 to 5 minutes in any audio format. What is kept and what is left out is said with
the reason and drawn as a picture; the voice goes into the voices folder as one file, where every edge lists it at once.
"""
_MOVES = {"export": ("out",), "import_file": ("output_voice_id",)}  # and the options that each has of its own


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.clone",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--input-dir", "--input_dir", type=Path, metavar="DIR", help="folder of recordings of one person")
    what.add_argument("--export", metavar="NAME", help="write a voice of the folder as one file")
    what.add_argument(
        "--import", type=Path, metavar="FILE", dest="import_file", help="take a voice's file or a recording"
    )
    parser.add_argument("--output-voice-id", "--output_voice_id", metavar="NAME", help="the voice's id")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where --export writes (NAME.safetensors)")
    parser.add_argument("--voices-dir", type=Path, metavar="DIR", help="the voices folder (CHATTERBOX_VOICES_DIR)")
    parser.add_argument("--replace", action="store_true", help="take the place of a voice that has this id")
    parser.add_argument("--consent", metavar="TEXT", help="who agreed, to what and when; kept in the voice's file")
    parser.add_argument(
        "--like", type=Path, metavar="FILE", help="a recording of the person who is meant, if two are heard"
    )
    parser.add_argument(
        "--similarity", type=_part, default=SAME, help="wanted between segments and speaker (%(default)g)"
    )
    parser.add_argument("--min-seconds", type=_seconds, default=LEAST_S, help="of good speech (%(default)g)")
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="where a checkpoint lies (CHATTERBOX_WEIGHTS_DIR)"
    )
    parser.add_argument(
        "--trust-one-speaker", action="store_true", help="without the voice encoder: nobody else is heard"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="where the picture goes (NAME.png)")
    parser.add_argument("--no-report", action="store_true", help="no picture; it needs matplotlib")
    parser.add_argument("--dry-run", action="store_true", help="only say and draw what would be kept")
    options = parser.parse_args(arguments)
    if options.input_dir is not None and options.output_voice_id is None:
        parser.error("--input-dir needs --output-voice-id NAME")
    for name in _out_of_place(parser, options):
        parser.error(f"--{name.replace('_', '-')} does not go with what is asked for")
    if options.trust_one_speaker and options.like is not None:
        parser.error("--like needs the voice encoder, which --trust-one-speaker does without")
    return options


def _out_of_place(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """Names of options that were given and would be ignored."""
    given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
    for action, own in _MOVES.items():
        if action in given:
            return sorted(given - {action, "voices_dir", "replace", *own})
    return ["out"] if "out" in given else []


def _part(text: str) -> float:
    return _number(text, 0.0, 1.0)


def _seconds(text: str) -> float:
    return _number(text, 6.0, 300.0)


def _number(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{quote(text)} is not a number from {low:g} to {high:g}")
    return number
