"""The arguments of the command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from chatterbox_worker import command_text
from chatterbox_worker import request as requests
from chatterbox_worker.batch.book import LONGEST_PART_CHARS
from chatterbox_worker.batch.fields import OF_A_ROW, parse_value, refuse_unknown
from chatterbox_worker.batch.manifest import NAME
from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.command_text import number
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.text.captions import MIMETYPES

_FEWEST_PART_CHARS = 500
_FIELDS = ("format", "model", "voice", "reference", "language", "seed")


def parse_arguments(arguments: Sequence[str], description: str | None) -> argparse.Namespace:
    parser = _build_parser(description)
    options = parser.parse_args(arguments)
    if (sentence := _contradiction(options)) is not None:
        parser.error(sentence)
    try:
        options.defaults = _defaults(options)
    except InvalidRequest as error:
        parser.error(error.message)
    return options


def _build_parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chatterbox_worker.batch", description=description)
    parser.add_argument(
        "input", type=Path, help="a .epub, .md, .txt, .jsonl, .ndjson, .csv or .tsv file, or a folder of .txt files"
    )
    parser.add_argument("-o", "--out", type=Path, help=f"folder for the audio files and {NAME}")
    backend = parser.add_argument_group("where the speech is synthesized")
    backend.add_argument("--local", action="store_true", help="this machine, with the models that it can serve")
    backend.add_argument("--server", metavar="URL", help="an HTTP server, such as http://127.0.0.1:8004")
    backend.add_argument("--endpoint", help="endpoint id (RUNPOD_ENDPOINT_ID)")
    backend.add_argument("--key", help="API key (RUNPOD_API_KEY), or a server's")
    backend.add_argument("--url", help="URL of the endpoint (RUNPOD_ENDPOINT_BASE_URL, then RunPod's cloud)")
    _add_speech(parser)
    parser.add_argument(
        "--captions",
        choices=list(MIMETYPES),
        help="also a file of captions for each text, by its words with --set timestamps=word",
    )
    _add_books(parser)
    parser.add_argument(
        "--price-per-second", type=float, metavar="P", help="of the endpoint's workers, for what a run costs"
    )
    parser.add_argument("--in-flight", type=int, default=16, metavar="N", help="rows at the same time (%(default)s)")
    parser.add_argument(
        "--attempts", type=int, default=3, metavar="N", help="per row, including the first (%(default)s)"
    )
    parser.add_argument(
        "--timeout", type=number(0, inf), default=1800.0, metavar="S", help="seconds to wait for a job (%(default)g)"
    )
    return parser


def _add_speech(parser: argparse.ArgumentParser) -> None:
    speech = parser.add_argument_group("defaults for rows")
    speech.add_argument("--format", choices=[*FORMATS, "auto"], help="of the audio (wav)")
    speech.add_argument("--model", metavar="NAME", help="default: the first one served")
    speech.add_argument("--voice", help="an id of the voice library")
    speech.add_argument("--reference", metavar="FILE", help="a recording of the voice to clone")
    speech.add_argument("--language", help="such as en, de or pt-BR")
    speech.add_argument("--seed", type=int, help="the same seed gives the same speech")
    speech.add_argument(
        "--set",
        type=command_text.argument,
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="any other field of a request",
    )


def _add_books(parser: argparse.ArgumentParser) -> None:
    books = parser.add_argument_group("books")
    books.add_argument("--list", action="store_true", help="only show the chapters, and the pages that are not read")
    books.add_argument(
        "--skip", action="append", default=[], metavar="N[-N]", help="a chapter that is not read, by its number"
    )
    books.add_argument(
        "--part-chars", type=int, default=LONGEST_PART_CHARS, metavar="N",
        help="a chapter that is longer is spoken in parts (%(default)s)",
    )  # fmt: skip
    books.add_argument("--m4b", action="store_true", help="also one audiobook of all files, with chapter marks")
    books.add_argument("--title", type=command_text.argument, help="of the audiobook; default: the book's own")
    books.add_argument("--author", type=command_text.argument, help="of the audiobook; default: the book's own")
    books.add_argument("--cover", type=Path, metavar="FILE", help="a JPEG or PNG; default: the book's own")


def _contradiction(options: argparse.Namespace) -> str | None:
    """What is wrong with the arguments together, as a sentence."""
    price = options.price_per_second
    wrongs = {
        "the following arguments are required: -o/--out": options.out is None and not options.list,
        "--local uses this machine; --endpoint, --key and --url are for an endpoint": options.local
        and any((options.endpoint, options.key, options.url)),
        "--server is an HTTP server; --local, --endpoint and --url are other places": options.server
        and any((options.local, options.endpoint, options.url)),
        f"--server must be an http or https URL, not {options.server!r}": options.server
        and not options.server.startswith(("http://", "https://")),
        "--in-flight and --attempts must be 1 or more": min(options.in_flight, options.attempts) < 1,
        f"--part-chars must be {_FEWEST_PART_CHARS} or more": options.part_chars < _FEWEST_PART_CHARS,
        "--price-per-second must be 0 or more": price is not None and not 0 <= price < float("inf"),
        "--price-per-second is for an endpoint, whose answers say how long its workers had each job": price is not None
        and (options.local or options.server),
        "--title, --author and --cover are those of an audiobook: they need --m4b": not options.m4b
        and any((options.title, options.author, options.cover)),
    }
    return next((sentence for sentence, is_so in wrongs.items() if is_so), None)


def _defaults(options: argparse.Namespace) -> dict[str, Any]:
    """The fields for rows that do not set them. Raises InvalidRequest."""
    defaults = {name: value for name in _FIELDS if (value := getattr(options, name)) is not None}
    for pair in options.set:
        name, is_pair, text = pair.partition("=")
        if not is_pair:
            raise InvalidRequest(f"--set takes FIELD=VALUE, not {pair!r}", field="set")
        refuse_unknown({name: text})
        if name in ("id", "title", "text", "prompt", "turns"):
            raise InvalidRequest(f"{name} must be set in each row", field=name)
        defaults[name] = parse_value(name, text)
    requests.fields_of({name: value for name, value in defaults.items() if name not in OF_A_ROW}, has_text=False)
    if "reference" in defaults and any(name in defaults for name in (*requests.VOICES, "audio_prompt")):
        raise InvalidRequest("give --reference or another voice, not both", field="reference")
    return defaults
