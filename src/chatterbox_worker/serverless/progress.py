"""Progress of a long job, reported rarely: RunPod's SDK starts a thread and opens a connection for every update."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_EVERY_S = 2.0
_FEW_CHUNKS = 3  # a job this short is over before its progress is read


class Progress:
    """A `cancel.Progress` that passes on an update every few seconds.

    Nothing once all chunks are done: an update has no order with the result, and must not come after it.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], now_s: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._now_s = now_s
        self._sent_s = now_s()

    def __call__(self, done: int, total: int, audio_s: float) -> None:
        now_s = self._now_s()
        if total > _FEW_CHUNKS and done < total and now_s - self._sent_s >= _EVERY_S:
            self._sent_s = now_s
            self._send({"chunks_done": done, "chunks": total, "audio_s": round(audio_s, 2)})
