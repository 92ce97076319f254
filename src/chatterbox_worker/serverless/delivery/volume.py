"""Large answers on the network volume: a file under a name that cannot be guessed, deleted when it is old.

A caller that mounts the volume, or reads it through RunPod's S3 API, finds the file at the path in the answer.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from pathlib import Path

from chatterbox_worker.files import write_whole
from chatterbox_worker.serverless.delivery.answer import NotDelivered

log = logging.getLogger(__name__)

MOUNT = Path("/runpod-volume")
"""Where RunPod mounts a network volume in a serverless worker."""

_SWEEP_EVERY_S = 600.0  # the folder is listed no more often: a network volume is slow at it


class Volume:
    def __init__(self, folder: Path, *, max_age_s: float) -> None:
        self._folder = folder
        self.max_age_s = max_age_s
        self._swept_s = float("-inf")
        self._lock = threading.Lock()

    @property
    def is_there(self) -> bool:
        """A plain folder where the mount should be is the container's own disk, which no caller sees."""
        if MOUNT in self._folder.parents and not MOUNT.is_mount():
            return False
        return self._folder.is_dir() or self._folder.parent.is_dir()

    def put(self, data: bytes, *, suffix: str) -> Path:
        """
        Raises:
            NotDelivered: the volume is missing, read-only or full.
        """
        if not self.is_there:
            raise NotDelivered("no volume is attached")
        path = self._folder / f"{secrets.token_urlsafe(24)}.{suffix}"
        try:
            self._folder.mkdir(exist_ok=True)
            write_whole(path, data, durable=True)
        except OSError as error:
            raise NotDelivered(f"the volume cannot be written: {error.strerror}") from None
        self._sweep_if_due()
        return path

    def sweep(self) -> None:
        """Delete what is too old."""
        oldest_s = time.time() - self.max_age_s
        try:
            for file in self._folder.iterdir():
                with contextlib.suppress(OSError):  # another worker was faster
                    if file.stat().st_mtime < oldest_s:
                        file.unlink()
        except OSError as error:
            log.warning("the outputs on the volume cannot be listed: %s", error.strerror)

    def _sweep_if_due(self) -> None:
        with self._lock:
            now_s = time.monotonic()
            if now_s - self._swept_s < _SWEEP_EVERY_S:
                return
            self._swept_s = now_s
        threading.Thread(target=self.sweep, name="outputs-sweep", daemon=True).start()
