"""Large answers on the network volume: a file under a name that cannot be guessed, deleted when it is old.

A caller that mounts the volume, or reads it through RunPod's S3 API, finds the file at the path in the answer; one that
does not asks for it in pieces (the action `outputs.get`). Only names that `put` could have chosen are ever opened.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from chatterbox_worker.config import VOLUME
from chatterbox_worker.errors import InvalidRequest, OutputNotFound, VolumeFailed, quote
from chatterbox_worker.files import check_whole, write_whole
from chatterbox_worker.mounts import LOOK_UP_S, REQUEST_S, mount_of
from chatterbox_worker.serverless.delivery.answer import NotDelivered

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]{32}\.[a-z0-9]{2,5}")  # 24 random bytes, and a format
_T = TypeVar("_T")
_SWEEP_EVERY_S = 600.0  # the folder is listed no more often: a network volume is slow at it


@dataclass(frozen=True, slots=True)
class OutputFile:
    path: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


def is_attached(folder: Path) -> bool:
    """Whether a folder outlives this worker: under the mount only if a network volume is mounted there.

    Raises:
        OSError: the volume fails or does not answer.
    """
    return VOLUME not in folder.parents or mount_of(VOLUME).run(VOLUME.is_mount, LOOK_UP_S)


class Volume:
    def __init__(self, folder: Path, *, max_age_s: float) -> None:
        self.folder = folder
        self.max_age_s = max_age_s
        self._swept_s = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        """Whether a volume is attached and answers. A plain folder where the mount should be is the container's own
        disk, which no caller sees.
        """
        try:
            return is_attached(self.folder) and self._run(
                lambda: self.folder.is_dir() or self.folder.parent.is_dir(), LOOK_UP_S
            )
        except OSError:
            return False

    def put(self, data: bytes, *, suffix: str) -> Path:
        """
        Raises:
            NotDelivered: the volume is missing, read-only or full, or does not answer.
        """
        if not self.is_there:
            raise NotDelivered("no volume is attached, or it does not answer")
        path = self.folder / f"{secrets.token_urlsafe(24)}.{suffix}"

        def write() -> None:
            self.folder.mkdir(exist_ok=True)
            write_whole(path, data, durable=True)

        try:
            self._run(write)
        except OSError as error:
            raise NotDelivered(f"the volume cannot be written: {error.strerror}") from None
        self._sweep_if_due()
        return path

    def files(self) -> list[OutputFile]:
        """The newest first. Raises VolumeFailed."""
        try:
            return sorted(self._run(self._files), key=lambda file: file.modified, reverse=True)
        except OSError as error:
            raise VolumeFailed(f"the outputs on the volume cannot be listed: {error.strerror}") from error

    def read(self, path: str, offset: int, most_bytes: int) -> tuple[bytes, int]:
        """A piece of a file, and the size of the whole file.

        Raises:
            InvalidRequest: `path` cannot be that of an answer, or `offset` is past the end.
            OutputNotFound: there is no such file (any more).
            VolumeFailed: it cannot be read.
        """

        def read() -> tuple[bytes, int]:
            opened = os.open(self._path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(opened, "rb") as file:  # noqa: PTH123 - a descriptor
                found = os.fstat(opened)
                if not stat.S_ISREG(found.st_mode):
                    raise FileNotFoundError
                if offset > found.st_size:
                    raise InvalidRequest(f"offset is {offset}, but the file has {found.st_size} bytes", field="offset")
                file.seek(offset)
                data = file.read(most_bytes)
                check_whole(data, min(most_bytes, found.st_size - offset))
                return data, found.st_size

        try:
            return self._run(read)
        except OSError as error:
            if error.errno in (None, errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR):  # or is no file
                raise _missing(path) from None
            raise VolumeFailed(f"the file cannot be read: {error.strerror}", field="path") from error

    def delete(self, path: str) -> None:
        """Raises InvalidRequest, OutputNotFound, VolumeFailed."""
        try:
            self._run(self._path(path).unlink)
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

    def _run(self, work: Callable[[], _T], within_s: float = REQUEST_S) -> _T:
        """Raises OSError, also if the volume does not answer."""
        return mount_of(self.folder).run(work, within_s)

    def _files(self) -> list[OutputFile]:
        files = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # another worker was faster
                    if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        modified = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
                        files.append(OutputFile(entry.path, found.st_size, modified))
        return files

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
