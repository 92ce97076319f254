"""A request as the input of a job for the same speech: the fields that it has, and none that it leaves open."""

from __future__ import annotations

import base64
from typing import Any

from chatterbox_worker.request import (
    OF_A_DIALOGUE,
    OF_A_VOICE,
    VOICES,
    AudioRequest,
    ConversionRequest,
    DialogueTurn,
    SpeechBody,
    SpeechRequest,
    without_nulls,
)


def job_fields(request: AudioRequest) -> dict[str, Any]:
    """The input of a job for the same speech; fields that the request leaves open stay open."""
    if isinstance(request, ConversionRequest):
        return _conversion_fields(request)
    return _dialogue_fields(request) if request.turns else _text_fields(request)


def _dialogue_fields(request: SpeechRequest) -> dict[str, Any]:
    """What all turns have in common stands next to them, so that a recording is sent once."""
    whole = {name: value for name, value in _text_fields(request).items() if name in OF_A_DIALOGUE}
    whole |= {} if request.seed is None else {"seed": request.seed}
    turns = [_turn_fields(turn) for turn in request.turns]
    if request.text_format == "script":
        opening = request.turns[0]
        per_turn = {"name", *(() if opening.has_speaker else ("speaker",)), *(OF_A_VOICE if opening.is_by_name else ())}
        own = {name: value for name, value in turns[0].items() if name not in per_turn}
        return whole | own | {"text": request.text, "text_format": "script"}
    first, *others = turns
    common = {name for name, value in first.items() if all(turn.get(name) == value for turn in others)}
    shared = common - {"text", "name", "seed"}  # which mean something else there
    if any(turn.get(name) != first.get(name) for name in OF_A_VOICE for turn in others):
        shared -= set(OF_A_VOICE)  # a turn with a voice of its own takes none of these from the dialogue
    own_fields = [{name: value for name, value in turn.items() if name not in shared} for turn in turns]
    return whole | {name: first[name] for name in shared} | {"turns": own_fields}


def _turn_fields(turn: DialogueTurn) -> dict[str, Any]:
    own = {name: value for name, value in _text_fields(turn.request).items() if name not in OF_A_DIALOGUE}
    named = {} if turn.name is None else {"name": turn.name}
    return own | named | {"pause_s": {**turn.request.pause_s, "turn": turn.pause_s}}


def _text_fields(request: SpeechRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **{name: getattr(request, name) for name in (*_ALIKE, *_OF_A_TEXT)},
        "language": str(request.tag),
        "normalize": request.normalize_as_given, "pronunciations": dict(request.pronunciations) or None,
        "context": [turn.model_dump() for turn in request.context] or None,
        "respeak": list(request.respeak) or None, "check": request.check_as_given,
        "speaker": request.speaker if request.card.uses_context else None,
        **request.sampling_as_given,
        **_given_fields(request),
    }  # fmt: skip
    return without_nulls(fields)


_ALIKE = (*VOICES, "model", "format", "sample_rate", "bitrate_kbps", "seed", "cache")
"""The fields that speech and a conversion have alike."""
_OF_A_TEXT = ("text", "speed", "split_text", "chunk_size", "reference_transcript", "max_chunk_s")
_OFTEN_DEFAULT = (
    "text_format", "line_breaks", "emoji", "ssml_strict", "pause_s", "timestamps", "loudness_lufs", "gain_db", "trim",
    "attempts", "max_word_error", "on_fail",
)  # fmt: skip


def _given_fields(request: SpeechRequest) -> dict[str, Any]:
    """How the text is read and how it sounds, where it is not by default."""
    fields = SpeechBody.model_fields
    given = {name: getattr(request, name) for name in _OFTEN_DEFAULT}
    return {name: value for name, value in given.items() if value != fields[name].default and value != {}}


def _conversion_fields(request: ConversionRequest) -> dict[str, Any]:
    audio = request.audio
    return without_nulls(
        {
            **{name: getattr(request, name) for name in (*_ALIKE, "audio_url")},
            "action": "convert",
            "audio": base64.b64encode(audio).decode() if isinstance(audio, bytes) else audio,
        }
    )
