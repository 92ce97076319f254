"""The voice library: a folder of recordings and voice files (`bundle`), one file per voice, named by the voice's id.

A saved recording is stored as the models use it: without the silence at its ends, mono, at most 48 kHz, as FLAC. Its
details (`details`) may be next to it, such as `<id>.txt`; a voice file contains its own. A name that differs
from the id is in `<id>.name`. A folder that fails or does not answer (`mounts`) is an error: its voices are not
missing, and those in memory can be used.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from chatterbox_worker.audio.encode import encode_recording
from chatterbox_worker.engine import DEFAULT_VOICE, NO_DETAILS, Voice, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, VoiceNotFound, VolumeFailed, quote
from chatterbox_worker.files import check_whole
from chatterbox_worker.mounts import LOOK_UP_S, REQUEST_S, allow_bytes, mount_of
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, is_bundle, pack, unpack
from chatterbox_worker.voices.clip import decode_clip, warnings_about
from chatterbox_worker.voices.contents import pack_recording, voice_of, wav_of
from chatterbox_worker.voices.details import DETAILS, known_details, with_details
from chatterbox_worker.voices.folder import (
    MOST_FILE_BYTES,
    NAME_SUFFIX,
    LibraryEntry,
    VoicesFolder,
)
from chatterbox_worker.voices.names import check_name
from chatterbox_worker.voices.reference import MAX_BYTES

log = logging.getLogger(__name__)

SAVED_SUFFIX = ".flac"
_CACHED_BYTES = 128 * 2**20  # of decoded recordings and adapters, in memory; a clip of 10 s at 24 kHz is 1 MB
_T = TypeVar("_T")


class VoiceLibrary:
    def __init__(self, folder: Path, *, forget: Callable[[str], object] = lambda _: None) -> None:
        """`forget` is called with the digest of a deleted or replaced recording, to delete what was derived from it."""
        self.folder = folder
        self._files = VoicesFolder(folder)
        self._forget = forget
        self._clips: OrderedDict[tuple[object, ...], Voice] = OrderedDict()
        self._clips_bytes = 0
        self._lock = threading.Lock()

    def list(self, *, within_s: float = REQUEST_S) -> list[LibraryEntry]:
        """Every voice in the folder, by id; the built-in "default" is not a file and not listed.

        Raises:
            VolumeFailed: the folder cannot be read, or not within `within_s` seconds.
        """
        return self._on_volume(self._files.list, within_s=within_s)

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
        return self._on_volume(partial(self._files.entry, voice))

    def name_of(self, voice: str) -> str:
        """The display name of a voice of the library; its id if it has no other. Raises VolumeFailed."""
        return self._on_volume(partial(self._files.name_of, voice))

    def id_named(self, name: str) -> str:
        """The id of the voice that has this id or this name; capitals count only where several voices differ by them.

        Raises:
            VoiceNotFound: there is none, or more than one; names the choices.
            VolumeFailed: the folder cannot be read.
        """
        return self._on_volume(partial(self._files.id_named, name))

    def get(self, voice: str) -> Voice:
        """The voice with its recording; a file is read again only if it has changed, and not while the folder fails.

        Raises:
            VoiceNotFound: names the choices.
            InvalidRequest: the file is not a usable recording.
            VolumeFailed: the folder cannot be read, and the voice is not in memory.
        """
        if voice == DEFAULT_VOICE.id:
            return DEFAULT_VOICE
        with self._lock:
            last = next((loaded for loaded in reversed(self._clips.values()) if loaded.id == voice), None)
        try:
            found = self._on_volume(partial(self._read, voice), within_s=REQUEST_S if last is None else LOOK_UP_S)
        except VolumeFailed as error:
            if last is None:
                raise
            log.warning("voice %s as it was last read: %s", voice, error.message)
            return last
        except VoiceNotFound:
            self._drop_all(voice)
            raise
        if isinstance(found, Voice):
            return found
        key, data, details = found
        try:
            loaded = voice_of(voice, data, field="voice", details=details)
        except InvalidRequest as error:  # its sentence begins with the field, which does not say which voice
            raise InvalidRequest(error.message.replace("voice", f"voice {quote(voice)}", 1), field="voice") from error
        with self._lock:
            if key not in self._clips:  # another thread may have been faster
                self._clips[key] = loaded
                self._clips_bytes += _size_bytes(loaded)
            while self._clips_bytes > _CACHED_BYTES and len(self._clips) > 1:
                self._drop(next(iter(self._clips)))
        return loaded

    def _read(self, voice: str) -> Voice | tuple[tuple[object, ...], bytes, VoiceDetails]:
        """The voice, if its file has not changed; or what it is kept under, the file and the details next to it."""
        try:
            path, stat, key = self._files.look_up(voice)
            with self._lock:
                if key in self._clips:
                    self._clips.move_to_end(key)
                    return self._clips[key]
            if stat.st_size > MOST_FILE_BYTES:
                raise InvalidRequest(
                    f"voice {quote(voice)} is a file of {stat.st_size} bytes; at most {MOST_FILE_BYTES} can be used",
                    field="voice",
                )
            is_recording = path.suffix.lower() != BUNDLE_SUFFIX
            details = self._files.details(voice) if is_recording else NO_DETAILS
            allow_bytes(stat.st_size)
            data = path.read_bytes()
        except FileNotFoundError:
            raise self._files.missing(voice) from None
        check_whole(data, stat.st_size)  # else a part of the voice would be kept as the whole
        return key, data, details

    def _drop_all(self, voice: str) -> None:
        """A voice that was deleted is not spoken from memory either."""
        with self._lock:
            for key in [key for key, loaded in self._clips.items() if loaded.id == voice]:
                self._drop(key)

    def _drop(self, key: tuple[object, ...]) -> None:
        self._clips_bytes -= _size_bytes(self._clips.pop(key))

    def save(self, name: str, data: bytes, *, field: str, details: VoiceDetails = NO_DETAILS) -> Voice:
        """Store a recording or a voice file under the id of `name`; a voice with that name is replaced.

        A voice file keeps its own of the `details` that are not given. Whatever fails, the voice that was there stays.

        Raises:
            InvalidRequest: the id is that of the built-in voice, or the bytes are not a usable recording.
            VolumeFailed: the folder cannot be written.
        """
        name = check_name(name, field="voice")
        voice = self._on_volume(partial(self._files.free_id, name))
        if voice == DEFAULT_VOICE.id:
            raise InvalidRequest('voice "default" is the model\'s own and cannot be replaced', field="voice")
        others = {} if name == voice else {NAME_SUFFIX: name.encode()}
        if is_bundle(data):
            bundle = unpack(data, field=field)
            suffix = BUNDLE_SUFFIX
            content = pack(replace(bundle, details=with_details(bundle.details, details)))
        else:
            suffix, content = SAVED_SUFFIX, encode_recording(decode_clip(data, field=field))
            others |= {DETAILS[each].suffix: value.encode() for each, value in known_details(details).items()}
        saved = voice_of(voice, content, field=field, details=details)  # only what can be read replaces another
        replaced = self._on_volume(partial(self._files.replace, voice, suffix, content, others), "written")
        if replaced not in {None, saved.digest}:
            self._forget(replaced)
        return saved

    def describe(self, saved: Voice) -> dict[str, Any]:
        """What is reported about a voice that was saved, JSON-safe."""
        return {
            "voice": saved.id,
            "name": self.name_of(saved.id),
            "digest": saved.digest,
            "duration_s": round(saved.duration_s, 3),
            "language": saved.details.language,
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
        path, data = self._on_volume(partial(self._files.read, voice))
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
        _, data = self._on_volume(partial(self._files.read, voice))
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
        removed = self._on_volume(partial(self._files.delete, voice), "written")
        self._drop_all(voice)
        self._forget(removed)
        return removed


def _size_bytes(voice: Voice) -> int:
    clip = 0 if voice.clip is None else voice.clip.samples.nbytes
    factors = () if voice.adapter is None else voice.adapter.factors.values()
    return clip + sum(each.down.nbytes + each.up.nbytes for each in factors)
