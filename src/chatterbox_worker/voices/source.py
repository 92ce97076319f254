"""Where a request's voice comes from: the model, the library, or a recording in the request.

The digest is computed at once, for the cache key; decoding waits until an engine needs the voice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from chatterbox_worker.catalogue import ModelCard
from chatterbox_worker.engine import Voice, VoiceDetails
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import VOICES
from chatterbox_worker.text.normalise import normalise_transcript
from chatterbox_worker.voices.bundle import is_bundle
from chatterbox_worker.voices.contents import digest, voice_of
from chatterbox_worker.voices.library import VoiceLibrary
from chatterbox_worker.voices.reference import fetch, from_base64


@dataclass(frozen=True, slots=True, eq=False)
class VoiceSource:
    id: str
    """A library id, "default", or "reference" for a recording that came with the request."""
    digest: str
    field: str
    """The request's field that errors name."""
    load: Callable[[], Voice]
    """Decodes the recording; raises InvalidRequest if it is not one."""
    model: str | None = None
    """For a fine-tuned voice, the only model that can use it."""
    transcript: str | None = None
    """The words of the recording, from the request or else from the voice."""
    language: str | None = None
    """That the recording is in, if it is known."""


class VoiceFields(Protocol):
    """The fields of a request that choose its voice."""

    @property
    def voice(self) -> str | None: ...
    @property
    def reference_audio(self) -> str | None: ...
    @property
    def voice_url(self) -> str | None: ...
    @property
    def reference_transcript(self) -> str | None: ...


def voice_source(request: VoiceFields, library: VoiceLibrary, *, allow_private_urls: bool) -> VoiceSource:
    """
    Raises:
        VoiceNotFound: no such id in the library.
        InvalidRequest: the reference is not base64, too large, cannot be fetched, or is a voice file that cannot be
            used.
    """
    if request.voice is not None:
        voice = library.get(request.voice)
        return _loaded_source(voice, "voice", _normalise(request.reference_transcript or voice.details.transcript))
    data, field = reference_bytes(request.reference_audio, request.voice_url, allow_private_urls=allow_private_urls)
    transcript = _normalise(request.reference_transcript)
    if is_bundle(data):
        own = voice_of("reference", data, field=field)
        return _loaded_source(own, field, transcript or _normalise(own.details.transcript))
    fingerprint = digest(data)

    def load() -> Voice:
        return voice_of("reference", data, field=field, details=VoiceDetails(transcript))

    return VoiceSource("reference", fingerprint, field, load, transcript=transcript)


def _normalise(transcript: str | None) -> str | None:
    return None if transcript is None else normalise_transcript(transcript, field="reference_transcript")


def _loaded_source(voice: Voice, field: str, transcript: str | None) -> VoiceSource:
    voice = replace(voice, details=replace(voice.details, transcript=transcript))
    model = None if voice.adapter is None else voice.adapter.model
    return VoiceSource(voice.id, voice.digest, field, lambda: voice, model, transcript, voice.details.language)


def load_voice(source: VoiceSource, card: ModelCard) -> Voice:
    """The voice; raises InvalidRequest if its recording cannot be used by this model."""
    voice = source.load()
    if voice.clip is not None and voice.clip.duration_s <= card.reference_min_s:
        subject = source.field if source.field in VOICES else f"voice {quote(source.id)}"
        raise InvalidRequest(
            f"{subject} lasts {voice.clip.duration_s:.1f} s without the silence at its ends; {card.name} "
            f"needs a recording longer than {card.reference_min_s:g} s",
            field=source.field,
        )
    return voice


@contextmanager
def name_voice(field: str) -> Iterator[None]:
    """An engine does not know where its voice came from: its errors about the voice name the request's own field."""
    try:
        yield
    except InvalidRequest as error:
        if error.field not in VOICES:
            raise
        raise InvalidRequest(error.message, field=field) from error


def reference_bytes(
    reference_audio: str | None, voice_url: str | None, *, allow_private_urls: bool
) -> tuple[bytes, str]:
    """The bytes of the one that was given, and the name of its field."""
    if reference_audio is not None:
        return from_base64(reference_audio, field="reference_audio"), "reference_audio"
    return fetch(voice_url or "", allow_private=allow_private_urls), "voice_url"
