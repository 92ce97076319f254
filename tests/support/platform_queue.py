"""A local queue with the real worker behind it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from chatterbox_worker.localqueue import LocalQueue
from support.paths import ROOT, WORKERS

PREVIEW = ROOT / "handler.py"
TONE = WORKERS / "tone.py"
"""The same worker with an engine that behaves as the text says."""


def open_queue(script: Path, folder: Path, *, options: dict[str, Any] | None = None, **settings: str) -> LocalQueue:
    """A queue whose worker stores everything in `folder`, without a bucket or volume unless `settings` name one."""
    env = {
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("src", ".", "tests")),
        "CHATTERBOX_MODELS": "preview" if script is PREVIEW else "multilingual",
        "CHATTERBOX_CACHE_DIR": str(folder / "cache"),
        "CHATTERBOX_VOICES_DIR": str(folder / "voices"),
        "CHATTERBOX_OUTPUTS_DIR": str(folder / "missing" / "outputs"),
        "CHATTERBOX_ALLOW_PRIVATE_URLS": "1",
        **settings,
    }
    return LocalQueue(command=[sys.executable, str(script)], cwd=ROOT, env=env, **({"grace_s": 20.0} | (options or {})))


def cancel(queue: LocalQueue, job_id: str) -> None:
    headers = {"Authorization": f"Bearer {queue.api_key}"}
    httpx.post(f"{queue.endpoint_url}/cancel/{job_id}", headers=headers, timeout=60).raise_for_status()


def eventually(predicate: Callable[[], bool], timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not predicate() and time.monotonic() < deadline:
        time.sleep(0.02)
    return predicate()
