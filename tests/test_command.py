"""How every command starts and ends: signals, a locale without UTF-8, streams that are closed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatterbox_worker import config
from support.paths import ROOT

_ENVIRONMENT = config.environment() | {"PYTHONPATH": str(ROOT / "src"), config.variable("models"): "preview"}
_TEXT = ("-m", "chatterbox_worker.text")
_COMMANDS = (
    *("batch", "client", "clone", "convert", "engines.chatterbox.pack", "localqueue", "server", "text", "train"),
    *("train.import_adapter", "train.merge", "train.transcribe", "wyoming"),
)
_SCRIPTS = ("handler.py", "test_local.py", "scripts/clone_voice.py")


def _start(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, *arguments],  # a shell's background process ignores SIGINT
        cwd=ROOT,
        env=_ENVIRONMENT,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _signalled(process: subprocess.Popen[bytes], number: signal.Signals, after_s: float) -> tuple[int | None, bytes]:
    """The exit code and what is on stderr, for a signal that comes `after_s` seconds after the command handles it.

    None for the exit code if the command had ended by itself by then.
    """
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = int(status.read_text().partition("SigCgt:")[2].split()[0], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            break
        time.sleep(0.001)
    time.sleep(after_s)
    has_ended = process.poll() is not None
    process.send_signal(number)
    _, printed = process.communicate()
    return None if has_ended else process.returncode, printed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_the_imports_ends_a_command_silently(number: signal.Signals, code: int) -> None:
    assert _signalled(_start(*_TEXT, "Hi."), number, after_s=0) == (code, b"")


def test_a_program_that_imports_the_package_keeps_its_signals(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("import chatterbox_worker\n")
    (tmp_path / "app/__main__.py").write_text("import signal\nprint(signal.getsignal(signal.SIGTERM).name)\n")
    environment = _ENVIRONMENT | {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"}
    command = [sys.executable, "-m", "app", "chatterbox_worker.text"]
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout == b"SIG_DFL\n"


@pytest.mark.parametrize(
    ("arguments", "reader", "code", "printed"),
    [
        (("-m", "chatterbox_worker.batch", "rows.csv", "--list"), "| true", 141, b""),
        ((*_TEXT, "Hi."), "> /dev/full", 1, b"standard output cannot be written: No space left on device\n"),
    ],
)
def test_an_output_that_takes_nothing_ends_a_command_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...], reader: str, code: int, printed: bytes
) -> None:
    (tmp_path / "rows.csv").write_text("text\nHi.\n")
    script = f'"$@" {reader}; exit ${{PIPESTATUS[0]}}'
    command = ["bash", "-c", script, "bash", sys.executable, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=_ENVIRONMENT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, printed)


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0"}])
def test_text_is_whole_in_a_locale_of_ascii(variables: dict[str, str]) -> None:
    environment = _ENVIRONMENT | {"LC_ALL": "C"} | variables
    command = [sys.executable, *_TEXT, "--language=es"]
    printed = subprocess.run([*command, "Ñandú."], env=environment, capture_output=True, check=True)
    assert b"\\xd1and\\xfa" in printed.stdout
    listed = subprocess.run(
        [*command, "--json", "-"], input="Ñandú.".encode(), env=environment, capture_output=True, check=True
    )
    assert json.loads(listed.stdout)["chunks"][0]["text"] == "Ñandú."


def test_text_that_is_not_utf8_is_refused() -> None:
    command: list[str | bytes] = [sys.executable, *_TEXT]
    for argument, typed in ((b"Caf\xe9", b""), (b"-", b"Caf\xe9")):
        done = subprocess.run([*command, argument], input=typed, env=_ENVIRONMENT, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"is not UTF-8" in done.stderr.splitlines()[-1]


def test_a_closed_stream_is_an_empty_one() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, *_TEXT, "Hi."], env=_ENVIRONMENT, check=False
    )
    assert done.returncode == 0
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", sys.executable, *_TEXT, "-"], env=_ENVIRONMENT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0, 0.05, 0.2])
@pytest.mark.parametrize(
    "arguments", [*(("-m", f"chatterbox_worker.{name}", "--help") for name in _COMMANDS), *zip(_SCRIPTS, strict=True)]
)
def test_every_command_ends_at_any_moment(arguments: tuple[str, ...], after_s: float) -> None:
    code, printed = _signalled(_start(*arguments), signal.SIGINT, after_s)
    assert code in {None, 0, 130}  # 0: its work was done
    assert printed in {b"", b"stopped\n"}


def test_every_command_is_in_this_test() -> None:
    package = ROOT / "src/chatterbox_worker"
    found = (path for path in package.rglob("*.py") if "\n    command.run(main" in path.read_text("utf-8"))
    names = {".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__main__") for path in found}
    assert names == set(_COMMANDS)


@pytest.mark.slow
def test_ctrl_c_while_a_command_waits_ends_it_with_a_word() -> None:
    process = _start(*_TEXT, "-", stdin=subprocess.PIPE)
    assert _signalled(process, signal.SIGINT, after_s=2.0) == (130, b"stopped\n")


_WORK = """
import asyncio, sys, threading, time
from pathlib import Path
from chatterbox_worker import command, files
command.begin()
def main(arguments):
    how, folder = arguments
    if how == "thread":
        threading.Thread(target=threading.Event().wait).start()
    with files.draft(Path(folder, "result")) as path:
        path.touch()
        print("working", flush=True)
        asyncio.run(asyncio.sleep(60)) if how == "asyncio" else time.sleep(60)
command.run(main, "stopped; run it again")
"""


@pytest.mark.parametrize("how", ["sleep", "asyncio", "thread"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_during_the_work_ends_a_command_with_its_message_and_no_half_file(
    tmp_path: Path, number: signal.Signals, code: int, how: str
) -> None:
    process = _start("-c", _WORK, how, str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline() == b"working\n"
    process.send_signal(number)
    assert (process.communicate()[1], process.returncode) == (b"stopped; run it again\n", code)
    assert not list(tmp_path.iterdir())


_LONG_END = """
import time
from chatterbox_worker import command
class Last:
    def __del__(self):
        print("ending", flush=True)
        time.sleep(0.3)
last = Last()
command.begin()
command.run(lambda _: 0)
"""


def test_a_signal_while_python_ends_does_not_change_the_exit_code() -> None:
    process = _start("-c", _LONG_END)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ending\n"
    process.send_signal(signal.SIGINT)
    assert (process.communicate()[1], process.returncode) == (b"", 0)
