"""The voice library: a folder of recordings and voice files (`bundle`), one file per voice, named by the voice's id.

The transcript of a recording may be next to it, as `<id>.txt`; a voice file contains its own. A file that is copied
into the folder is a voice at once. The folder may be a network volume, so it may be missing, read-only or shared:
reading tolerates all of that, and saving reports what went wrong. Ids are checked against one pattern and every path
against the folder.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
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
from chatterbox_worker.files import write_whole
from chatterbox_worker.request import LONGEST_TRANSCRIPT_CHARS, VOICE_ID
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, Bundle, is_bundle, pack, unpack
from chatterbox_worker.voices.reference import MAX_BYTES, MAX_DURATION_S

SUFFIXES = (BUNDLE_SUFFIX, ".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".webm")
"""In order of precedence."""
TRANSCRIPT_SUFFIX = ".txt"
_log = logging.getLogger(__name__)
_CACHED_CLIPS = 64  # decoded, in memory; a 10 s clip at 24 kHz is 1 MB


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One entry in the list of voices."""

    id: str
    size_bytes: int
    modified: str
    """ISO 8601, UTC."""


class VoiceLibrary:
    def __init__(self, folder: Path, *, forget: Callable[[str], object] = lambda _: None) -> None:
        """`forget` is called with the digest of a deleted recording, to delete what was derived from it."""
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
                continue  # another worker has deleted it in the meantime
            modified = datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(timespec="seconds")
            found[path.stem] = LibraryEntry(path.stem, stat.st_size, modified)
        return [found[voice] for voice in sorted(found)]

    def get(self, voice: str) -> Voice:
        """The voice with its recording; a file is read again only if it has changed.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the file is not a usable recording.
        """
        if voice == DEFAULT_VOICE.id:
            return DEFAULT_VOICE
        path = self._find(voice)
        try:
            stat = path.stat()
            transcript = None if path.suffix.lower() == BUNDLE_SUFFIX else self._transcript(voice)
            key = (str(path), stat.st_mtime_ns, stat.st_size, transcript)
            with self._lock:
                if key in self._clips:
                    self._clips.move_to_end(key)
                    return self._clips[key]
            data = path.read_bytes()
        except OSError:
            raise self._missing(voice) from None
        loaded = voice_of(voice, data, field="voice", transcript=transcript)
        with self._lock:
            self._clips[key] = loaded
            while len(self._clips) > _CACHED_CLIPS:
                self._clips.popitem(last=False)
        return loaded

    def save(self, voice: str, data: bytes, *, field: str, transcript: str | None = None) -> Voice:
        """Store a recording as 16-bit mono wav, or a voice file, under an id; a voice with that id is replaced.

        Without a `transcript` a voice file keeps its own.

        Raises:
            InvalidRequest: the id is that of the built-in voice, or the bytes are not a usable recording.
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
            transcript_path = self._path(voice, TRANSCRIPT_SUFFIX)
            transcript_path.unlink(missing_ok=True)  # first: a wrong transcript is worse than none
            write_whole(path, content, durable=True)
            for suffix in SUFFIXES:
                if suffix != path.suffix:
                    self._path(voice, suffix).unlink(missing_ok=True)
            if transcript is not None and path.suffix != BUNDLE_SUFFIX:
                write_whole(transcript_path, transcript.encode(), durable=True)
        except OSError as error:
            raise VolumeFailed(f"the voices folder cannot be written: {error.strerror}") from error
        return self.get(voice)

    def export(self, voice: str) -> bytes:
        """The voice as one file that `save` of any library accepts: its voice file, or one built from its recording.

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
                f"voice {quote(voice)} makes a file of {len(packed)} bytes, and at most {MAX_BYTES} are accepted; "
                "copy its recording instead",
                field="voice",
            )
        return packed

    def delete(self, voice: str) -> str:
        """Remove a voice and return its digest; what was derived from the recording is deleted too."""
        path = self._find(voice)
        try:
            removed = digest(path.read_bytes())
            for suffix in (*SUFFIXES, TRANSCRIPT_SUFFIX):
                self._path(voice, suffix).unlink(missing_ok=True)
        except FileNotFoundError:
            raise self._missing(voice) from None
        except OSError as error:
            raise VolumeFailed(f"the voices folder cannot be written: {error.strerror}") from error
        self._forget(removed)
        return removed

    def _transcript(self, voice: str) -> str | None:
        """The transcript next to the recording; None if there is none that can be used."""
        path = self._path(voice, TRANSCRIPT_SUFFIX)
        try:
            transcript = path.read_text("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            _log.warning("the transcript %s cannot be read: %s", path, type(error).__name__)
            return None
        if not 0 < len(transcript) <= LONGEST_TRANSCRIPT_CHARS:
            length = len(transcript)
            _log.warning("%s is ignored: it has %d characters, not 1 to %d", path, length, LONGEST_TRANSCRIPT_CHARS)
            return None
        return transcript

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
    """The voice in the bytes of a recording with its `transcript`, or of a voice file, which contains its own.

    Raises:
        InvalidRequest: names `field`; they are neither.
    """
    if is_bundle(data):
        bundle = unpack(data, field=field)
        return Voice(name, bundle.digest, bundle.clip, bundle.speaker, bundle.adapter, bundle.transcript)
    return Voice(name, digest(data), decode(data, field=field, max_s=MAX_DURATION_S), transcript=transcript)


def digest(data: bytes) -> str:
    """SHA-256 in hex: of a recording's bytes, or a voice file's own digest, which ignores its `about`."""
    if is_bundle(data):
        try:
            return unpack(data, field="voice").digest
        except InvalidRequest:  # a damaged one can still be deleted
            _log.warning("a voice file is damaged: the digest of its bytes is used")
    return hashlib.sha256(data).hexdigest()


def wav_of(clip: Audio) -> bytes:
    """16-bit mono."""
    buffer = io.BytesIO()
    soundfile.write(buffer, clip.samples, clip.sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
