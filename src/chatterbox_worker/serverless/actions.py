"""The actions other than speech: information about this worker, a text as it is read, and the voice library."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import AnswerTooLarge, quote
from chatterbox_worker.request import (
    Action,
    DeleteVoiceRequest,
    ExportVoiceRequest,
    InfoRequest,
    ListVoicesRequest,
    SaveVoiceRequest,
    TextPreviewRequest,
    resolve,
)
from chatterbox_worker.serverless.information import JobCounts, info
from chatterbox_worker.synthesizer import Synthesizer
from chatterbox_worker.text.preview import preview
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.source import reference_bytes

_REPORT_BYTES = 1000  # of an answer, without the voice's file


def act(request: Action, settings: Settings, synthesizer: Synthesizer, counts: JobCounts) -> dict[str, Any]:
    """
    Raises:
        InvalidRequest, VoiceNotFound, VolumeFailed, AnswerTooLarge: the action cannot be done.
    """
    library = synthesizer.library
    match request:
        case InfoRequest():
            return info(settings, synthesizer, counts)
        case TextPreviewRequest():
            return preview(resolve(request.speech, settings))
        case ListVoicesRequest():
            return {"voices": [asdict(entry) for entry in library.list()]}
        case SaveVoiceRequest():
            data, field = reference_bytes(
                request.reference_audio, request.voice_url, allow_private_urls=settings.allow_private_urls
            )
            return library.describe(
                library.save(request.voice, data, field=field, transcript=request.reference_transcript)
            )
        case ExportVoiceRequest():
            return _export(request.voice, library, settings.payload_limit_bytes - _REPORT_BYTES)
        case DeleteVoiceRequest():
            library.delete(request.voice)
            return {"voice": request.voice, "deleted": True}


def _export(voice: str, library: VoiceLibrary, most_bytes: int) -> dict[str, Any]:
    """The voice as one file, under the name by which `voices.save` takes it."""
    encoded = base64.b64encode(library.export(voice)).decode()
    if len(encoded) > most_bytes:
        raise AnswerTooLarge(
            f"voice {quote(voice)} takes {len(encoded)} bytes, an answer {most_bytes}; copy its file from the volume",
            field="voice",
        )
    return {"voice": voice, "digest": library.get(voice).digest, "reference_audio": encoded}
