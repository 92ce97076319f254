"""Text and numbers that a command reads from its arguments and standard input, and errors and JSON that it prints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TypeVar

from chatterbox_worker import ranges
from chatterbox_worker.errors import quote

_T = TypeVar("_T")


def argument(value: str) -> str:
    """The type of an argument that is text, for argparse: its bytes are UTF-8, also in a locale of ASCII."""
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeDecodeError as error:
        raise argparse.ArgumentTypeError(f"{error.object!r} is not UTF-8") from None


def whole(low: int, high: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number in a range, for argparse."""
    return _argument_type(ranges.whole(low, high))


def number(low: float, high: float) -> Callable[[str], float]:
    """The type of an argument that is a number in a range, for argparse."""
    return _argument_type(ranges.number(low, high))


def _argument_type(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    def parse_argument(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{error}, not {quote(text)}") from None

    return parse_argument


def or_stdin(value: str) -> str:
    """`value`, or what standard input has if it is "-". Raises ValueError."""
    try:
        return sys.stdin.read() if value == "-" else value
    except UnicodeDecodeError as error:
        raise ValueError(f"the text on standard input is not {error.encoding.upper()}: {error.reason}") from None


def describe(error: Exception | str) -> str:
    """The sentence of an error; of a file's error its path and the reason, without the system's number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def fail(error: Exception | str, code: int = 1) -> int:
    """Write the sentence of an error to standard error; returns the exit code."""
    sys.stderr.write(f"{describe(error)}\n")
    return code


def to_json(value: object) -> str:
    """JSON for standard output, in ASCII if it cannot take other characters."""
    return json.dumps(value, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf"), indent=2)
