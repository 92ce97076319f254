"""The voice library: a folder of recordings and voice files (`bundle`), one file per voice, named by the voice's id.

A saved recording is stored as the models use it: without the silence at its ends, mono, at most 48 kHz, as FLAC. Its
transcript may be next to it, as `<id>.txt`; a voice file contains its own. A name that differs from the id is in
`<id>.name`. A file that is copied into the folder is a voice at once. The folder may be a network volume, so it may be
missing, which is a library without voices, read-only or shared. One that fails or does not answer (`mounts`) is an
error: its voices are not missing. Ids are checked against one pattern and every path against the folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker.audio.encode import encode_recording
from chatterbox_worker.engine import DEFAULT_VOICE, Voice
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, VolumeFailed, choices, quote
from chatterbox_worker.files import LOCK_S, check_whole, draft, lock_folder, remove_orphans
from chatterbox_worker.mounts import REQUEST_S, check_wanted, mount_of
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS, VOICE_ID
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, adapted_model, is_bundle, pack, unpack
from chatterbox_worker.voices.clip import decode_clip, warnings_about
from chatterbox_worker.voices.contents import digest, pack_recording, voice_of, wav_of
from chatterbox_worker.voices.names import check_name, id_of
from chatterbox_worker.voices.reference import MAX_BYTES

SUFFIXES = (BUNDLE_SUFFIX, ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm")
"""In order of precedence."""
SAVED_SUFFIX = ".flac"
TRANSCRIPT_SUFFIX = ".txt"
NAME_SUFFIX = ".name"
_log = logging.getLogger(__name__)
_CACHED_BYTES = 128 * 2**20  # of decoded recordings and adapters, in memory; a clip of 10 s at 24 kHz is 1 MB
_MOST_FILE_BYTES = 60_000_000  # 300 s at 48 kHz in 32 bits, and the rest of a voice file
_NAME_BYTES = 1_000  # of a name's file; a name has at most 400
_ABSENT = (FileNotFoundError, NotADirectoryError)
_UNREADABLE = (*_ABSENT, PermissionError, IsADirectoryError)  # one file, and not the volume
_T = TypeVar("_T")


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


class VoiceLibrary:
    def __init__(self, folder: Path, *, forget: Callable[[str], object] = lambda _: None) -> None:
        """`forget` is called with the digest of a deleted or replaced recording, to delete what was derived from it."""
        self.folder = folder
        self._forget = forget
        self._clips: OrderedDict[tuple[object, ...], Voice] = OrderedDict()
        self._clips_bytes = 0
        self._names: dict[str, tuple[int, str]] = {}
        self._models: dict[Path, tuple[int, str | None]] = {}
        self._lock = threading.Lock()

    def list(self, *, within_s: float = REQUEST_S) -> list[LibraryEntry]:
        """Every voice in the folder, by id; the built-in "default" is not a file and not listed.

        Raises:
            VolumeFailed: the folder cannot be read, or not within `within_s` seconds.
        """

        def read() -> list[LibraryEntry]:
            files = self._scan()
            named = {file.name for file in files}
            found: dict[str, LibraryEntry] = {}
            for _, voice, file in sorted(_voice_files(files), key=lambda each: each[:2], reverse=True):
                with contextlib.suppress(*_UNREADABLE):  # such as deleted by another worker in the meantime
                    name = self._name_of(voice) if voice + NAME_SUFFIX in named else voice
                    found[voice] = self._entry(voice, Path(file.path), name)
            for voice in self._names.keys() - found.keys():
                self._names.pop(voice, None)
            for path in self._models.keys() - {Path(file.path) for file in files}:
                self._models.pop(path, None)
            return [found[voice] for voice in sorted(found)]

        return self._on_volume(read, within_s=within_s)

    def _on_volume(self, work: Callable[[], _T], what: str = "read", within_s: float = REQUEST_S) -> _T:
        """Raises VolumeFailed for an OSError, also if the volume does not answer."""
        try:
            return mount_of(self.folder).run(work, within_s)
        except OSError as error:
            raise VolumeFailed(f"the voices folder cannot be {what}: {error.strerror}") from error

    def entry(self, voice: str) -> LibraryEntry:
        """
        Raises:
            VoiceNotFound: names the choices.
            VolumeFailed: the folder cannot be read.
        """

        def read() -> LibraryEntry:
            try:
                return self._entry(voice, self._find(voice), self._name_of(voice))
            except FileNotFoundError:
                raise self._missing(voice) from None

        return self._on_volume(read)

    def _entry(self, voice: str, path: Path, name: str) -> LibraryEntry:
        """Raises OSError."""
        stat = path.stat()
        modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
        return LibraryEntry(voice, stat.st_size, modified, name, self._model_of(path, stat.st_mtime_ns))

    def _model_of(self, path: Path, modified_ns: int) -> str | None:
        """Read again only if the file has changed. Raises OSError."""
        if path.suffix.lower() != BUNDLE_SUFFIX:
            return None
        known = self._models.get(path)
        if known is None or known[0] != modified_ns:
            model = None
            with contextlib.suppress(InvalidRequest):  # who speaks with it gets the reason
                model = adapted_model(path)
            known = self._models[path] = modified_ns, model
        return known[1]

    def name_of(self, voice: str) -> str:
        """The display name of a voice of the library; its id if it has no other. Raises VolumeFailed."""
        return self._on_volume(lambda: self._name_of(voice))

    def _name_of(self, voice: str) -> str:
        """Raises OSError."""
        try:
            path = self._path(voice, NAME_SUFFIX)
            modified_ns = path.stat().st_mtime_ns
            known = self._names.get(voice)
            if known is None or known[0] != modified_ns:
                with path.open("rb") as file:
                    name = check_name(file.read(_NAME_BYTES).decode(), field="name")
                known = self._names[voice] = modified_ns, name
            return known[1]
        except (*_UNREADABLE, UnicodeDecodeError, InvalidRequest):
            return voice

    def id_named(self, name: str) -> str:
        """The id of the voice that has this id or this name; capitals count only where several voices differ by them.

        Raises:
            VoiceNotFound: there is none, or more than one; names the choices.
            VolumeFailed: the folder cannot be read.
        """
        return self._on_volume(lambda: self._id_named(name))

    def _id_named(self, name: str) -> str:
        if name == DEFAULT_VOICE.id or (re.fullmatch(VOICE_ID, name) and self._is_taken(name)):
            return name
        names = [(DEFAULT_VOICE.id, DEFAULT_VOICE.id), *((entry.id, entry.name) for entry in self.list())]
        exact = {voice for voice, shown in names if shown == name}
        found = exact or {voice for voice, shown in names if name.casefold() in (voice.casefold(), shown.casefold())}
        if len(found) == 1:
            return found.pop()
        why = f"is the name of {choices(sorted(found))}" if found else "not found"
        known = choices(voice if voice == shown else f"{voice} ({shown})" for voice, shown in names)
        raise VoiceNotFound(f"voice {quote(name)} {why}; there are {known}", field="voice")

    def get(self, voice: str) -> Voice:
        """The voice with its recording; a file is read again only if it has changed.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the file is not a usable recording.
            VolumeFailed: the folder cannot be read.
        """
        if voice == DEFAULT_VOICE.id:
            return DEFAULT_VOICE
        found = self._on_volume(lambda: self._read(voice))
        if isinstance(found, Voice):
            return found
        key, data, transcript = found
        try:
            loaded = voice_of(voice, data, field="voice", transcript=transcript)
        except InvalidRequest as error:  # its sentence begins with the field, which does not say which voice
            raise InvalidRequest(error.message.replace("voice", f"voice {quote(voice)}", 1), field="voice") from error
        with self._lock:
            if key not in self._clips:  # another thread may have been faster
                self._clips[key] = loaded
                self._clips_bytes += _size_bytes(loaded)
            while self._clips_bytes > _CACHED_BYTES and len(self._clips) > 1:
                self._drop(next(iter(self._clips)))
        return loaded

    def _read(self, voice: str) -> Voice | tuple[tuple[object, ...], bytes, str | None]:
        """The voice, if its file has not changed; or what it is kept under, the file and the transcript next to it."""
        try:
            path = self._find(voice)
            stat = path.stat()
            transcript = None if path.suffix.lower() == BUNDLE_SUFFIX else self._transcript(voice)
            key = (str(path), stat.st_mtime_ns, stat.st_size, transcript)
            with self._lock:
                if key in self._clips:
                    self._clips.move_to_end(key)
                    return self._clips[key]
            if stat.st_size > _MOST_FILE_BYTES:
                raise InvalidRequest(
                    f"voice {quote(voice)} is a file of {stat.st_size} bytes; at most {_MOST_FILE_BYTES} can be used",
                    field="voice",
                )
            data = path.read_bytes()
        except FileNotFoundError:
            raise self._missing(voice) from None
        check_whole(data, stat.st_size)  # else a part of the voice would be kept as the whole
        return key, data, transcript

    def _read_again(self, voice: str) -> tuple[Path, bytes]:
        """The voice's file. Raises VoiceNotFound, VolumeFailed."""

        def read() -> tuple[Path, bytes]:
            try:
                path = self._find(voice)
                return path, path.read_bytes()
            except FileNotFoundError:
                raise self._missing(voice) from None

        return self._on_volume(read)

    def _drop(self, key: tuple[object, ...]) -> None:
        self._clips_bytes -= _size_bytes(self._clips.pop(key))

    def save(self, name: str, data: bytes, *, field: str, transcript: str | None = None) -> Voice:
        """Store a recording or a voice file under the id of `name`; a voice with that name is replaced.

        Without a `transcript` a voice file keeps its own. Whatever fails, the voice that was there remains.

        Raises:
            InvalidRequest: the id is that of the built-in voice, or the bytes are not a usable recording.
            VolumeFailed: the folder cannot be written.
        """
        name = check_name(name, field="voice")
        voice = self._on_volume(lambda: self._free_id(name))
        if voice == DEFAULT_VOICE.id:
            raise InvalidRequest('voice "default" is the model\'s own and cannot be replaced', field="voice")
        beside = {} if name == voice else {NAME_SUFFIX: name.encode()}
        if is_bundle(data):
            bundle = unpack(data, field=field)
            suffix = BUNDLE_SUFFIX
            content = pack(bundle if transcript is None else replace(bundle, transcript=transcript))
        else:
            suffix, content = SAVED_SUFFIX, encode_recording(decode_clip(data, field=field))
            beside |= {} if transcript is None else {TRANSCRIPT_SUFFIX: transcript.encode()}
        saved = voice_of(voice, content, field=field, transcript=transcript)  # only what can be read replaces another
        replaced = self._on_volume(lambda: self._replace(voice, suffix, content, beside), "written")
        if replaced not in {None, saved.digest}:
            self._forget(replaced)
        return saved

    def _replace(self, voice: str, suffix: str, content: bytes, beside: Mapping[str, bytes]) -> str | None:
        """Write everything, then rename: a full disk is noticed before anything of the old voice is removed.

        Returns the digest of the recording that was there; None if there was none, or none that can be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.folder, wait_s=LOCK_S):  # else two savers remove each other's files, or mix them
            replaced = None
            with contextlib.suppress(VoiceNotFound, OSError):
                replaced = _digest_of(self._find(voice))
            self._replace_alone(voice, suffix, content, beside)
        remove_orphans(self.folder)
        return replaced

    def _replace_alone(self, voice: str, suffix: str, content: bytes, beside: Mapping[str, bytes]) -> None:
        with contextlib.ExitStack() as drafts:
            for each, text in beside.items():
                drafts.enter_context(draft(self._path(voice, each), durable=True)).write_bytes(text)
            with draft(self._path(voice, suffix), durable=True) as written:
                with written.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                check_wanted()
                self._path(voice, TRANSCRIPT_SUFFIX).unlink(missing_ok=True)  # first: a wrong one is worse than none
        for old in (*SUFFIXES, NAME_SUFFIX):
            if old != suffix and old not in beside:
                self._path(voice, old).unlink(missing_ok=True)

    def describe(self, saved: Voice) -> dict[str, Any]:
        """What is reported about a voice that was saved, JSON-safe."""
        return {
            "voice": saved.id,
            "name": self.name_of(saved.id),
            "digest": saved.digest,
            "duration_s": round(saved.duration_s, 3),
            "warnings": [] if saved.clip is None else warnings_about(saved.clip),
        }

    def recording(self, voice: str) -> tuple[bytes, str]:
        """The file of a recording and its suffix; of a voice file, its clip as wav.

        Raises:
            VoiceNotFound, InvalidRequest: as `get`; the built-in voice has no recording.
        """
        clip = self.get(voice).clip
        if clip is None:
            raise InvalidRequest('voice "default" is the model\'s own: it has no recording', field="voice")
        path, data = self._read_again(voice)
        return (wav_of(clip), ".wav") if path.suffix == BUNDLE_SUFFIX else (data, path.suffix.lower())

    def export(self, voice: str) -> bytes:
        """The voice as one file that `save` of any library accepts: its voice file, or one built from its recording.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the built-in voice, or a file that cannot be used.
        """
        loaded = self.get(voice)
        if loaded.clip is None:
            raise InvalidRequest('voice "default" is the model\'s own: there is nothing to export', field="voice")
        _, data = self._read_again(voice)
        packed = data if is_bundle(data) else pack_recording(loaded)
        if len(packed) > MAX_BYTES:
            raise InvalidRequest(
                f"voice {quote(voice)} makes a file of {len(packed)} bytes, and at most {MAX_BYTES} are accepted; "
                "copy its recording instead",
                field="voice",
            )
        return packed

    def delete(self, voice: str) -> str:
        """Remove a voice and return its digest; what was derived from the recording is deleted too.

        Raises:
            VoiceNotFound: names the choices.
            VolumeFailed: the folder cannot be written.
        """
        return self._on_volume(lambda: self._delete(voice), "written")

    def _delete(self, voice: str) -> str:
        path = self._find(voice)
        try:
            with lock_folder(self.folder, wait_s=LOCK_S):
                removed = _digest_of(path)
                check_wanted()
                for suffix in (path.suffix, *SUFFIXES, TRANSCRIPT_SUFFIX, NAME_SUFFIX):
                    self._path(voice, suffix).unlink(missing_ok=True)
        except FileNotFoundError:
            raise self._missing(voice) from None
        with self._lock:
            for key in [key for key, loaded in self._clips.items() if loaded.id == voice]:
                self._drop(key)
        self._forget(removed)
        return removed

    def _transcript(self, voice: str) -> str | None:
        """The transcript next to the recording; None if there is none that can be used."""
        path = self._path(voice, TRANSCRIPT_SUFFIX)
        try:
            transcript = path.read_text("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except (*_UNREADABLE, UnicodeDecodeError) as error:
            _log.warning("the transcript %s cannot be read: %s", path, type(error).__name__)
            return None
        if not 0 < len(transcript) <= LONGEST_TRANSCRIPT_CHARS:
            length = len(transcript)
            _log.warning("%s is ignored: it has %d characters, not 1 to %d", path, length, LONGEST_TRANSCRIPT_CHARS)
            return None
        return transcript

    def _free_id(self, name: str) -> str:
        """The id for a name, which is not that of a voice with another name."""
        voice = id_of(name)
        if voice != name and self._is_taken(voice) and self._name_of(voice) != name:
            return id_of(name, is_distinct=True)
        return voice

    def _is_taken(self, voice: str) -> bool:
        try:
            self._find(voice)
        except VoiceNotFound:
            return False
        return True

    def _scan(self) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder) as entries:
                return [entry for entry in entries if entry.is_file()]
        except _ABSENT:
            return []  # no folder, no voices

    def _find(self, voice: str) -> Path:
        for suffix in SUFFIXES:
            path = self.folder / f"{voice}{suffix}"
            if re.fullmatch(VOICE_ID, voice) and path.is_file():
                return self._path(voice, suffix)
        self._path(voice, "")  # refuses what is not an id
        for _, found, file in _voice_files(self._scan()):  # ".WAV"
            if found == voice:
                return Path(file.path)
        raise self._missing(voice)

    def _path(self, voice: str, suffix: str) -> Path:
        path = self.folder / f"{voice}{suffix}"
        if not re.fullmatch(VOICE_ID, voice) or not path.resolve().is_relative_to(self.folder.resolve()):
            raise InvalidRequest(f"voice {quote(voice)} is not an id: letters, digits, '.', '_' and '-'", field="voice")
        return path

    def _missing(self, voice: str) -> VoiceNotFound:
        known = [DEFAULT_VOICE.id, *(entry.id for entry in self.list())]
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        return VoiceNotFound(f"voice {quote(voice)} not found; there are {choices(known[:20])}{more}", field="voice")


def _digest_of(path: Path) -> str:
    """Of a file that is too large to be used, that of no bytes: nothing was derived from it. Raises OSError."""
    return digest(path.read_bytes() if path.stat().st_size <= _MOST_FILE_BYTES else b"")


def _size_bytes(voice: Voice) -> int:
    clip = 0 if voice.clip is None else voice.clip.samples.nbytes
    factors = () if voice.adapter is None else voice.adapter.factors.values()
    return clip + sum(each.down.nbytes + each.up.nbytes for each in factors)


def _voice_files(files: Iterable[os.DirEntry[str]]) -> Iterator[tuple[int, str, os.DirEntry[str]]]:
    """The files that are voices, each with its place in the order of precedence and its id."""
    for file in files:
        voice, suffix = os.path.splitext(file.name)  # noqa: PTH122 - a Path for each of hundreds takes longer
        if suffix.lower() in SUFFIXES and re.fullmatch(VOICE_ID, voice):
            yield SUFFIXES.index(suffix.lower()), voice, file
