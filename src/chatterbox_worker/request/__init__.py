"""Speech requests and actions, parsed and checked in one place for every edge.

`parse` is pure: it takes the JSON that arrived and the process's `Settings` and returns one frozen request in which
every default is filled in, or raises `InvalidRequest` naming the field, the value and the choices. Every field is
honoured or refused; none is accepted and ignored. Nothing is decoded or fetched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatterbox_worker.config import Settings
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request.actions import Action, ConvertBody
from chatterbox_worker.request.audio_formats import check_bitrate, formats, smaller_formats
from chatterbox_worker.request.check import (
    check_fields,
    check_speech,
    count_of_candidates,
    fields_of,
    transcript,
    validate,
    voice_language,
    with_defaults,
    without_aliases,
)
from chatterbox_worker.request.conversion import ConversionRequest, resolve_conversion
from chatterbox_worker.request.dialogue import resolve
from chatterbox_worker.request.fields import (
    ALIASES,
    LONGEST_CHUNK_CHARS,
    LONGEST_PRONUNCIATION_CHARS,
    LONGEST_REFERENCE_CHARS,
    LONGEST_TRANSCRIPT_CHARS,
    LONGEST_VOICE_ID,
    LONGEST_VOICE_NAME,
    LONGEST_WORD_CHARS,
    MAX_WORD_ERROR,
    MOST_CANDIDATES,
    MOST_CONTEXT_TURNS,
    MOST_PRONUNCIATIONS,
    MOST_REFERENCE_BYTES,
    MOST_TURNS,
    OF_A_DIALOGUE,
    OF_A_VOICE,
    SAMPLING,
    VOICE_ID,
    VOICES,
    Check,
    Output,
    PastTurn,
    SpeechBody,
    TextFormat,
    TurnBody,
    check_pronunciations,
    without_nulls,
)
from chatterbox_worker.request.openai import KOKORO_OPTIONS, openai_speech
from chatterbox_worker.request.speech import DialogueTurn, SpeechRequest, at_place
from chatterbox_worker.request.text_values import value_of_text

__all__ = [
    "ALIASES",
    "KOKORO_OPTIONS",
    "LONGEST_CHUNK_CHARS",
    "LONGEST_PRONUNCIATION_CHARS",
    "LONGEST_REFERENCE_CHARS",
    "LONGEST_TRANSCRIPT_CHARS",
    "LONGEST_VOICE_ID",
    "LONGEST_VOICE_NAME",
    "LONGEST_WORD_CHARS",
    "MAX_WORD_ERROR",
    "MOST_CANDIDATES",
    "MOST_CONTEXT_TURNS",
    "MOST_PRONUNCIATIONS",
    "MOST_REFERENCE_BYTES",
    "MOST_TURNS",
    "OF_A_DIALOGUE",
    "OF_A_VOICE",
    "SAMPLING",
    "VOICES",
    "VOICE_ID",
    "Action",
    "AudioRequest",
    "Check",
    "ConversionRequest",
    "ConvertBody",
    "DialogueTurn",
    "Output",
    "PastTurn",
    "Request",
    "SpeechBody",
    "SpeechRequest",
    "TextFormat",
    "TurnBody",
    "at_place",
    "check_bitrate",
    "check_deletable",
    "check_fields",
    "check_pronunciations",
    "count_of_candidates",
    "fields_of",
    "formats",
    "openai_speech",
    "parse",
    "parse_conversion",
    "parse_speech",
    "refuse_alias",
    "resolve",
    "resolve_conversion",
    "smaller_formats",
    "transcript",
    "validate",
    "value_of_text",
    "voice_language",
    "with_defaults",
    "without_nulls",
]

AudioRequest = SpeechRequest | ConversionRequest
"""A request that is answered with sound."""
Request = AudioRequest | Action


def parse(body: object, settings: Settings) -> Request:
    """The request in `body`, our own fields as JSON.

    Raises:
        InvalidRequest: names the field, the value and the choices.
    """
    fields = validate(body, SpeechBody)
    match fields:
        case SpeechBody():
            return resolve(fields, settings)
        case ConvertBody():
            return resolve_conversion(fields, settings)
        case _:
            return fields


def parse_speech(fields: Mapping[str, Any], settings: Settings) -> SpeechRequest:
    """The same where nothing but speech can be asked for. Raises InvalidRequest."""
    return resolve(check_speech(SpeechBody, without_aliases(fields)), settings)


def parse_conversion(fields: Mapping[str, Any], settings: Settings, upload: bytes | None = None) -> ConversionRequest:
    """The same where nothing but a conversion can be asked for; `upload` is a file in the place of `audio`. Raises
    InvalidRequest.
    """
    return resolve_conversion(check_fields(ConvertBody, without_aliases(fields)), settings, upload)


def check_deletable(voice: str, settings: Settings, *, field: str) -> None:
    """Raises InvalidRequest for another name of a voice: the caller may not know which voice would be deleted."""
    if (target := settings.voice_aliases().get(voice)) is not None:
        raise InvalidRequest(
            f"voice {quote(voice)} is another name of {quote(target)} here; a voice is deleted by its own name",
            field=field,
        )


def refuse_alias(voice: str, settings: Settings, *, field: str) -> None:
    """Raises InvalidRequest for the id of a new voice that requests could not reach."""
    if (target := settings.voice_aliases().get(voice)) is not None:
        raise InvalidRequest(
            f"voice {quote(voice)} is another name of {quote(target)} here; choose another", field=field
        )
