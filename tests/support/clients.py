"""The client of a local queue, with the patience of a test."""

from __future__ import annotations

import io
from pathlib import Path

import soundfile

from chatterbox_worker.client import Patience, RunPodServerlessClient
from chatterbox_worker.localqueue import LocalQueue

QUICK = Patience(attempts=3, backoff_s=0.01, poll_s=0.05, poll_most_s=0.1)


def client_of(queue: LocalQueue, key: str | None = None) -> RunPodServerlessClient:
    return RunPodServerlessClient("local", key or queue.api_key, base_url=queue.url, patience=QUICK)


def duration_s(path: Path) -> float:
    return float(soundfile.info(io.BytesIO(path.read_bytes())).duration)
