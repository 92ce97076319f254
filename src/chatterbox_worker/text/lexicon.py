"""The lexicon on the volume: one file of pronunciations by language, for every request.

A file that ends in `.csv` has the columns word, spoken and, if wanted, language; any other is JSON:
`{"*": {"Nguyen": "Nwin"}, "es": {"GIF": "yif"}}`, where `*` is every language, and a word may also stand at the top.
The file is read again when it changes; if it cannot be read then, what it said before stays in use.

Several workers share the file: each change is read, made and written whole under a lock beside it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker.catalogue import LANGUAGES
from chatterbox_worker.errors import EntryNotFound, InvalidRequest, VolumeFailed, choices, quote
from chatterbox_worker.files import LOCK_S, check_whole, lock, write_whole
from chatterbox_worker.mounts import LOOK_UP_S, REQUEST_S, mount_of
from chatterbox_worker.request import check_pronunciations
from chatterbox_worker.text.normalise import one_line
from chatterbox_worker.text.pronunciations import Pronunciations

log = logging.getLogger(__name__)

EVERY = "*"
"""In place of a language: all of them."""
MOST_ENTRIES = 20_000
_MOST_BYTES = 8_000_000  # the most entries with 400 bytes each
_CHECK_S = 1.0  # a network volume takes milliseconds to say whether a file has changed
_PAGE = 1_000  # entries of an answer
_HEADER = ["word", "spoken", "language"]
_T = TypeVar("_T")

_Words = dict[str, dict[str, str]]
"""By language, or `EVERY`: from a word to what is read for it."""


@dataclass(frozen=True, slots=True)
class LexiconEntry:
    word: str
    spoken: str
    language: str
    """Or `EVERY`."""


@dataclass(frozen=True, slots=True)
class _Contents:
    words: _Words
    prepared: dict[str, Pronunciations] = field(default_factory=dict)

    def prepare(self, language: str) -> Pronunciations:
        if language not in self.prepared:
            self.prepared[language] = Pronunciations(self.words.get(EVERY, {}) | self.words.get(language, {}))
        return self.prepared[language]


class Lexicon:
    """Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._contents = _Contents({})
        self._seen: tuple[int, ...] | None = None
        self._next_check_s = float("-inf")
        self._problem = ""
        self._lock = threading.Lock()

    @classmethod
    def of_file(cls, path: Path) -> Lexicon:
        """The lexicon of a file that must be there. Raises InvalidRequest if it is missing or cannot be read."""
        try:
            path.stat()
            _load(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise InvalidRequest(f"the lexicon {path} cannot be read: {reason}", field="lexicon") from error
        return cls(path)

    def entries_for(self, language: str) -> Pronunciations:
        """What applies to a text in this language; its own entries win over those for all."""
        return self._read().prepare(language)

    def list(self, language: str | None = None) -> list[LexiconEntry]:
        """Every entry, or those of one language, by language and word; those for all languages are at `EVERY`."""
        return [
            LexiconEntry(word, spoken, code)
            for code, words in sorted(self._read().words.items())
            if language in (None, code)
            for word, spoken in sorted(words.items())
        ]

    def page(self, language: str | None, offset: int) -> dict[str, Any]:
        """A part of `list`, as JSON: `next_offset` is where the next one begins, None after the last."""
        entries = self.list(language)
        end = offset + _PAGE
        return {
            "entries": [asdict(entry) for entry in entries[offset:end]],
            "count": len(entries),
            "next_offset": end if end < len(entries) else None,
        }

    def save(self, entries: Mapping[str, str], language: str = EVERY) -> int:
        """Add entries, or replace those of the same words; returns how many there are now.

        Raises:
            InvalidRequest: an entry cannot be used, or there would be too many.
            VolumeFailed: the file cannot be written, or what is in it cannot be read.
        """
        checked = _check(entries, language)

        def add(words: _Words) -> int:
            words.setdefault(language, {}).update(checked)
            count = sum(map(len, words.values()))
            if count > MOST_ENTRIES:
                raise InvalidRequest(f"the lexicon has at most {MOST_ENTRIES} entries, not {count}", field="entries")
            return count

        return self._change(add)

    def delete(self, word: str, language: str = EVERY) -> None:
        """
        Raises:
            EntryNotFound: there is no such entry.
            VolumeFailed: as `save`.
        """

        def remove(words: _Words) -> None:
            if words.get(language, {}).pop(one_line(word), None) is None:
                raise EntryNotFound(f"the lexicon has no {quote(word)} for the language {language}", field="word")

        self._change(remove)

    def _read(self) -> _Contents:
        wait_s = LOOK_UP_S if self._seen is None else 0.0
        if time.monotonic() >= self._next_check_s and self._lock.acquire(timeout=wait_s):
            try:
                self._read_if_changed()
                self._next_check_s = time.monotonic() + _CHECK_S
            finally:
                self._lock.release()
        return self._contents

    def _read_if_changed(self) -> None:
        def read() -> tuple[tuple[int, ...], bytes | None] | None:
            if (stamp := _stamp(self.path)) == self._seen:
                return None
            data = _bytes_of(self.path)
            if stamp and data is not None:
                check_whole(data, min(stamp[0], _MOST_BYTES))
            return stamp, data

        try:
            if (found := mount_of(self.path).run(read, LOOK_UP_S)) is not None:
                self._seen, data = found
                self._contents = _Contents(_parse(data, self.path))
            self._problem = ""
        except (OSError, ValueError) as error:
            if str(error) != self._problem:  # a volume that is gone is tried again each second
                self._problem = str(error)
                log.error("the lexicon %s stays as it was, it cannot be read: %s", self.path, error)  # noqa: TRY400

    def _change(self, change: Callable[[_Words], _T]) -> _T:
        """Change the words as they are in the file, and write them, unless `change` raises; returns what it returns."""

        def rewrite() -> _T:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, _file_lock(self.path):
                words = _load(self.path)
                result = change(words)
                data = _dump(words, self.path)
                if len(data) > _MOST_BYTES:
                    raise VolumeFailed(f"the lexicon would have {len(data)} bytes; at most {_MOST_BYTES} can be used")
                write_whole(self.path, data, durable=True, sole_writer=True)  # the lock is held
                self._seen, self._contents = _stamp(self.path), _Contents(words)
            return result

        try:
            return mount_of(self.path).run(rewrite, REQUEST_S)
        except OSError as error:
            raise VolumeFailed(f"the lexicon cannot be written: {error.strerror}") from error
        except ValueError as error:
            raise VolumeFailed(f"the lexicon {self.path} cannot be read, correct it first: {error}") from error


@cache
def lexicon_at(path: Path) -> Lexicon:
    """The one lexicon of this process for a file."""
    return Lexicon(path)


def _stamp(path: Path) -> tuple[int, ...]:
    """The size, and what else changes with the file; empty if there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Held by one process at a time. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW  # a link on the volume may lead to a file of this machine
    opened = os.open(path.with_name(f".{path.name}.lock"), flags, 0o666)
    try:
        lock(opened, wait_s=LOCK_S)
        yield
    finally:
        os.close(opened)


def _load(path: Path) -> _Words:
    """Raises OSError, and ValueError for a file that is not a lexicon."""
    return _parse(_bytes_of(path), path)


def _bytes_of(path: Path) -> bytes | None:
    """Of the file, and one more than can be used if it is larger; None if there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None


def _parse(data: bytes | None, path: Path) -> _Words:
    """Raises ValueError for what is not a lexicon."""
    if data is None:
        return {}
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES} bytes")
    text = data.decode("utf-8-sig")
    try:
        words = _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(text)
    except (InvalidRequest, csv.Error, RecursionError) as error:
        raise ValueError(str(error)) from error
    if (count := sum(map(len, words.values()))) > MOST_ENTRIES:
        raise ValueError(f"it has {count} entries; at most {MOST_ENTRIES} can be used")
    return words


