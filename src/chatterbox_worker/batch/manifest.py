"""`manifest.jsonl`: the result of each row, one JSON object per line, in the folder of the audio files.

    submitted   {"key", "id", "state", "job"}: an endpoint has the job; it is polled before the row is sent again
    done        {..., "file", "size_bytes", "sha256", "duration_s", "seed", "model"}; an audiobook has no seed
    failed      {..., "error": {"code", "message", "field"}}, and "job" if that may still succeed

A line is on the disk before the program relies on it, and the last line of a key counts. A line that a kill cut off is
always the last one and is removed. At the end of a run the file is rewritten, with one line per row in the rows' order.
Only one run at a time: the folder is locked, and the lock ends with the process.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from chatterbox_worker.errors import Busy, InvalidRequest
from chatterbox_worker.files import DRAFT_SUFFIX, lock_folder, write_whole

NAME = "manifest.jsonl"

Error = Mapping[str, str | None]
"""`code`, `message`, `field`."""


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    key: str
    id: str
    state: Literal["submitted", "done", "failed"]
    title: str | None = None
    """Of its chapter."""
    chapter: int | None = None
    job: str | None = None
    """The endpoint's job, while it may still succeed."""
    file: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    duration_s: float | None = None
    seed: int | None = None
    model: str | None = None
    captions: str | None = None
    """The file of its captions."""
    worker_s: float | None = None
    """How long an endpoint's worker had the job."""
    error: Error | None = None

    def line(self) -> str:
        return _line({name: value for name, value in asdict(self).items() if value is not None})


class Manifest:
    """The manifest of one folder. Entering acquires the folder's lock. Not thread-safe."""

    def __init__(self, folder: Path, captions: str | None = None) -> None:
        """`captions`: the kind that each row has, one of `text.captions.MIMETYPES`."""
        self.folder = folder
        self.captions = captions
        self._path = folder / NAME
        self.entries: dict[str, ManifestEntry] = {}
        """By key."""
        self._owners: dict[str, str] = {}

    def __enter__(self) -> Self:
        """
        Raises:
            Busy: another run writes to this folder.
            InvalidRequest: the folder's manifest is not a valid one.
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            try:
                opened.enter_context(lock_folder(self.folder))
            except BlockingIOError:
                raise Busy(f"another run writes to {self.folder}; wait for it, or choose another folder") from None
            self._load()
            self._file = opened.enter_context(self._path.open("a", encoding="utf-8"))
            for draft in self.folder.glob(f".*{DRAFT_SUFFIX}"):
                draft.unlink()
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()  # `compact` opens another one
        self._opened.close()

    def has(self, key: str) -> bool:
        """Whether the row is done and its file exists with the recorded size."""
        entry = self.entries.get(key)
        if entry is None or entry.state != "done" or entry.file is None:
            return False
        try:
            return (self.folder / entry.file).stat().st_size == entry.size_bytes
        except OSError:
            return False

    def is_complete(self, key: str) -> bool:
        """Whether nothing is left to do for the row: its captions are there too, if rows have any."""
        if self.captions is None or not self.has(key):
            return self.has(key)
        name = self.entries[key].captions
        return name is not None and name.endswith(f".{self.captions}") and (self.folder / name).is_file()

    def record(self, entry: ManifestEntry) -> None:
        """Append the entry; it is on the disk when this returns."""
        self._file.write(entry.line())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._put(entry)

    def write_file(self, data: bytes, name: str) -> None:
        """Write the file completely or not at all; it is on the disk when this returns."""
        write_whole(self.folder / name, data, durable=True, sole_writer=True)

    def compact(self, keys: Iterable[str], refused: Iterable[Mapping[str, Any]]) -> None:
        """Rewrite the file with one line per key, in this order, after the lines of other inputs that still apply.

        A line of another input applies as long as none of these rows has its file or its id.
        """
        ours = {key: self.entries[key] for key in keys if key in self.entries}
        files = {entry.file for entry in ours.values() if entry.file}
        ids = {entry.id for entry in ours.values()}
        others = [e for key, e in self.entries.items() if key not in ours and e.file not in files and e.id not in ids]
        lines = [entry.line() for entry in (*others, *ours.values())] + [_line(row) for row in refused]
        write_whole(self._path, "".join(lines).encode(), durable=True, sole_writer=True)
        self._file.close()
        self._file = self._path.open("a", encoding="utf-8")

    def _put(self, entry: ManifestEntry) -> None:
        """A file belongs to the row that wrote it last."""
        self.entries[entry.key] = entry
        if entry.file is not None and (owner := self._owners.get(entry.file, entry.key)) != entry.key:
            self.entries.pop(owner, None)
        if entry.file is not None:
            self._owners[entry.file] = entry.key

    def _load(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                fields = json.loads(line)
                if fields.get("state") != "refused":  # it has no key: it is for people, not for the next run
                    self._put(ManifestEntry(**fields))
            except (ValueError, TypeError, KeyError, AttributeError):
                raise InvalidRequest(
                    f"{self._path}:{number} is not a line of a manifest; choose another folder, or move the file",
                    field="out",
                ) from None
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))


def _line(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False) + "\n"
