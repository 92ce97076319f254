"""What can be asked besides speech: what this worker is, and the care of its voices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.information import Tally, info
from chatterbox_worker.request import DeleteVoiceRequest, InfoRequest, ListVoicesRequest, SaveVoiceRequest
from chatterbox_worker.synthesizer import Synthesizer
from chatterbox_worker.voices.source import reference_bytes

Action = InfoRequest | ListVoicesRequest | SaveVoiceRequest | DeleteVoiceRequest


def act(request: Action, settings: Settings, synthesizer: Synthesizer, tally: Tally) -> dict[str, Any]:
    """
    Raises:
        InvalidRequest, VoiceNotFound, VolumeFailed: it cannot be done.
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
        case DeleteVoiceRequest():
            library.delete(request.voice)
            return {"voice": request.voice, "deleted": True}
