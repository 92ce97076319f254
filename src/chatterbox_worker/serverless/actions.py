"""What can be asked besides speech: what this worker is, and the care of its voices."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import AnswerTooLarge, quote
from chatterbox_worker.request import (
    DeleteVoiceRequest,
    ExportVoiceRequest,
    InfoRequest,
    ListVoicesRequest,
    SaveVoiceRequest,
)
from chatterbox_worker.serverless.information import JobCounts, info
from chatterbox_worker.synthesizer import Synthesizer
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.source import reference_bytes

Action = InfoRequest | ListVoicesRequest | SaveVoiceRequest | ExportVoiceRequest | DeleteVoiceRequest

_ROOM_BYTES = 1000  # for what an answer says beside the voice's file


def act(request: Action, settings: Settings, synthesizer: Synthesizer, tally: JobCounts) -> dict[str, Any]:
    """
    Raises:
        InvalidRequest, VoiceNotFound, VolumeFailed, AnswerTooLarge: it cannot be done.
    """
    library = synthesizer.library
    match request:
        case InfoRequest():
            return info(settings, synthesizer, tally)
        case ListVoicesRequest():
            return {"voices": [asdict(entry) for entry in library.list()]}
        case SaveVoiceRequest():
            data, field = reference_bytes(
                request.reference_audio, request.voice_url, allow_private_urls=settings.allow_private_urls
            )
            voice = library.save(request.voice, data, field=field, transcript=request.reference_transcript)
            return {"voice": voice.id, "digest": voice.digest, "duration_s": round(voice.duration_s, 3)}
        case ExportVoiceRequest():
            return _exported(request.voice, library, settings.payload_limit_bytes - _ROOM_BYTES)
        case DeleteVoiceRequest():
            library.delete(request.voice)
            return {"voice": request.voice, "deleted": True}


def _exported(voice: str, library: VoiceLibrary, most_bytes: int) -> dict[str, Any]:
    """The voice as one file, under the name by which `voices.save` takes it."""
    encoded = base64.b64encode(library.export(voice)).decode()
    if len(encoded) > most_bytes:
        raise AnswerTooLarge(
            f"voice {quote(voice)} takes {len(encoded)} bytes, an answer {most_bytes}; copy its file from the volume",
            field="voice",
        )
    return {"voice": voice, "digest": library.get(voice).digest, "reference_audio": encoded}
