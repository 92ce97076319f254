"""The files of the voice library: recordings, voice files (`bundle`), details and names next to them.

A file that is copied into the folder is a voice at once. The folder may be a network volume, so it may be missing,
which is a folder without voices, read-only or shared. Ids are checked against one pattern and every path against the
folder. What is done here waits for the volume: `library` does it within a limit.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker.engine import DEFAULT_VOICE, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, first_choices, quote
from chatterbox_worker.files import LOCK_S, draft, lock_folder, remove_orphans
from chatterbox_worker.mounts import allow_bytes, check_wanted
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Head, head_of
from chatterbox_worker.voices.contents import digest
from chatterbox_worker.voices.details import DETAILS, details_of
from chatterbox_worker.voices.details import SUFFIXES as DETAIL_SUFFIXES
from chatterbox_worker.voices.names import check_name, id_of

MIMETYPES: Mapping[str, str] = {
    ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
    ".m4a": "audio/mp4", ".aac": "audio/aac", ".webm": "audio/webm",
}  # fmt: skip
"""Of recordings, by their suffixes."""
SUFFIXES = (BUNDLE_SUFFIX, *MIMETYPES)
"""In order of precedence."""
NAME_SUFFIX = ".name"
MOST_FILE_BYTES = 60_000_000
"""300 s at 48 kHz in 32 bits, and the rest of a voice file."""
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_NAME_BYTES = 1_000  # of a name's file; a name has at most 400
_ABSENT = (FileNotFoundError, NotADirectoryError)
_SETTLED_S = 2.0  # file systems count in seconds: a folder may change within the one in which it was read
_LISTED_S = 60.0  # for file systems that keep no time of a folder's changes
_UNREADABLE = (*_ABSENT, PermissionError, IsADirectoryError)  # one file, and not the volume


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One entry in the list of voices."""

    id: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""
    name: str
    """What it is called; the id if it was given no other name."""
    model: str | None
    """The one that it is fine-tuned for; None for a voice of every model that speaks with recordings."""
    language: str | None = None
    """That it speaks; None if it is not known."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """The names of a folder's files."""

    state: tuple[int, int] | None
    """Its inode and the time of its last change; None if there is no such folder."""
    state_seen_s: float
    read_s: float
    names: frozenset[str] = frozenset()
    voices: Mapping[str, str] = field(default_factory=dict)
    """The name of each voice's file, by id."""

    def is_current(self, now_s: float) -> bool:
        """Whether no change can have been missed, while the folder's state is the same."""
        return self.read_s - self.state_seen_s >= _SETTLED_S and now_s - self.read_s < _LISTED_S


def voice_not_found(voice: str, known: Sequence[str], why: str = "not found") -> VoiceNotFound:
    """The error for a voice that is not there; names the choices."""
    return VoiceNotFound(f"voice {quote(voice)} {why}; there are {first_choices(known)}", field="voice")