def _from_json(text: str) -> _Words:
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - of the file, not of an argument
    words = {code: _check(entries, code) for code, entries in given.items() if isinstance(entries, dict)}
    at_top = _check({word: spoken for word, spoken in given.items() if not isinstance(spoken, dict)}, EVERY)
    return words | {EVERY: words.get(EVERY, {}) | at_top}


def _from_csv(text: str) -> _Words:
    words: _Words = {}
    head = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == _HEADER[: len(cells)]):
            continue
        if not 2 <= len(cells) <= 3:
            raise ValueError(f"row {number} has {len(cells)} cells, not a word, what is read for it and a language")
        code = (cells[2:] or [""])[0] or EVERY
        words.setdefault(code, {}).update(_check({cells[0]: cells[1]}, code))
    return words


def _check(entries: Mapping[str, Any], language: str) -> dict[str, str]:
    """The entries of one language as they are stored. Raises InvalidRequest."""
    if language not in (EVERY, *LANGUAGES):
        raise InvalidRequest(
            f"language must be {choices([EVERY, *LANGUAGES])}, not {quote(language)}", field="language"
        )
    checked = check_pronunciations(dict(entries), "entries", most=MOST_ENTRIES)
    if "" in (stored := {one_line(word): one_line(spoken) for word, spoken in checked.items()}):
        raise InvalidRequest("entries has a word of invisible characters only", field="entries")
    return stored


def _dump(words: _Words, path: Path) -> bytes:
    filled = {code: dict(sorted(entries.items())) for code, entries in sorted(words.items()) if entries}
    if path.suffix.lower() != ".csv":
        return json.dumps(filled, ensure_ascii=False, indent=1).encode()
    written = io.StringIO(newline="")
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(_HEADER)
    for code, entries in filled.items():
        rows.writerows([word, spoken, "" if code == EVERY else code] for word, spoken in entries.items())
    return written.getvalue().encode()
