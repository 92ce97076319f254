"""Export of voices from a library and import into another, each as one file."""

from __future__ import annotations

import re
from pathlib import Path

from chatterbox_worker.engine import DEFAULT_VOICE, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.files import write_whole
from chatterbox_worker.request import VOICE_ID
from chatterbox_worker.voices.bundle import BUNDLE_SUFFIX, is_bundle
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.reference import MAX_BYTES


def free_id(name: str, library: VoiceLibrary, *, may_replace: bool) -> str:
    """`name`, if it is a valid id that is free or may be replaced.

    Raises:
        InvalidRequest: it is not an id, or it exists already.
    """
    if not re.fullmatch(VOICE_ID, name) or name == DEFAULT_VOICE.id:
        raise InvalidRequest(
            f"--output-voice-id {quote(name)} is not an id: 1 to 64 letters, digits, '.', '_' and '-', "
            'and not "default"',
            field="output_voice_id",
        )
    if not may_replace and name in {entry.id for entry in library.list()}:
        raise InvalidRequest(
            f"voice {quote(name)} exists already in {library.folder}; use --replace to replace it, or another "
            "--output-voice-id",
            field="output_voice_id",
        )
    return name


def export_voice(library: VoiceLibrary, name: str, path: Path | None, *, may_replace: bool) -> str:
    """Write a voice as one file; return a line that reports it.

    Raises:
        VoiceNotFound: there is no such voice.
        InvalidRequest: the voice cannot be exported, or the file exists.
    """
    path = path or Path(f"{name}{BUNDLE_SUFFIX}")
    data = library.export(name)
    if path.exists() and not may_replace:
        raise InvalidRequest(f"{path} exists already; use --replace to replace it", field="out")
    write_whole(path, data, durable=True)
    return f"voice {name}: {path}, {len(data)} bytes"


def import_voice(
    library: VoiceLibrary, path: Path, name: str | None, *, may_replace: bool, language: str | None = None
) -> str:
    """Add a voice file or a recording to the library; return a line that reports it.

    `language`: that it speaks; None for a voice file's own.

    Raises:
        InvalidRequest: it is neither, or the id is invalid or exists already.
        VolumeFailed: the folder cannot be written.
    """
    name = free_id(path.stem if name is None else name, library, may_replace=may_replace)
    if path.stat().st_size > MAX_BYTES:
        raise InvalidRequest(f"{path.name} has more than {MAX_BYTES} bytes", field="import")
    data = path.read_bytes()
    voice = library.save(name, data, field=path.name, details=VoiceDetails(language=language))
    kind = "voice file" if is_bundle(data) else "recording"
    return f"voice {name}, {voice.duration_s:.1f} s from a {kind}: {library.folder}"
