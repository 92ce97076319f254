"""Where the clips and their transcripts are: tables in CSV, JSON lines or LJSpeech's way, and audio sets of the hub.

A row is a promise, not yet read: its audio is opened when its turn comes. What is wrong with one row is that row's reason
to be left out; only a table that cannot be read at all is an error.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices, quote

# What a column may be called; an earlier name wins. file_name is the hub's audiofolder's, sentence Common Voice's.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "audio": ("audio", "file_name", "file", "path", "audio_file", "audio_path", "audio_filepath", "filename", "wav"),
    "text": ("normalized_text", "text", "transcript", "transcription", "sentence"),
    "id": ("id", "clip_id", "utterance_id"),
    "language": ("language", "lang", "locale"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id"),
})  # fmt: skip
TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "transcripts.csv", "transcripts.jsonl")
"""What a folder is searched for."""

_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")  # LJSpeech's table names clips without
_LONGEST_CELL_CHARS = 131_072  # the csv module's own limit; a transcript is a sentence
_MOST_BYTES = 500_000_000  # of one recording in memory: half an hour in studio quality


@dataclass(frozen=True, slots=True)
class TranscriptRow:
    """One line of a table."""

    id: str
    where: str
    """As a person finds it: "metadata.csv, line 3"."""
    text: str
    read: Callable[[], bytes]
    """The recording's bytes; raises InvalidRequest where there are none."""
    language: str | None = None
    speaker: str | None = None


def rows_of(path: Path) -> Iterator[TranscriptRow]:
    """The rows of a table, or of the one in a folder.

    Raises:
        InvalidRequest: blames `data`; nothing there, no table, or a table without the columns.
    """
    table = _table_in(path) if path.is_dir() else path
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(f"{table} is not text in UTF-8") from None
    except OSError as error:
        raise _refused(f"{table} cannot be read: {error.strerror or error}") from error
    kind = table.suffix.lower()
    if kind in (".jsonl", ".ndjson", ".json"):
        return _made(_json_lines(text, table), table)
    if kind in (".csv", ".tsv", ".txt"):
        return _made(_ljspeech(text, table) if _is_ljspeech(text) else _csv(text, table), table)
    raise _refused(f"{table} is no table that is read here; it must end in .csv, .tsv, .txt, .jsonl or .parquet")


def column(names: Iterable[str], wanted: str) -> str | None:
    """Which of a table's columns holds what is `wanted`, one of COLUMNS."""
    known = {name.strip().lower(): name for name in names}
    return next((known[name] for name in COLUMNS[wanted] if name in known), None)


def require(names: Sequence[str], where: object) -> None:
    """Raise InvalidRequest unless the columns of a table name audio and text."""
    for wanted in ("audio", "text"):
        if column(names, wanted) is None:
            has = ", ".join(names) or "none"
            raise _refused(f"{where} has no column for the {wanted} (any of {choices(COLUMNS[wanted])}); it has {has}")


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, field="data")


def _table_in(folder: Path) -> Path:
    if found := next((folder / name for name in TABLES if (folder / name).is_file()), None):
        return found
    others = sorted(path for kind in ("csv", "tsv", "jsonl") for path in folder.glob(f"*.{kind}"))
    if len(others) == 1:
        return others[0]
    why = f"holds {len(others)} tables; name one" if others else "holds no table with transcripts"
    raise _refused(f"{folder} {why}; looked for {choices(TABLES)}")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    values: Mapping[str, Any]
    """By the table's own column names."""
    flaw: str | None = None


def _is_ljspeech(text: str) -> bool:
    """Whether the first line is a clip's, not a head: id|text or id|text|normalised text."""
    first = text.partition("\n")[0].strip()
    parts = [part.strip().lower() for part in first.split("|")]
    return len(parts) in (2, 3) and not any(column(parts, wanted) for wanted in ("audio", "text"))


def _ljspeech(text: str, table: Path) -> Iterator[_Line]:
    """No head, no quoting; the third column, where there is one, has the numbers written out."""
    for number, line in enumerate(text.splitlines(), 1):
        parts = [part.strip() for part in line.split("|")]
        if not any(parts):
            continue
        spoken = next((part for part in reversed(parts[1:3]) if part), "")
        name = parts[0] or f"line {number}"
        yield _Line(number, {"id": name, "audio": _ljspeech_audio(table.parent, name), "text": spoken})


def _ljspeech_audio(folder: Path, name: str) -> str:
    places = [Path(start) / f"{name}{suffix}" for start in ("wavs", "") for suffix in (*_SUFFIXES, "")]
    return str(next((place for place in places if (folder / place).is_file()), places[0]))


def _csv(text: str, table: Path) -> Iterator[_Line]:
    head = text.partition("\n")[0]
    delimiter = max(",;|\t", key=head.count)
    csv.field_size_limit(_LONGEST_CELL_CHARS)  # of the whole process, and others may have wished for more
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    require(reader.fieldnames or (), table)
    try:
        for values in reader:
            flaw = "its line has more fields than the head" if None in values else None
            yield _Line(reader.line_num, values, flaw)
    except csv.Error as error:
        raise _refused(f"{table}, line {reader.line_num}: {error}") from error


def _json_lines(text: str, table: Path) -> Iterator[_Line]:
    seen = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            if number == 1:
                raise _refused(f"{table} is not JSON lines: its first line is no object, {quote(line)}")
            yield _Line(number, {}, f"its line is no JSON object: {quote(line)}")
            continue
        if not seen:
            require(list(values), table)
            seen = True
        yield _Line(number, values)


def _made(lines: Iterator[_Line], table: Path) -> Iterator[TranscriptRow]:
    for line in lines:
        where = f"{table.name}, line {line.number}"
        said = {
            wanted: str(value).strip()
            if (value := line.values.get(column(line.values, wanted) or "")) is not None
            else ""
            for wanted in COLUMNS
        }
        audio, flaw = said["audio"], line.flaw
        name = said["id"] or (Path(audio).stem if audio else f"line {line.number}")
        yield TranscriptRow(
            name,
            where,
            said["text"],
            _reader(table.parent, audio, flaw),
            said["language"] or None,
            said["speaker"] or None,
        )


def _reader(folder: Path, audio: str, flaw: str | None) -> Callable[[], bytes]:
    def read() -> bytes:
        if flaw or not audio:
            raise InvalidRequest(flaw or "it names no audio file", field="audio")
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
