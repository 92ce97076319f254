"""The command line of `chatterbox_worker.clone`; flags of two words may also be written with underscores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from chatterbox_worker import command_text
from chatterbox_worker.clone.quality import LEAST_SNR_DB
from chatterbox_worker.clone.speakers import SAME_SPEAKER
from chatterbox_worker.clone.voice import MIN_SPEECH_S
from chatterbox_worker.command_text import number

_ABOUT = """\
Create a voice from recordings of one person: 1 to 5 minutes in any audio format. The command lists what it keeps and
what it leaves out, with the reasons, and draws the same as a picture. The voice is written to the voices folder as one
file, where every edge lists it at once.
"""
_MOVES = {"export": ("out",), "import_file": ("output_voice_id", "language")}  # with the options that only they have


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chatterbox_worker.clone",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--input-dir", "--input_dir", type=Path, metavar="DIR", help="folder of recordings of one person"
    )
    action.add_argument("--export", metavar="NAME", help="write a voice of the folder as one file")
    action.add_argument(
        "--import", type=Path, metavar="FILE", dest="import_file", help="add a voice file or a recording to the folder"
    )
    parser.add_argument("--output-voice-id", "--output_voice_id", metavar="NAME", help="the voice's id")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file that --export writes (NAME.safetensors)")
    parser.add_argument("--voices-dir", type=Path, metavar="DIR", help="the voices folder (CHATTERBOX_VOICES_DIR)")
    parser.add_argument("--replace", action="store_true", help="replace a voice or a file of this name")
    parser.add_argument(
        "--consent",
        type=command_text.argument,
        metavar="TEXT",
        help="who agreed, to what and when; stored in the voice file",
    )
    words = parser.add_mutually_exclusive_group()
    words.add_argument("--transcribe", action="store_true", help="store the clip's words, as Whisper understands them")
    words.add_argument(
        "--transcript",
        type=command_text.argument,
        metavar="TEXT",
        help="the words of the clip, to correct those of --transcribe",
    )
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="that the recordings are in, such as es; stored in the voice file (--transcribe recognises it)",
    )
    _add_flags_of_choice(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="file for the picture (NAME.png)")
    parser.add_argument("--no-report", action="store_true", help="draw no picture; it needs matplotlib")
    parser.add_argument("--dry-run", action="store_true", help="only list and draw what would be kept; write no voice")
    options = parser.parse_args(arguments)
    if options.input_dir is not None and options.output_voice_id is None:
        parser.error("--input-dir needs --output-voice-id NAME")
    for name in _unused_options(parser, options):
        parser.error(f"--{name.replace('_', '-')} does not apply to this action")
    if options.trust_one_speaker and options.like is not None:
        parser.error("--like needs the voice encoder, which --trust-one-speaker does not use")
    return options


def _add_flags_of_choice(parser: argparse.ArgumentParser) -> None:
    """What of the recordings is kept."""
    parser.add_argument(
        "--like", type=Path, metavar="FILE", help="a recording of the person to clone, if there are two speakers"
    )
    parser.add_argument(
        "--similarity",
        type=number(0, 1),
        default=SAME_SPEAKER,
        help="lowest similarity of a segment to the speaker (%(default)g)",
    )
    parser.add_argument(
        "--min-snr",
        type=number(0, 60),
        default=LEAST_SNR_DB,
        metavar="DB",
        help="how far the noise has to be below the voice (%(default)g); less, and it is in the cloned voice too",
    )
    parser.add_argument(
        "--allow-music", action="store_true", help="keep speech with music behind it, which the voice will have, too"
    )
    parser.add_argument(
        "--despite-doubts", action="store_true", help="write the voice although it may not be one person's"
    )
    parser.add_argument(
        "--min-seconds", type=number(6, 300), default=MIN_SPEECH_S, help="least amount of good speech (%(default)g)"
    )
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="folder of a checkpoint (CHATTERBOX_WEIGHTS_DIR)"
    )
    parser.add_argument(
        "--trust-one-speaker", action="store_true", help="assume one speaker; no voice encoder is needed"
    )


def _unused_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """Options that were given and would be ignored."""
    given = {name for name, value in vars(options).items() if value != parser.get_default(name)}
    for action, own in _MOVES.items():
        if action in given:
            return sorted(given - {action, "voices_dir", "replace", *own})
    return ["out"] if "out" in given else []
