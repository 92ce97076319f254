"""The audiobook at the end of a run: the rows' files as chapters of one m4b, recorded in the manifest like a row."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from chatterbox_worker.audio.audiobook import CHAPTER_PAUSE_S, AudiobookChapter, AudiobookTags, is_cover, write_m4b
from chatterbox_worker.batch.book import NAMED_CHARS, Book
from chatterbox_worker.batch.manifest import Manifest, ManifestEntry
from chatterbox_worker.batch.names import stem_of
from chatterbox_worker.batch.rows import BatchRow
from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.files import draft
from chatterbox_worker.text.chunk import PAUSES_S, Pause

SUFFIX = ".m4b"
_PART_PAUSE_S = PAUSES_S[Pause.PARAGRAPH]
_COVER_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class AudiobookPlan:
    """What is to be written, for rows that are done."""

    rows: tuple[BatchRow, ...]
    tags: AudiobookTags
    name: str
    """Of the file."""

    def key(self, manifest: Manifest) -> str:
        """SHA-256 (hex) of everything that the file is made of."""
        files = [[row.chapter, _title_of(row), manifest.entries[row.key].sha256] for row in self.rows]
        cover = None if self.tags.cover is None else hashlib.sha256(self.tags.cover).hexdigest()
        made_of = [files, self.tags.metadata(), cover, CHAPTER_PAUSE_S, _PART_PAUSE_S, self.name]
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    def chapters(self, manifest: Manifest) -> list[AudiobookChapter]:
        numbered = [(row.chapter if row.chapter is not None else -index, row) for index, row in enumerate(self.rows)]
        return [
            AudiobookChapter(
                _title_of(rows[0]), [manifest.folder / (manifest.entries[row.key].file or "") for row in rows]
            )
            for rows in ([row for _, row in group] for _, group in groupby(numbered, key=lambda pair: pair[0]))
        ]


def plan_audiobook(
    rows: Sequence[BatchRow], book: Book | None, source: Path, *, title: str | None, author: str | None,
    cover: Path | None,
) -> AudiobookPlan:  # fmt: skip
    """
    Raises:
        InvalidRequest: the rows have a format without a header, or the cover is no picture that players show.
        OSError: the cover cannot be read.
    """
    if any(row.fields.get("format") == "pcm" for row in rows):
        raise InvalidRequest(
            "--m4b is made of the rows' files, and pcm has no header; choose wav or flac", field="format"
        )
    tags = AudiobookTags(
        title=title or (book and book.title) or source.stem,
        author=author or (book and book.author) or None,
        date=None if book is None else book.date,
        cover=_read_cover(cover) if cover is not None else _cover_of(book),
    )
    return AudiobookPlan(tuple(rows), tags, _stem(tags.title, source.stem, "audiobook") + SUFFIX)


def _stem(*names: str) -> str:
    """Of the first name that can be that of a file."""
    for name in names:
        with contextlib.suppress(InvalidRequest):
            return stem_of(name[:NAMED_CHARS])
    raise AssertionError("the last name is one")


def _cover_of(book: Book | None) -> bytes | None:
    return book.cover.data if book is not None and book.cover is not None and is_cover(book.cover.data) else None


def _read_cover(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_COVER_BYTES + 1)
    if len(data) > _COVER_BYTES or not is_cover(data):
        raise InvalidRequest(
            f"{path} is no cover: it must be a JPEG or PNG of at most {_COVER_BYTES} bytes", field="cover"
        )
    return data


def write_audiobook(plan: AudiobookPlan, manifest: Manifest, on_chapter: Callable[[], object]) -> ManifestEntry:
    """The file's entry; it is written only if it is not there already.

    Raises:
        InvalidRequest: a row's file cannot be decoded.
        OSError: the file cannot be written; what was there before is still there.
    """
    key = plan.key(manifest)
    if manifest.has(key):
        return manifest.entries[key]
    path = manifest.folder / plan.name
    with draft(path, durable=True, sole_writer=True) as written:
        duration_s = write_m4b(
            written, plan.chapters(manifest), plan.tags, part_pause_s=_PART_PAUSE_S, on_chapter=on_chapter
        )
        with written.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = written.stat().st_size
    entry = ManifestEntry(key, plan.name, "done", title=plan.tags.title, file=plan.name, size_bytes=size_bytes)
    entry = replace(entry, sha256=digest, duration_s=round(duration_s, 3))
    manifest.record(entry)
    return entry


def _title_of(row: BatchRow) -> str:
    return row.title or row.id