class VoicesFolder:
    """Every method raises OSError if the folder or the volume fails; InvalidRequest for what is not an id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listing = _Listing(None, -math.inf, -math.inf)
        self._known: dict[str, tuple[int, Any]] = {}
        """What was read of a file, by its name, with the time of the file's last change."""

    def list(self) -> list[LibraryEntry]:
        """Every voice, by id."""
        listing = self._list()
        found: dict[str, LibraryEntry] = {}
        for voice, file in sorted(listing.voices.items()):
            with contextlib.suppress(*_UNREADABLE):  # such as deleted by another worker in the meantime
                found[voice] = self._entry(voice, file, listing)
        for file in self._known.keys() - listing.names:
            self._known.pop(file, None)
        return [*found.values()]

    def entry(self, voice: str) -> LibraryEntry:
        """Raises VoiceNotFound."""
        with self._found(voice):
            return self._entry(voice, self.find(voice)[0].name, self._list())

    def _entry(self, voice: str, file: str, listing: _Listing) -> LibraryEntry:
        stat = (self.path / file).stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
        head = self._head_of(voice, file, listing)
        return LibraryEntry(voice, stat.st_size, modified, self._name_of(voice, listing), head.model, head.language)

    def _head_of(self, voice: str, file: str, listing: _Listing) -> Head:
        """What is listed about a voice: from its file, or from the file next to its recording."""
        if file.lower().endswith(BUNDLE_SUFFIX):
            return self._once(file, _read_head)
        beside = voice + DETAILS["language"].suffix
        if beside in listing.names:
            with contextlib.suppress(*_UNREADABLE):
                return Head(None, self._once(beside, lambda _: self._detail(voice, "language")))
        return Head()

    def _once(self, file: str, read: Callable[[Path], _T]) -> _T:
        """What `read` makes of a file, which is read again only if it has changed."""
        path = self.path / file
        modified_ns = path.stat().st_mtime_ns
        known = self._known.get(file)
        if known is None or known[0] != modified_ns:
            known = self._known[file] = modified_ns, read(path)
        found: _T = known[1]
        return found

    def name_of(self, voice: str) -> str:
        """The display name of a voice; its id if it has no other. Read again only if the file has changed."""
        return self._name_of(voice, self._list())

    def _name_of(self, voice: str, listing: _Listing) -> str:
        if voice + NAME_SUFFIX not in listing.names:
            return voice
        try:
            return self._once(voice + NAME_SUFFIX, _read_name)
        except (*_UNREADABLE, UnicodeDecodeError, InvalidRequest):
            return voice

    def id_named(self, name: str) -> str:
        """The id of the voice that has this id or this name; capitals count only where several voices differ by them.

        Raises:
            VoiceNotFound: there is none, or more than one; names the choices.
        """
        if name == DEFAULT_VOICE.id or (re.fullmatch(VOICE_ID, name) and self._is_taken(name)):
            return name
        names = [(DEFAULT_VOICE.id, DEFAULT_VOICE.id), *((entry.id, entry.name) for entry in self.list())]
        exact = {voice for voice, shown in names if shown == name}
        found = exact or {voice for voice, shown in names if name.casefold() in (voice.casefold(), shown.casefold())}
        if len(found) == 1:
            return found.pop()
        why = f"is the name of {first_choices(sorted(found))}" if found else "not found"
        known = [voice if voice == shown else f"{voice} ({shown})" for voice, shown in names]
        raise voice_not_found(name, known, why)

    def free_id(self, name: str) -> str:
        """The id for a name, which is not that of a voice with another name."""
        voice = id_of(name)
        if voice != name and self._is_taken(voice) and self.name_of(voice) != name:
            return id_of(name, is_distinct=True)
        return voice

    def read(self, voice: str) -> tuple[Path, bytes]:
        """The voice's file. Raises VoiceNotFound."""
        with self._found(voice):
            path, _ = self.find(voice)
            return path, path.read_bytes()

    def look_up(self, voice: str) -> tuple[Path, os.stat_result, tuple[object, ...]]:
        """The voice's file, its state, and what changes with the file or with the details next to it.

        Raises:
            VoiceNotFound: there is none.
        """
        path, found = self.find(voice)
        beside: list[object] = []
        if path.suffix.lower() != BUNDLE_SUFFIX:
            for file in (voice + suffix for suffix in DETAIL_SUFFIXES):
                if file in self._listing.names:
                    with contextlib.suppress(*_UNREADABLE):
                        beside.append((file, _state((self.path / file).stat())))
        return path, found, (str(path), _state(found), *beside)

    def details(self, voice: str) -> VoiceDetails:
        """Those next to the recording that can be used."""
        return details_of({name: self._detail(voice, name) for name in DETAILS})

    def _detail(self, voice: str, name: str) -> str | None:
        path = self.path / f"{voice}{DETAILS[name].suffix}"
        try:
            text = path.read_text("utf-8-sig").strip()
            details_of({name: text})
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            _log.warning("%s is ignored: it is not text in UTF-8", path)
        except ValueError as error:
            _log.warning("%s is ignored: %s", path, error)
        except _UNREADABLE as error:
            _log.warning("%s cannot be read: %s", path, type(error).__name__)
        else:
            return text
        return None

    def replace(self, voice: str, suffix: str, content: bytes, others: Mapping[str, bytes]) -> str | None:
        """Write everything, then rename: a full disk is noticed before anything of the old voice is removed.

        `others`: the other files of the voice, by suffix. Returns the digest of the recording that was there; None if
        there was none, or none that can be read.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.path, wait_s=LOCK_S):  # else two savers remove each other's files, or mix them
            replaced = None
            with contextlib.suppress(VoiceNotFound, OSError):
                replaced = _digest_of(self.find(voice)[0])
            self._replace_alone(voice, suffix, content, others)
        remove_orphans(self.path)
        return replaced

    def _replace_alone(self, voice: str, suffix: str, content: bytes, others: Mapping[str, bytes]) -> None:
        with contextlib.ExitStack() as drafts:
            for each, text in others.items():
                drafts.enter_context(draft(self._path(voice, each), durable=True)).write_bytes(text)
            with draft(self._path(voice, suffix), durable=True) as written:
                allow_bytes(len(content))
                with written.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                check_wanted()
                for each in DETAIL_SUFFIXES:  # first: a wrong one is worse than none
                    self._path(voice, each).unlink(missing_ok=True)
        for old in (*SUFFIXES, NAME_SUFFIX):
            if old != suffix and old not in others:
                self._path(voice, old).unlink(missing_ok=True)

    def delete(self, voice: str) -> str:
        """Remove a voice's files and return the digest of its recording. Raises VoiceNotFound."""
        path, _ = self.find(voice)
        with self._found(voice), lock_folder(self.path, wait_s=LOCK_S):
            removed = _digest_of(path)
            check_wanted()
            for suffix in (path.suffix, *SUFFIXES, *DETAIL_SUFFIXES, NAME_SUFFIX):
                self._path(voice, suffix).unlink(missing_ok=True)
        return removed

    def find(self, voice: str) -> tuple[Path, os.stat_result]:
        """The voice's file and its state. Raises VoiceNotFound."""
        _check_id(voice)
        for again in (False, True):  # another worker may have saved it under another suffix
            file = self._list(again=again).voices.get(voice)
            if file is not None:
                with contextlib.suppress(*_ABSENT):
                    return self.path / file, (self.path / file).stat()
        raise self.missing(voice)

    def missing(self, voice: str) -> VoiceNotFound:
        """The error for a voice that is not there; names the choices."""
        known = [DEFAULT_VOICE.id, *(entry.id for entry in self.list())]
        return voice_not_found(voice, known)

    @contextlib.contextmanager
    def _found(self, voice: str) -> Iterator[None]:
        """A file that is gone in the meantime was deleted by another worker."""
        try:
            yield
        except FileNotFoundError:
            raise self.missing(voice) from None

    def _is_taken(self, voice: str) -> bool:
        try:
            self.find(voice)
        except VoiceNotFound:
            return False
        return True

    def _list(self, *, again: bool = False) -> _Listing:
        """The files; read only if the folder has changed, since each look at one takes a network volume milliseconds.

        `again`: also if it has not.
        """
        known, now_s = self._listing, time.monotonic()
        try:
            folder = self.path.stat()
            state = folder.st_ino, folder.st_mtime_ns
            if state != known.state:
                known = _Listing(state, now_s, now_s)
            elif known.is_current(now_s) and not again:
                return known
            with os.scandir(self.path) as entries:
                names = frozenset(entry.name for entry in entries if entry.is_file() and self._is_inside(entry))
        except _ABSENT:
            return _Listing(None, now_s, now_s)  # no folder, no voices
        self._listing = replace(known, read_s=now_s, names=names, voices=_voices(names))
        return self._listing

    def _is_inside(self, file: os.DirEntry[str]) -> bool:
        return not file.is_symlink() or Path(file.path).resolve().is_relative_to(self.path.resolve())

    def _path(self, voice: str, suffix: str) -> Path:
        _check_id(voice)
        return self.path / f"{voice}{suffix}"


