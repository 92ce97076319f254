"""The real worker with the preview voice behind a local queue, for tests of clients. Ready in about 3 seconds."""

from __future__ import annotations

import sys
from pathlib import Path

from chatterbox_worker.localqueue import Limits, LocalQueue
from support.paths import ROOT


def preview_queue(folder: Path, *, hub: bool = False, limits: Limits | None = None, **settings: str) -> LocalQueue:
    """A context manager; `settings` have no prefix: `stream="1"`. The cache and the voices are in `folder`."""
    paths = {"cache_dir": "cache", "voices_dir": "voices", "lexicon": "lexicon.json"}
    chosen = {"models": "preview", **{name: str(folder / path) for name, path in paths.items()}} | settings
    env = {f"CHATTERBOX_{name.upper()}": value for name, value in chosen.items()}
    return LocalQueue(command=[sys.executable, "handler.py"], cwd=ROOT, env=env, hub=hub, limits=limits)
