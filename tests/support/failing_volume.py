"""A folder whose file system stops answering, or fails, as a network volume does."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from chatterbox_worker import mounts

_T = TypeVar("_T")
_SHORTER = 50  # times: 0.1 s for a look-up, 0.6 s for a request


class FailingVolume:
    """Stands in for the operating system's calls on what is in `folder`, which counts as a mount of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = str(folder)
        self._answers = threading.Event()
        self._answers.set()
        self.error: int | None = None
        """The errno that every call fails with."""
        run = mounts.Mount.run

        def run_shorter(mount: mounts.Mount, work: Callable[[], _T], within_s: float) -> _T:
            return run(mount, work, within_s / _SHORTER)

        monkeypatch.setattr(mounts.Mount, "run", run_shorter)
        monkeypatch.setattr(mounts, "_mount_point", lambda _: self._folder)
        for module, name in ((os, "open"), (os, "stat"), (os, "scandir"), (os, "mkdir"), (io, "open")):
            monkeypatch.setattr(module, name, self._guarded(getattr(module, name)))

    def stall(self) -> None:
        self._answers.clear()

    def release(self) -> None:
        self.error = None
        self._answers.set()

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(path: Any, *args: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._folder):
                self._answers.wait()
                if self.error is not None:
                    raise OSError(self.error, os.strerror(self.error), path)
            return call(path, *args, **named)

        return guarded
