"""Read a model's weights into the page cache while Python is still importing torch.

The modules map their weights (`pack`, `checkpoint`), so pages that are not in memory yet would be fetched one by one,
in the worst case from a network volume. Only speed depends on this module. Imports no torch.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chatterbox_worker.config import Settings
from chatterbox_worker.engines.chatterbox.checkpoint.prepared import needed
from chatterbox_worker.engines.chatterbox.checkpoint.served import checkpoint_of, decoded, is_chatterbox
from chatterbox_worker.errors import NotReady

_READERS = 4  # a network volume gives each reader its own bandwidth; one reader saturates a local disk
_BLOCK = 8 * 2**20  # bytes


def read_ahead(settings: Settings) -> threading.Thread:
    """Start reading the files of all models that are on the disk, in the order of loading; returns immediately."""
    thread = threading.Thread(target=_read, args=(settings,), name="read-ahead", daemon=True)
    thread.start()
    return thread


def _read(settings: Settings) -> None:
    for name in (*settings.models, *settings.packs):
        if is_chatterbox(name, settings):
            with contextlib.suppress(NotReady):  # loading the model reports it
                checkpoint = decoded(checkpoint_of(name, settings, offline=True), settings, offline=True)
                for path in needed(checkpoint, settings):
                    _read_file(path)


def _read_file(path: Path) -> None:
    size = path.stat().st_size
    share = -(-size // _READERS)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="read-ahead") as readers:
        list(
            readers.map(lambda index: _read_part(path, index * share, min((index + 1) * share, size)), range(_READERS))
        )


def _read_part(path: Path, start: int, end: int) -> None:
    buffer = memoryview(bytearray(_BLOCK))
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        file.seek(start)
        while start < end and (count := file.readinto(buffer[: min(_BLOCK, end - start)])):
            start += count