def _check_id(voice: str) -> None:
    if not re.fullmatch(VOICE_ID, voice):
        raise InvalidRequest(f"voice {quote(voice)} is not an id: letters, digits, '.', '_' and '-'", field="voice")


def _state(found: os.stat_result) -> tuple[int, int]:
    return found.st_mtime_ns, found.st_size


def _read_head(path: Path) -> Head:
    try:
        return head_of(path)
    except InvalidRequest:  # who speaks with it gets the reason
        return Head()


def _read_name(path: Path) -> str:
    with path.open("rb") as file:
        return check_name(file.read(_NAME_BYTES).decode(), field="name")


def _digest_of(path: Path) -> str:
    """Of a file that is too large to be used, that of no bytes: nothing was derived from it."""
    return digest(path.read_bytes() if path.stat().st_size <= MOST_FILE_BYTES else b"")


def _voices(names: Iterable[str]) -> dict[str, str]:
    """The name of each voice's file, by id: of several, the first in the order of precedence."""
    found: dict[str, list[tuple[int, bool, str]]] = {}
    for name in names:
        voice, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path for each of hundreds takes longer
        kind = suffix.lower()
        if kind in SUFFIXES and re.fullmatch(VOICE_ID, voice):
            found.setdefault(voice, []).append((SUFFIXES.index(kind), suffix != kind, name))
    return {voice: min(files)[-1] for voice, files in found.items()}
