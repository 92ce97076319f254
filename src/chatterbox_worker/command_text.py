"""Text that a command reads from its arguments and standard input, and errors and JSON that it prints."""

from __future__ import annotations

import argparse
import json
import sys


def argument(value: str) -> str:
    """The type of an argument that is text, for argparse: its bytes are UTF-8, also in a locale of ASCII."""
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"{error.object!r} is not UTF-8") from None


def or_stdin(value: str) -> str:
    """`value`, or what standard input has if it is "-". Raises ValueError."""
    try:
        return sys.stdin.read() if value == "-" else value
    except UnicodeDecodeError as error:
        raise ValueError(f"the text on standard input is not {error.encoding.upper()}: {error.reason}") from None


def describe(error: Exception) -> str:
    """The sentence of an error; of a file's error its path and the reason, without the system's number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def to_json(value: object) -> str:
    """JSON for standard output, in ASCII if it cannot take other characters."""
    return json.dumps(value, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf"), indent=2)
