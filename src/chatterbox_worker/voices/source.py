"""Where a request's voice comes from: the model, the library, or a recording that came along.

The digest is known at once, for the cache key; decoding waits until the voice must really be spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from chatterbox_worker.engine import Voice
from chatterbox_worker.request import SpeechRequest
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.voices.bundle import is_bundle
from chatterbox_worker.voices.library import VoiceLibrary, digest, voice_of
from chatterbox_worker.voices.reference import fetch, from_base64


@dataclass(frozen=True, slots=True, eq=False)
class VoiceSource:
    id: str
    """A library id, "default", or "reference" for a recording that came with the request."""
    digest: str
    field: str
    """The request's field to blame."""
    load: Callable[[], Voice]
    """Decodes the recording; raises InvalidRequest where it is none."""
    model: str | None = None
    """The one model that speaks with it: it was fine-tuned."""
    transcript: str | None = None
    """The words of the recording, as the request or else the voice has them."""


def voice_source(request: SpeechRequest, library: VoiceLibrary, *, allow_private_urls: bool) -> VoiceSource:
    """
    Raises:
        VoiceNotFound: no such id in the library.
        InvalidRequest: the reference is not base64, too large, cannot be fetched, or is a voice file that cannot be used.
    """
    if request.voice is not None:
        voice = library.get(request.voice)
        return _at_hand(voice, "voice", _words(request.reference_transcript or voice.transcript))
    data, field = reference_bytes(request.reference_audio, request.voice_url, allow_private_urls=allow_private_urls)
    words = _words(request.reference_transcript)
    if is_bundle(data):
        own = voice_of("reference", data, field=field)
        return _at_hand(own, field, words or _words(own.transcript))
    fingerprint = digest(data)

    def load() -> Voice:
        return voice_of("reference", data, field=field, transcript=words)

    return VoiceSource("reference", fingerprint, field, load, transcript=words)


def _words(transcript: str | None) -> str | None:
    return None if transcript is None else normalise_transcript(transcript, field="reference_transcript")


def _at_hand(voice: Voice, field: str, words: str | None) -> VoiceSource:
    voice = replace(voice, transcript=words)
    model = None if voice.adapter is None else voice.adapter.model
    return VoiceSource(voice.id, voice.digest, field, lambda: voice, model, words)


def reference_bytes(
    reference_audio: str | None, voice_url: str | None, *, allow_private_urls: bool
) -> tuple[bytes, str]:
    """The bytes of whichever was given, and its field's name."""
    if reference_audio is not None:
        return from_base64(reference_audio, field="reference_audio"), "reference_audio"
    return fetch(voice_url or "", allow_private=allow_private_urls), "voice_url"
