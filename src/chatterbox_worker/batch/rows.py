"""Reads rows from a JSON-lines file, a CSV file or a folder of texts, and checks each before the run starts.

A row has the fields of one request (docs/API.md), an `id`, and `reference`, the path of a recording of the voice,
relative to the file. The id becomes the name of the audio file; the default is the number of the line. An invalid row
is reported with its line and its field, and does not affect the other rows.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from chatterbox_worker.batch.candidates import each_candidate
from chatterbox_worker.batch.fields import parse_value, refuse_unknown
from chatterbox_worker.batch.names import stem_of
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import VOICES, with_defaults
from chatterbox_worker.strict_json import RepeatedName, loads
from chatterbox_worker.text_files import LONGEST_MARK_BYTES, codec_of, decode

TABLES = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
TEXTS = ".txt"
_OWN = ("id", "title")
_LONGEST_CELL_CHARS = 64_000_000  # the csv module's own limit is 131 072, less than a recording in base64

Check = Callable[[Mapping[str, Any]], object]
"""Checks a row's whole request; raises InvalidRequest."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    where: str
    """The file and line, or the file in a folder."""
    id: str
    stem: str
    """The name of its audio file, without the extension."""
    fields: Mapping[str, Any]
    """The request with the defaults; it has a recording's digest in place of the recording."""
    reference: Path | None
    title: str | None = None
    """Of its chapter."""
    chapter: int | None = None
    """Its number in a book; the parts of one chapter have the same."""

    @property
    def key(self) -> str:
        """SHA-256 (hex) of the id and the whole request."""
        canonical = json.dumps({"id": self.id, "request": dict(self.fields)}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def characters(self) -> int:
        """Of its text, or of its turns."""
        return sum(len(text) for part in (self.fields, *(self.fields.get("turns") or ()))
                   if isinstance(text := part.get("text"), str))  # fmt: skip

    def request(self) -> dict[str, Any]:
        """The request with the recording itself. Raises OSError if the file is missing."""
        if self.reference is None:
            return dict(self.fields)
        return {**self.fields, "reference_audio": base64.b64encode(self.reference.read_bytes()).decode("ascii")}


@dataclass(frozen=True, slots=True)
class BadRow:
    where: str
    message: str
    field: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row as it was read, not yet checked."""

    where: str
    number: str
    """The id if the row has none."""
    fields: Mapping[str, Any]
    title: str | None = None
    chapter: int | None = None


def read(source: Path, defaults: Mapping[str, Any], check: Check) -> list[BatchRow | BadRow]:
    """Every row of `source`, in order; `defaults` are the fields for rows that do not set them.

    Raises:
        InvalidRequest: the source is of no supported kind, empty, or a table with an unknown column.
        OSError: it cannot be read.
    """
    folder = source if source.is_dir() else source.parent
    rows = check_rows(_source_rows(source), folder, defaults, check)
    if not rows:
        raise InvalidRequest(f"{source} has no texts", field="input")
    return rows


def check_rows(
    rows: Iterable[SourceRow | BadRow], folder: Path, defaults: Mapping[str, Any], check: Check
) -> list[BatchRow | BadRow]:
    """The rows with their defaults; a path of a recording in them is relative to `folder`."""
    taken: dict[str, str] = {}
    takes = (take for row in rows for take in _each_take(row, defaults))
    shared = {name: value for name, value in defaults.items() if name != "candidates"}
    return [_check_row(row, folder, shared, check, taken) if isinstance(row, SourceRow) else row for row in takes]


def _each_take(row: SourceRow | BadRow, defaults: Mapping[str, Any]) -> list[SourceRow | BadRow]:
    if isinstance(row, BadRow):
        return [row]
    name = str(row.fields.get("id", row.number))
    try:
        return [replace(row, fields=fields) for fields in each_candidate(row.fields, defaults, name)]
    except InvalidRequest as error:
        return [BadRow(row.where, error.message, error.field, name)]


def _source_rows(source: Path) -> Iterable[SourceRow | BadRow]:
    if source.is_dir():
        return _read_folder(source)
    if source.suffix.lower() in LINES:
        return _read_lines(source)
    if source.suffix.lower() in TABLES:
        return _read_table(source)
    raise InvalidRequest(
        f"{source} must be a folder or end in {', '.join((*LINES, *TABLES))}",
        field="input",
    )


def _read_folder(folder: Path) -> Iterator[SourceRow | BadRow]:
    for path in sorted(folder.rglob(f"*{TEXTS}")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            try:
                text = decode(path.read_bytes())
            except ValueError as error:
                yield BadRow(str(path), str(error), "text")
            else:
                yield SourceRow(str(path), name.with_suffix("").as_posix(), {"text": text}, title=name.stem)


def _read_lines(path: Path) -> Iterator[SourceRow | BadRow]:
    for number, line in enumerate(_bytes_of_lines(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            fields = loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            yield BadRow(where, "the line is not UTF-8")
        except RepeatedName as error:
            yield BadRow(where, str(error), error.name)
        except (ValueError, RecursionError) as error:
            yield BadRow(where, f"the line is not JSON: {error}")
        else:
            if isinstance(fields, dict):
                yield SourceRow(where, f"{number:05}", fields)
            else:
                yield BadRow(where, f"the line must be a JSON object, not {quote(fields)}")


def _bytes_of_lines(path: Path) -> Iterator[bytes]:
    """In UTF-8, if they are; a file with the mark of UTF-16 or UTF-32 is converted."""
    if _codec(path).startswith("utf-8"):
        with path.open("rb") as file:
            yield from file
        return
    try:
        yield from decode(path.read_bytes()).encode().split(b"\n")
    except ValueError as error:
        raise InvalidRequest(f"{path}: {error}", field="input") from None


def _codec(path: Path) -> str:
    with path.open("rb") as file:
        return codec_of(file.read(LONGEST_MARK_BYTES))[0]


def _read_table(path: Path) -> Iterator[SourceRow | BadRow]:
    """An empty cell means that the row does not set the field."""
    csv.field_size_limit(_LONGEST_CELL_CHARS)
    try:
        yield from _read_table_in(path, _codec(path))
    except UnicodeDecodeError as error:  # not of UTF-8, whose faults are those of a cell
        raise InvalidRequest(f"{path}: the file is not {error.encoding.upper()}", field="input") from None


def _read_table_in(path: Path, codec: str) -> Iterator[SourceRow | BadRow]:
    is_utf_8 = codec.startswith("utf-8")
    errors = "surrogateescape" if is_utf_8 else "strict"
    with path.open(encoding="utf-8-sig" if is_utf_8 else codec, errors=errors, newline="") as file:
        header = file.readline()
        file.seek(0)
        usual = TABLES[path.suffix.lower()]
        table = csv.reader(file, delimiter=max((usual, ",", ";", "\t"), key=header.count))
        columns = _columns(next(table, []), path)
        last_line = table.line_num
        try:
            for cells in table:
                number, last_line = last_line + 1, table.line_num
                if any(cell.strip() for cell in cells):
                    yield _parse_cells(cells, columns, path, number)
        except csv.Error as error:
            yield BadRow(f"{path}:{last_line + 1}", f"the table cannot be read from this line on: {error}")


def _columns(header: list[str], path: Path) -> list[str]:
    columns = [name.strip() for name in header]
    try:
        refuse_unknown(dict.fromkeys(columns))
    except InvalidRequest as error:
        raise InvalidRequest(f"{path}:1: {error.message}", field=error.field) from None
    if duplicates := [name for name in columns if columns.count(name) > 1]:
        raise InvalidRequest(f"{path}:1: column {quote(duplicates[0])} appears twice", field=duplicates[0])
    return columns


def _parse_cells(cells: list[str], columns: list[str], path: Path, number: int) -> SourceRow | BadRow:
    where = f"{path}:{number}"
    if len(cells) > len(columns):
        return BadRow(where, f"the row has {len(cells)} cells, but the header has {len(columns)}")
    fields: dict[str, Any] = {}
    for name, cell in zip(columns, cells, strict=False):
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            return BadRow(where, f"{name} is not UTF-8", name)
        if cell:
            try:
                fields[name] = parse_value(name, cell)
            except InvalidRequest as error:
                return BadRow(where, error.message, error.field)
    return SourceRow(where, f"{number:05}", fields)


def _check_row(
    row: SourceRow, folder: Path, defaults: Mapping[str, Any], check: Check, taken: dict[str, str]
) -> BatchRow | BadRow:
    """`taken` has the file names that are used already, each with the place of its row; this row's is added."""
    given, title = row.fields.get("id", row.number), row.fields.get("title", row.title)
    name = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    try:
        refuse_unknown(row.fields)
        stem = _free_stem(name, taken)
        if title is not None and not (isinstance(title, str) and title.strip()):
            raise InvalidRequest(f"title must be a text, not {quote(title)}", field="title")  # noqa: TRY301
        own, reference = _with_digest({k: v for k, v in row.fields.items() if k not in _OWN}, folder)
        fields = with_defaults(own, {k: v for k, v in defaults.items() if k != "reference"})
        if reference is None and "reference" in defaults and own.keys().isdisjoint(VOICES):
            fields, reference = _with_digest(fields | {"reference": defaults["reference"]}, Path())
        check(fields)
    except InvalidRequest as error:
        return BadRow(row.where, error.message, error.field, name if isinstance(name, str) else None)
    taken[stem.casefold()] = row.where
    return BatchRow(row.where, name, stem, fields, reference, title, row.chapter)


def _free_stem(name: object, taken: Mapping[str, str]) -> str:
    stem = stem_of(name)
    if other := taken.get(stem.casefold()):  # some file systems ignore case
        raise InvalidRequest(f"id {quote(name)} has the same file name as {other}: {stem}", field="id")
    return stem


def _with_digest(fields: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], Path | None]:
    """The fields with the digest of the recording in place of `reference`, and the recording's path."""
    reference = fields.get("reference")
    others = {name: value for name, value in fields.items() if name != "reference"}
    if reference is None:
        return others, None
    if other := next((voice for voice in (*VOICES, "audio_prompt") if others.get(voice) is not None), None):
        raise InvalidRequest(f"give one of reference and {other}, not both", field="reference")
    if not isinstance(reference, str) or not reference:
        raise InvalidRequest(f"reference must be the path of a recording, not {quote(reference)}", field="reference")
    path = folder / reference
    try:
        return others | {"reference_audio": f"sha256:{_digest(path)}"}, path
    except (OSError, ValueError) as error:  # a ValueError for a name with NUL
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"reference {quote(reference)} cannot be read: {why}", field="reference") from None


@lru_cache(maxsize=1024)
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
