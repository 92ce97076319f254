"""A platform that remembers what the worker reported to it."""

from __future__ import annotations

from typing import Any

from chatterbox_worker.serverless.worker import Job, NoPlatform


class RecordingPlatform(NoPlatform):
    takes_progress = True

    def __init__(self) -> None:
        self.updates: list[tuple[str, dict[str, Any]]] = []
        """Job ids and updates."""
        self.device_failures = 0

    def report_progress(self, job: Job, update: dict[str, Any]) -> None:
        self.updates.append((job["id"], update))

    def device_failed(self) -> None:
        self.device_failures += 1
