"""The voice library: a folder of recordings and voice files (`bundle`), one file a voice, its name the id.

The words of a recording may lie beside it, as `<id>.txt`; a voice file holds its own. A file dropped into the folder by hand is a voice at once. The folder is a network volume, so it may be missing,
read-only or shared: reading tolerates all of that, saving says what went wrong. Ids are checked against one pattern
and every path against the folder.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import soundfile

from chatterbox_worker.audio.clip import Audio
from chatterbox_worker.audio.decode import decode
from chatterbox_worker.engine import DEFAULT_VOICE, Voice
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, VolumeFailed, choices, quote
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS, VOICE_ID
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, is_bundle, pack, unpack
from chatterbox_worker.voices.reference import MAX_BYTES, MAX_DURATION_S

SUFFIXES = (BUNDLE_SUFFIX, ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm")  # an earlier one wins
WORDS_SUFFIX = ".txt"
_log = logging.getLogger(__name__)
_KEPT_IN_MEMORY = 64  # decoded clips; a 10 s clip at 24 kHz is 1 MB


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One line of the list of voices."""

    id: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


class VoiceLibrary:
    def __init__(self, folder: Path, *, forget: Callable[[str], object] = lambda _: None) -> None:
        """`forget` is told the digest of a recording that was deleted, so that what was made of it can go too."""
        self.folder = folder
        self._forget = forget
        self._clips: OrderedDict[tuple[object, ...], Voice] = OrderedDict()
        self._lock = threading.Lock()

    def list(self) -> list[LibraryEntry]:
        """Every voice in the folder, by id; the built-in "default" is not a file and not listed."""
        found: dict[str, LibraryEntry] = {}
        for path in sorted(self._files(), key=lambda path: SUFFIXES.index(path.suffix.lower()), reverse=True):
            try:
                stat = path.stat()
            except OSError:
                continue  # deleted by another worker meanwhile
            modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
            found[path.stem] = LibraryEntry(path.stem, stat.st_size, modified)
        return [found[voice] for voice in sorted(found)]

    def get(self, voice: str) -> Voice:
        """The voice with its recording, read once as long as the file does not change.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the file is not a usable recording.
        """
        if voice == DEFAULT_VOICE.id:
            return DEFAULT_VOICE
        path = self._find(voice)
        try:
            stat = path.stat()
            words = None if path.suffix.lower() == BUNDLE_SUFFIX else self._words(voice)
            key = (str(path), stat.st_mtime_ns, stat.st_size, words)
            with self._lock:
                if key in self._clips:
                    self._clips.move_to_end(key)
                    return self._clips[key]
            data = path.read_bytes()
        except OSError:
            raise self._missing(voice) from None
        loaded = voice_of(voice, data, field="voice", transcript=words)
        with self._lock:
            self._clips[key] = loaded
            while len(self._clips) > _KEPT_IN_MEMORY:
                self._clips.popitem(last=False)
        return loaded

    def save(self, voice: str, data: bytes, *, field: str, transcript: str | None = None) -> Voice:
        """Keep a recording, as 16-bit mono wav, or a voice file as it is, under an id, replacing what was there.

        `transcript` are its words; without them a voice file keeps those it has.

        Raises:
            InvalidRequest: the id is taken by the built-in voice, or the bytes are not a usable recording.
            VolumeFailed: the folder cannot be written.
        """
        if voice == DEFAULT_VOICE.id:
            raise InvalidRequest('voice "default" is the model\'s own and cannot be replaced', field="voice")
        if is_bundle(data):
            bundle = unpack(data, field=field)
            path = self._path(voice, BUNDLE_SUFFIX)
            content = pack(bundle if transcript is None else replace(bundle, transcript=transcript))
        else:
            path, content = self._path(voice, ".wav"), wav_of(decode(data, field=field, max_s=MAX_DURATION_S))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            words = self._path(voice, WORDS_SUFFIX)
            words.unlink(missing_ok=True)  # first: those of another recording are worse than none
            self._write(path, content)
            for suffix in SUFFIXES:
                if suffix != path.suffix:
                    self._path(voice, suffix).unlink(missing_ok=True)
            if transcript is not None and path.suffix != BUNDLE_SUFFIX:
                self._write(words, transcript.encode())
        except OSError as error:
            raise VolumeFailed(f"the voices folder cannot be written: {error.strerror}") from error
        return self.get(voice)

    def export(self, voice: str) -> bytes:
        """The voice as one file that `save` takes anywhere: its voice file as it is, or one made of its recording.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the built-in voice, or a file that cannot be used.
        """
        loaded = self.get(voice)
        if loaded.clip is None:
            raise InvalidRequest('voice "default" is the model\'s own: there is nothing to export', field="voice")
        try:
            data = self._find(voice).read_bytes()
        except OSError:
            raise self._missing(voice) from None
        packed = (
            data
            if is_bundle(data)
            else pack(Bundle(loaded.clip, None, {"recording_sha256": loaded.digest}, transcript=loaded.transcript))
        )
        if len(packed) > MAX_BYTES:
            raise InvalidRequest(
                f"voice {quote(voice)} makes a file of {len(packed)} bytes, and {MAX_BYTES} are taken; copy its recording",
                field="voice",
            )
        return packed

    def delete(self, voice: str) -> str:
        """Remove a voice; its recording's digest comes back, so that what was derived from it can go too."""
        path = self._find(voice)
        try:
            removed = digest(path.read_bytes())
            for suffix in (*SUFFIXES, WORDS_SUFFIX):
                self._path(voice, suffix).unlink(missing_ok=True)
        except FileNotFoundError:
            raise self._missing(voice) from None
        except OSError as error:
            raise VolumeFailed(f"the voices folder cannot be written: {error.strerror}") from error
        self._forget(removed)
        return removed

    def _write(self, path: Path, content: bytes) -> None:
        draft = self.folder / f".saving-{secrets.token_hex(8)}"
        draft.write_bytes(content)
        draft.replace(path)

    def _words(self, voice: str) -> str | None:
        """Beside the recording; None where there are none that can be used."""
        path = self._path(voice, WORDS_SUFFIX)
        try:
            words = path.read_text("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("the words in %s cannot be read: %s", path, type(error).__name__)
            return None
        if not 0 < len(words) <= LONGEST_TRANSCRIPT_CHARS:
            _log.warning("%s has %d characters; 1 to %d are used", path, len(words), LONGEST_TRANSCRIPT_CHARS)
            return None
        return words

    def _files(self) -> Iterator[Path]:
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    path = Path(entry.path)
                    if path.suffix.lower() in SUFFIXES and re.fullmatch(VOICE_ID, path.stem) and entry.is_file():
                        yield path
        except OSError:
            return  # no folder, no voices

    def _find(self, voice: str) -> Path:
        for suffix in SUFFIXES:
            path = self._path(voice, suffix)
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                return path
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


def voice_of(name: str, data: bytes, *, field: str, transcript: str | None = None) -> Voice:
    """The voice in the bytes of a recording, `transcript` its words, or of a voice file, which holds its own.

    Raises:
        InvalidRequest: blames `field`; they are neither.
    """
    if is_bundle(data):
        bundle = unpack(data, field=field)
        return Voice(name, bundle.digest, bundle.clip, bundle.speaker, bundle.adapter, bundle.transcript)
    return Voice(name, digest(data), decode(data, field=field, max_s=MAX_DURATION_S), transcript=transcript)


def digest(data: bytes) -> str:
    """SHA-256 in hex: of a recording's bytes, or of what a voice file holds, whatever is written about it there."""
    if is_bundle(data):
        try:
            return unpack(data, field="voice").digest
        except InvalidRequest:  # a damaged one can still be deleted
            _log.warning("a damaged voice file goes by its bytes")
    return hashlib.sha256(data).hexdigest()


def wav_of(clip: Audio) -> bytes:
    """16-bit mono."""
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
