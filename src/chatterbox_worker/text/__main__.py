"""`python -m chatterbox_worker.text "…" --language es`: how a text would be read, a line for each chunk.

No model is loaded. A line has the chunk's place in the cleaned text, what is written there, what the model is given,
the pause after it, and its language.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from chatterbox_worker import command, command_text
from chatterbox_worker.catalogue import LANGUAGES, MODELS, NORMALIZED, PACKS
from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import SpeechBody, TextFormat, resolve, validate
from chatterbox_worker.text.lexicon import Lexicon
from chatterbox_worker.text.preview import preview

_SETTINGS = Settings(models=tuple(MODELS), packs=PACKS, max_text_chars=10_000_000)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.text", description=__doc__)
    parser.add_argument("text", type=command_text.argument, help='the text; "-" reads it from standard input')
    parser.add_argument("--language", default="en", help=f"one of {', '.join(LANGUAGES)}, or a region such as es-MX")
    parser.add_argument("--model", default="multilingual", choices=tuple(MODELS))
    parser.add_argument("--chunk-size", type=int, help="characters of a chunk")
    parser.add_argument("--as-written", action="store_true", help="the same as normalize: false")
    parser.add_argument(
        "--without", action="append", default=[], choices=NORMALIZED, help="leave this as written; may be repeated"
    )
    parser.add_argument(
        "--pronounce",
        type=_entry,
        action="append",
        default=[],
        metavar="WORD=SPOKEN",
        help="read a word so; may be repeated",
    )
    parser.add_argument("--lexicon", type=Path, help="a file of such words, JSON or CSV (docs/API.md)")
    parser.add_argument("--format", default="plain", choices=get_args(TextFormat), help="of the text")
    parser.add_argument("--json", action="store_true", help="the answer of the action text.preview")
    return parser.parse_args(arguments)


def _entry(text: str) -> tuple[str, str]:
    word, equals, spoken = command_text.argument(text).partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{quote(text)} is not WORD=SPOKEN")
    return word, spoken


def preview_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Raises InvalidRequest, ValueError."""
    fields = {
        "text": command_text.or_stdin(options.text),
        "language": options.language,
        "model": options.model,
        "chunk_size": options.chunk_size,
        "text_format": options.format,
        "normalize": False if options.as_written else dict.fromkeys(options.without, False),
        "pronunciations": dict(options.pronounce),
    }
    body = validate(fields, SpeechBody)
    assert isinstance(body, SpeechBody)  # noqa: S101 - always so without an action
    return preview(resolve(body, _SETTINGS), Lexicon.of_file(options.lexicon) if options.lexicon else None)


def lines(answer: dict[str, Any]) -> Iterator[str]:
    for chunk in answer["chunks"]:
        yield f"{chunk['start']}-{chunk['end']}\t{chunk['language']}\tpause {chunk['pause_s']:g} s"
        yield f"  text    {chunk['text']!r}"
        yield f"  spoken  {chunk['spoken']!r}"


def main(arguments: Sequence[str]) -> int:
    options = parse_arguments(arguments)
    try:
        answer = preview_arguments(options)
    except (InvalidRequest, ValueError) as error:
        return command_text.fail(error, 2)
    written = command_text.to_json(answer) if options.json else "\n".join(lines(answer))
    command.print_line(written)
    sys.stderr.writelines(f"warning: {warning}\n" for warning in answer["warnings"])
    return 0


if __name__ == "__main__":
    command.run(main)
