"""A part of the GPU benchmark whose cases end in every way that there is."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, NoReturn

from bench.gpu.cases import Cases, Skipped
from bench.gpu.run import Options


def cases(options: Options) -> Cases:
    yield "works", lambda: {"device": options.device}
    yield "cannot run here", _skip
    yield "raises", _fail
    yield "crashes", _crash
    yield "works after the crash", lambda: {"ok": True}
    yield "hangs", _hang
    yield "works after the hang", lambda: {"ok": True}


def _skip() -> NoReturn:
    raise Skipped("needs a GPU")


def _fail() -> NoReturn:
    raise ValueError("7 is no such number\nwith more")


def _crash() -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def _hang() -> dict[str, Any]:
    threading.Event().wait()
    return {}
