"""`python -m chatterbox_worker.server`: its errors at start-up, and how it ends."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import pytest

from chatterbox_worker import config, wyoming
from chatterbox_worker.server.__main__ import main
from chatterbox_worker.server.in_process import LocalBackend
from support.paths import ROOT
from support.serving import free_port


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CHATTERBOX_API_KEYS": "short"}, "CHATTERBOX_API_KEYS: 1 of its keys have fewer than 16 characters"),
        ({"CHATTERBOX_BACKEND": "runpod:abc", "RUNPOD_API_KEY": ""}, "needs RUNPOD_API_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"CHATTERBOX_PORT": "80"}, "unknown variable CHATTERBOX_PORT"),
    ],
)
def test_an_invalid_setting_ends_it_with_an_error_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variables: dict[str, str], message: str
) -> None:
    for name, value in {"PORT": str(free_port()), **variables}.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.ERROR):
        assert main([]) == 2

    assert message in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "65536"], ["--port", "x"], ["--root-path", "tts"]])
def test_a_flag_is_checked_as_its_setting(caplog: pytest.LogCaptureFixture, arguments: list[str]) -> None:
    with caplog.at_level(logging.ERROR):
        assert main(arguments) == 2
    assert f"is '{arguments[1]}', but it must be" in caplog.text


@pytest.mark.parametrize(
    ("main", "flags"),
    [
        (main, "--host=127.0.0.1 --port={}"),
        (wyoming.main, "--uri=tcp://127.0.0.1:{}"),
        (main, "--host=no.such.invalid"),
    ],
)
def test_no_model_is_loaded_for_an_address_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    main: Callable[[Sequence[str]], int],
    flags: str,
) -> None:
    monkeypatch.setenv(config.variable("models"), "preview")
    monkeypatch.setattr(LocalBackend, "open", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(flags.format(taken.getsockname()[1]).split()) == 2
    assert re.search("address already in use|'no.such.invalid' is no address to listen on", caplog.text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "address"), [("server", "--host=127.0.0.1 --port={}"), ("wyoming", "--uri=tcp://127.0.0.1:{}")]
)
def test_ctrl_c_ends_it_without_a_traceback_and_an_address_in_use_is_an_error(module: str, address: str) -> None:
    own = {"PYTHONPATH": str(ROOT / "src"), config.variable("models"): "preview"}
    arguments = address.format(free_port()).split()
    command = [sys.executable, "-c", _INTERRUPTIBLE, f"chatterbox_worker.{module}", "--local", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=config.environment() | own) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Uvicorn running" in line or ("is ready" in line and module == "wyoming"):
                break
        second = subprocess.run(command, capture_output=True, text=True, env=config.environment() | own, check=False)
        assert second.returncode != 0
        assert "address already in use" in second.stderr
        assert "Traceback" not in second.stderr
        process.send_signal(signal.SIGINT)
        printed = process.stderr.read()
    assert (process.returncode, "Traceback" in printed) == (0, False), printed


@pytest.mark.slow
def test_a_second_ctrl_c_ends_it_at_once() -> None:
    environment = config.environment() | {"PYTHONPATH": str(ROOT / "src"), config.variable("models"): "preview"}
    arguments = ["-m", "chatterbox_worker.server", "--local", "--host=127.0.0.1", f"--port={free_port()}"]
    command = ["env", "--default-signal=INT", sys.executable, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "Uvicorn running" in line)
        process.send_signal(signal.SIGINT)  # uvicorn looks for it every 0.1 s
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        printed = process.stderr.read()
    assert (process.returncode, "Traceback" in printed) == (130, False), printed


_INTERRUPTIBLE = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process of a shell ignores it
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
