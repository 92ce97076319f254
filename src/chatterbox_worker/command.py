"""How a command starts and ends: its signals, its standard streams and its exit code.

`begin` is called before a command's imports, which take up to seconds: by the package itself for
`python -m chatterbox_worker.…`, by the scripts in their first lines. `run` then calls the command's main function.
This module imports only what Python has loaded by then or loads in a millisecond.
"""

from __future__ import annotations

import atexit
import codecs
import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from types import FrameType, TracebackType

_BY_SIGNAL = 128  # a shell's exit code for a process that a signal ended is this and the signal's number
_Handler = Callable[[int, FrameType | None], object]
_USUAL: dict[signal.Signals, _Handler | signal.Handlers] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,  # the terminal was closed
}
_replaced: set[signal.Signals] = set()


def is_ours(arguments: Sequence[str]) -> bool:
    """Whether Python was started for a module of this package, and not for a program that imports it."""
    _, _, module = "\0".join(arguments).partition("\0-m")  # "-m name" or "-mname"
    return module.lstrip("\0").startswith(f"{__package__}.")


def begin() -> None:
    """Until `run`, SIGINT, SIGTERM and SIGHUP end the process silently, with 130, 143 and 129; also as process 1 of a
    container.

    Standard output writes what its encoding does not have as escapes, standard input in ASCII is UTF-8, and each of the
    three streams that is closed is replaced by the null device. A package that is not installed is named in a line.
    """
    sys.excepthook = _report
    for number, usual in _USUAL.items():
        if signal.getsignal(number) == usual:  # a shell's background process ignores SIGINT
            signal.signal(number, end)
            _replaced.add(number)
    atexit.register(_ignore_signals)  # called last
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their descriptors
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper):
        is_ascii = codecs.lookup(sys.stdin.encoding).name == "ascii"
        sys.stdin.reconfigure(encoding="utf-8" if is_ascii else None, errors="strict")


def run(main: Callable[[Sequence[str]], int], when_stopped: str = "stopped") -> None:
    """Call `main` with the arguments and end the process with the exit code that it returns.

    SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in it, so that it can remove what is half done. Then
    `when_stopped` is written to standard error, and the exit code is 128 and the signal's number.
    """
    stopped_by = signal.SIGINT

    def interrupt(number: int, frame: FrameType | None) -> None:
        """As Ctrl-C, for which asyncio has a handler of its own."""
        nonlocal stopped_by
        stopped_by = signal.Signals(number)
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    try:
        try:
            for number in _replaced:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else interrupt)
            code = main(sys.argv[1:])
        finally:
            _write("")
    except KeyboardInterrupt:
        code = _BY_SIGNAL + stopped_by
        sys.stderr.write(f"{when_stopped}\n")
        import threading  # noqa: PLC0415 - see above

        if any(not thread.daemon and thread is not threading.main_thread() for thread in threading.enumerate()):
            os._exit(code)  # Python would wait for it, for minutes if it loads a model
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


def _ignore_signals() -> None:
    """Python's last step resets its handlers, and a signal would change the exit code of a command that is done."""
    for number in _replaced:
        signal.signal(number, signal.SIG_IGN)
