"""Answers that could not be posted yet, on the network volume, so that they outlive this worker.

A file is a line of JSON (whose job, of which endpoint, posted by which worker) and the body to post. It is written at
the first failure and removed when the platform has the answer or does not want it. A worker that takes a job whose
answer lies here answers with it; and every worker posts what another has left behind, once its lease is over. Only
successes are stored: an error costs nothing to find again.

The volume is optional and hostile; nothing here raises because of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker.files import DRAFT_SUFFIX, write_whole
from chatterbox_worker.mounts import LOOK_UP_S, REQUEST_S, mount_of
from chatterbox_worker.serverless.delivery.volume import Volume

log = logging.getLogger(__name__)

LEASE_S = 120.0
"""A file that its worker has not touched for so long is another's to post: longer than two pauses of a worker."""
OLDEST_S = 86_400.0
"""RunPod's default time to live of a job."""
_SUFFIX = ".json"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class UnpostedAnswer:
    job_id: str
    worker_id: str
    """Who took the job."""
    is_stream: bool
    body: bytes
    """As posted: the JSON object with the job's `output`."""

    @property
    def output(self) -> Any:
        return json.loads(self.body)["output"]


class Outbox:
    """Every method may wait for the volume: not for the event loop."""

    def __init__(self, volume: Volume, endpoint: str) -> None:
        """`endpoint` identifies the queue: several endpoints may share a volume."""
        self._volume = volume
        self._endpoint = endpoint

    def put(self, answer: UnpostedAnswer) -> bool:
        """Whether the answer is stored."""
        if not self._volume.is_there:
            return False
        head = {
            "job": answer.job_id,
            "endpoint": self._endpoint,
            "worker": answer.worker_id,
            "stream": answer.is_stream,
        }

        def write() -> None:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(answer.job_id), json.dumps(head).encode() + b"\n" + answer.body, durable=True)

        try:
            self._run(write, REQUEST_S)
        except OSError as error:
            log.warning("an answer that was not posted cannot be stored on the volume: %s", error.strerror)
            return False
        return True

    def touch(self, job_id: str) -> None:
        """Renew the lease."""
        self._quietly(os.utime, self._path(job_id))

    def remove(self, job_id: str) -> None:
        self._quietly(os.unlink, self._path(job_id))

    def find(self, job_id: str) -> UnpostedAnswer | None:
        """The answer to a job, from any worker."""
        return self._read(self._path(job_id), job_id)

    def abandoned(self) -> Iterator[UnpostedAnswer]:
        """Answers whose worker does not try any more. What is too old is deleted."""
        now_s = time.time()

        def scan() -> list[tuple[Path, float]]:
            with os.scandir(self._folder) as found:
                return [(Path(file.path), file.stat().st_mtime) for file in found]

        try:
            files = self._run(scan)
        except OSError:  # no volume, no folder, or another worker was faster
            return
        for path, touched_s in files:
            if now_s - touched_s > OLDEST_S or (path.name.endswith(DRAFT_SUFFIX) and now_s - touched_s > LEASE_S):
                self._quietly(os.unlink, path)
            elif path.suffix == _SUFFIX and now_s - touched_s > LEASE_S and (answer := self._read(path)) is not None:
                yield answer

    @property
    def _folder(self) -> Path:
        return self._volume.folder / ".unposted"

    def _path(self, job_id: str) -> Path:
        name = hashlib.sha256(f"{self._endpoint}\n{job_id}".encode()).hexdigest()
        return self._folder / f"{name}{_SUFFIX}"

    def _read(self, path: Path, job_id: str | None = None) -> UnpostedAnswer | None:
        try:
            head, _, body = self._run(path.read_bytes).partition(b"\n")
            about = json.loads(head)
            answer = UnpostedAnswer(str(about["job"]), str(about["worker"]), bool(about["stream"]), body)
            is_whole = "output" in json.loads(body)
        except (OSError, ValueError, KeyError, TypeError):  # absent, or damaged
            return None
        is_ours = about.get("endpoint") == self._endpoint and job_id in (None, answer.job_id)
        return answer if is_whole and is_ours else None

    def _run(self, work: Callable[[], _T], within_s: float = LOOK_UP_S) -> _T:
        """Raises OSError, also if the volume does not answer."""
        return mount_of(self._volume.folder).run(work, within_s)

    def _quietly(self, act: Callable[[Path], None], path: Path) -> None:
        try:
            self._run(lambda: act(path))
        except OSError:
            log.debug("the volume refused to change an answer that was not posted")
