"""Large answers on the network volume: a file under a name that cannot be guessed, deleted when it is old.

A caller that mounts the volume, or reads it through RunPod's S3 API, finds the file at the path in the answer; one that
does not asks for it in pieces (the action `outputs.get`). Only names that `put` could have chosen are ever opened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chatterbox_worker.config import VOLUME
from chatterbox_worker.errors import InvalidRequest, OutputNotFound, VolumeFailed, quote
from chatterbox_worker.files import write_whole
from chatterbox_worker.serverless.delivery.answer import NotDelivered

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{32}\.[a-z0-9]{2,5}")  # 24 random bytes, and a format
_SWEEP_EVERY_S = 600.0  # the folder is listed no more often: a network volume is slow at it


@dataclass(frozen=True, slots=True)
class OutputFile:
    path: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


def is_attached(folder: Path) -> bool:
    """Whether a folder outlives this worker: under the mount only if a network volume is mounted there."""
    return VOLUME not in folder.parents or VOLUME.is_mount()


class Volume:
    def __init__(self, folder: Path, *, max_age_s: float) -> None:
        self.folder = folder
        self.max_age_s = max_age_s
        self._swept_s = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        """A plain folder where the mount should be is the container's own disk, which no caller sees."""
        return is_attached(self.folder) and (self.folder.is_dir() or self.folder.parent.is_dir())

    def put(self, data: bytes, *, suffix: str) -> Path:
        """
        Raises:
            NotDelivered: the volume is missing, read-only or full.
        """
        if not self.is_there:
            raise NotDelivered("no volume is attached")
        path = self.folder / f"{secrets.token_urlsafe(24)}.{suffix}"
        try:
            self.folder.mkdir(exist_ok=True)
            write_whole(path, data, durable=True)
        except OSError as error:
            raise NotDelivered(f"the volume cannot be written: {error.strerror}") from None
        self._sweep_if_due()
        return path

    def files(self) -> list[OutputFile]:
        """The newest first."""
        return sorted(self._files(), key=lambda file: file.modified, reverse=True)

    def read(self, path: str, offset: int, most_bytes: int) -> tuple[bytes, int]:
        """A piece of a file, and the size of the whole file.

        Raises:
            InvalidRequest: `path` cannot be that of an answer, or `offset` is past the end.
            OutputNotFound: there is no such file (any more).
        """
        try:
            opened = os.open(self._path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor
                found = os.fstat(opened)
                if not stat.S_ISREG(found.st_mode):
                    raise FileNotFoundError
                if offset > found.st_size:
                    raise InvalidRequest(f"offset is {offset}, but the file has {found.st_size} bytes", field="offset")
                file.seek(offset)
                return file.read(most_bytes), found.st_size
        except OSError:
            raise _missing(path) from None

    def delete(self, path: str) -> None:
        """Raises InvalidRequest, OutputNotFound, VolumeFailed."""
        try:
            self._path(path).unlink()
        except FileNotFoundError:
            raise _missing(path) from None
        except OSError as error:
            raise VolumeFailed(f"the file cannot be deleted: {error.strerror}", field="path") from error

    def sweep(self) -> None:
        """Delete what is too old."""
        oldest_s = time.time() - self.max_age_s
        try:
            for file in self.folder.iterdir():
                with contextlib.suppress(OSError):  # another worker was faster
                    if file.stat().st_mtime < oldest_s:
                        file.unlink()
        except OSError as error:
            log.warning("the outputs on the volume cannot be listed: %s", error.strerror)

    def _files(self) -> Iterator[OutputFile]:
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # another worker was faster
                    if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        modified = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
                        yield OutputFile(entry.path, found.st_size, modified)

    def _path(self, path: str) -> Path:
        """A file directly in the folder, named by `put`: nothing else can be reached."""
        name = path.removeprefix(f"{self.folder}/")
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"path must be the audio_path of an answer, not {quote(path)}", field="path")
        return self.folder / name

    def _sweep_if_due(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._swept_s < _SWEEP_EVERY_S:
                return
            self._swept_s = now_s
        threading.Thread(target=self.sweep, name="outputs-sweep", daemon=True).start()


def _missing(path: str) -> OutputNotFound:
    return OutputNotFound(
        f"there is no file {quote(path)}: it was deleted, or it is on another endpoint's volume", field="path"
    )
