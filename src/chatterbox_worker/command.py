"""How a command starts and ends: its signals, its standard streams and its exit code.

`begin` is called before a command's imports, which take up to seconds: by the package itself for
`python -m chatterbox_worker.…`, by the scripts in their first lines. `run` then calls the command's main function.
This module imports only what Python has loaded by then or loads in a millisecond.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from types import FrameType, TracebackType

_BY_SIGNAL = 128  # a shell's exit code for a process that a signal ended is this and the signal's number
_USUAL: dict[signal.Signals, Callable[[int, FrameType | None], object] | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}
_replaced: set[signal.Signals] = set()


def is_ours(arguments: Sequence[str]) -> bool:
    """Whether Python was started for a module of this package, and not for a program that imports it."""
    _, _, module = "\0".join(arguments).partition("\0-m")  # "-m name" or "-mname"
    return module.lstrip("\0").startswith(f"{__package__}.")


def begin() -> None:
    """Until `run`, SIGINT and SIGTERM end the process silently, with 130 and 143; also as process 1 of a container.

    Standard output writes what its encoding does not have as escapes, standard input in ASCII is UTF-8, and each of the
    three streams that is closed is replaced by the null device. A package that is not installed is named in a line.
    """
    sys.excepthook = _report
    for number, usual in _USUAL.items():
        if signal.getsignal(number) == usual:  # a shell's background process ignores SIGINT
            signal.signal(number, end)
            _replaced.add(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their descriptors
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper):
        is_ascii = codecs.lookup(sys.stdin.encoding).name == "ascii"
        sys.stdin.reconfigure(encoding="utf-8" if is_ascii else None, errors="strict")


def run(main: Callable[[Sequence[str]], int]) -> None:
    """Call `main` with the arguments and end the process with the exit code that it returns, or 130 after Ctrl-C."""
    for number in _replaced:
        signal.signal(number, _USUAL[number])
    try:
        try:
            code = main(sys.argv[1:])
        finally:
            _write("")
    except KeyboardInterrupt:
        code = _BY_SIGNAL + signal.SIGINT
    finally:
        for number in _replaced:
            signal.signal(number, end)  # a second Ctrl-C, while Python ends
    sys.exit(code)


def print_line(line: str) -> None:
    """Print at once, also into a file.

    Raises:
        SystemExit: the output takes nothing: 141 if its reader is gone, as `head` goes, and 1 with an error message,
            as for a full disk.
    """
    _write(f"{line}\n")


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still in its buffer
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_BY_SIGNAL + signal.SIGPIPE) from None
        sys.stderr.write(f"standard output cannot be written: {error.strerror}\n")
        raise SystemExit(1) from None


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Python's own report, but for a package that one of the extras installs."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name in ("", __package__):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stderr.write(f"the package {name} is not installed; README.md has what each command needs\n")


def end(number: int, _: object = None) -> None:
    """End the process at once, as the signal does."""
    os._exit(_BY_SIGNAL + number)
