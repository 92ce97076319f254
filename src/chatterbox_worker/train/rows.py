"""Tables of clips and transcripts: CSV, JSON lines or LJSpeech's format, and audio sets of the hub.

A row's audio is read only when it is needed. A fault in one row is the reason why that row is refused; only a table
that cannot be read at all is an error.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.strict_json import RepeatedName, loads
from chatterbox_worker.text_files import decode

# Accepted column names, in order of precedence. file_name is from the hub's audiofolder, sentence from Common Voice.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "audio": ("audio", "file_name", "file", "path", "audio_file", "audio_path", "audio_filepath", "filename", "wav"),
    "text": ("normalized_text", "text", "transcript", "transcription", "sentence"),
    "id": ("id", "clip_id", "utterance_id"),
    "language": ("language", "lang", "locale"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id"),
})  # fmt: skip
_SHOWN_COLUMNS, _SHOWN_CHARS = 10, 40  # of a table that lacks one
TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "transcripts.csv", "transcripts.jsonl")
"""The file names that a folder is searched for."""

_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")  # LJSpeech's table lists clips without a suffix
_LONGEST_CELL_CHARS = 131_072  # the csv module's own limit; a transcript is a sentence
_MOST_BYTES = 500_000_000  # of one recording in memory: half an hour in studio quality


@dataclass(frozen=True, slots=True)
class TranscriptRow:
    """One line of a table."""

    id: str
    where: str
    """Its place for people to find: "metadata.csv, line 3"."""
    text: str
    read: Callable[[], bytes]
    """Returns the recording's bytes; raises InvalidRequest if there are none."""
    language: str | None = None
    speaker: str | None = None


def rows_of(path: Path) -> Iterator[TranscriptRow]:
    """The rows of a table, or of the one in a folder.

    Raises:
        InvalidRequest: names `data`; the path does not exist, there is no table, or it lacks the columns.
    """
    table = _table_in(path) if path.is_dir() else path
    try:
        text = decode(table.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    except ValueError as error:
        raise _invalid(f"{table}: {error}") from None
    except OSError as error:
        raise _invalid(f"{table} cannot be read: {error.strerror or error}") from error
    kind = table.suffix.lower()
    if kind in (".jsonl", ".ndjson", ".json"):
        return _build_rows(_json_lines(text, table), table)
    if kind in (".csv", ".tsv", ".txt"):
        return _build_rows(_ljspeech(text, table) if _is_ljspeech(text) else _csv(text, table), table)
    raise _invalid(f"{table} is not a supported table; its name must end in .csv, .tsv, .txt, .jsonl or .parquet")


def column(names: Iterable[str], wanted: str) -> str | None:
    """The table's column for `wanted`, which is a key of COLUMNS; None if there is none."""
    known = {name.strip().lower(): name for name in names}
    return next((known[name] for name in COLUMNS[wanted] if name in known), None)


def require(names: Sequence[str], where: object) -> None:
    """Raise InvalidRequest unless a table has columns for audio and text."""
    for wanted in ("audio", "text"):
        if column(names, wanted) is None:
            shown = [name[:_SHOWN_CHARS] for name in names[:_SHOWN_COLUMNS]]
            has = ", ".join(shown + ["…"] * (len(names) > _SHOWN_COLUMNS)) or "none"
            raise _invalid(f"{where} has no column for the {wanted} (any of {choices(COLUMNS[wanted])}); it has {has}")


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, field="data")


def tables_in(folder: Path) -> list[Path]:
    """The folder's table of transcripts, or several from which one must be chosen; capitals do not matter."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    named = ([path for path in paths if path.name.lower() == name] for name in TABLES)
    return next(filter(None, named), [path for path in paths if path.suffix.lower() in (".csv", ".tsv", ".jsonl")])


def _table_in(folder: Path) -> Path:
    found = tables_in(folder)
    if len(found) == 1:
        return found[0]
    why = f"has {len(found)} tables; name one of them" if found else "has no table with transcripts"
    raise _invalid(f"{folder} {why}; looked for {choices(TABLES)}")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    values: Mapping[str, Any]
    """By the table's own column names."""
    fault: str | None = None


def _is_ljspeech(text: str) -> bool:
    """Whether the first line is a clip, not a header: id|text or id|text|normalised text."""
    first = text.partition("\n")[0].strip()
    parts = [part.strip().lower() for part in first.split("|")]
    return len(parts) in (2, 3) and not any(column(parts, wanted) for wanted in ("audio", "text"))


def _ljspeech(text: str, table: Path) -> Iterator[_Line]:
    """No header, no quoting; the third column, if there is one, has the numbers written out."""
    for number, line in enumerate(text.split("\n"), 1):
        parts = [part.strip() for part in line.split("|")]
        if not any(parts):
            continue
        transcript = next((part for part in reversed(parts[1:3]) if part), "")
        name = parts[0] or f"line {number}"
        yield _Line(number, {"id": name, "audio": _ljspeech_audio(table.parent, name), "text": transcript})


def _ljspeech_audio(folder: Path, name: str) -> str:
    places = [Path(start) / f"{name}{suffix}" for start in ("wavs", "") for suffix in (*_SUFFIXES, "")]
    try:
        return str(next((place for place in places if (folder / place).is_file()), places[0]))
    except OSError:  # such as a name that is too long: reading it tells
        return str(places[0])


def _csv(text: str, table: Path) -> Iterator[_Line]:
    header = text.partition("\n")[0]
    delimiter = max(",;|\t", key=header.count)
    csv.field_size_limit(_LONGEST_CELL_CHARS)  # a setting of the process, which other code may have raised
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    require(reader.fieldnames or (), table)
    try:
        for values in reader:
            excess = values.pop(None, [])  # where DictReader puts further fields
            breaks = sum(value.count("\n") for value in (*values.values(), *excess) if value)
            fault = None
            if breaks:  # an open quotation mark takes the lines up to the next one with it
                fault = (
                    f"it runs on to line {reader.line_num}: a quotation mark at the start of a field is not closed, "
                    "or a field has a line break"
                )
            elif any(excess):
                fault = f'it has more fields than the header: a text with {quote(delimiter)} needs quotation marks, "…"'
            yield _Line(reader.line_num - breaks, values, fault)
    except csv.Error as error:
        raise _invalid(f"{table}, line {reader.line_num}: {error}") from error


def _json_lines(text: str, table: Path) -> Iterator[_Line]:
    is_checked = False
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON may have other line separators
        if not line.strip():
            continue
        try:
            values = loads(line)
        except RepeatedName as error:
            yield _Line(number, {}, f"{error}: {quote(line)}")
            continue
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            if number == 1:
                raise _invalid(f"{table} is not JSON lines: its first line is not an object, {quote(line)}")
            yield _Line(number, {}, f"its line is not a JSON object: {quote(line)}")
            continue
        if not is_checked:
            require(list(values), table)
            is_checked = True
        yield _Line(number, values)


def _build_rows(lines: Iterator[_Line], table: Path) -> Iterator[TranscriptRow]:
    names: set[str] = set()
    for line in lines:
        where = f"{table.name}, line {line.number}"
        fields = {
            wanted: str(value).strip()
            if (value := line.values.get(column(line.values, wanted) or "")) is not None
            else ""
            for wanted in COLUMNS
        }
        audio = fields["audio"]
        name = fields["id"] or unused(Path(audio).stem, audio or f"line {line.number}", names)
        yield TranscriptRow(
            name,
            where,
            fields["text"],
            _reader(table.parent, audio, line.fault),
            fields["language"] or None,
            fields["speaker"] or None,
        )


def unused(name: str, other: str, names: set[str]) -> str:
    """`name` for a row without an id, or `other` if it is empty or an earlier row has it; added to `names`."""
    chosen = name if name and name not in names else other
    names.add(chosen)
    return chosen


def _reader(folder: Path, audio: str, fault: str | None) -> Callable[[], bytes]:
    def read() -> bytes:
        if fault or not audio:
            raise InvalidRequest(fault or "it names no audio file", field="audio")
        path = folder / audio
        try:
            size = path.stat().st_size
            if size > _MOST_BYTES:
                raise InvalidRequest(f"{audio} has {size / 1e6:.0f} MB; cut it into sentences", field="audio")
            return path.read_bytes()
        except FileNotFoundError:
            raise InvalidRequest(f"there is no file {audio}", field="audio") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidRequest(f"{audio} cannot be read: {why}", field="audio") from error

    return read
