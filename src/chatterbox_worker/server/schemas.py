"""The bodies as OpenAPI shows them, derived from the models in `request`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from chatterbox_worker.catalogue import FORMATS, MODEL_RATE, SAMPLE_RATES
from chatterbox_worker.request import (
    ALIASES,
    KOKORO_OPTIONS,
    MOST_CANDIDATES,
    MOST_CONTEXT_TURNS,
    MOST_TURNS,
    OF_A_DIALOGUE,
    ConvertBody,
    PastTurn,
    SpeechBody,
    TurnBody,
)
from chatterbox_worker.server import answers
from chatterbox_worker.text import captions

_Schema = dict[str, Any]
_NULL: _Schema = {"type": "null"}


def _properties(shape: type[BaseModel], *left_out: str) -> dict[str, _Schema]:
    return {
        name: {key: value for key, value in field.items() if key != "title"}
        for name, field in shape.model_json_schema()["properties"].items()
        if name not in left_out
    }


_FIELDS: Mapping[str, _Schema] = _properties(SpeechBody, "action", "turns") | {
    "text": {"type": "string", "minLength": 1},
    "format": {"type": "string", "enum": list(FORMATS), "default": "wav"},
    "sample_rate": {"type": "integer", "enum": list(SAMPLE_RATES), "default": MODEL_RATE, "description": "Hertz."},
    "context": {"type": "array", "maxItems": MOST_CONTEXT_TURNS, "items": PastTurn.model_json_schema()},
}
_RESPONSE_OPTIONS: Mapping[str, _Schema] = {
    "stream_format": {"type": "string", "enum": ["audio", "sse"], "description": "A whole file if left out."},
    "stream": {"type": "boolean", "default": False, "description": 'true is the same as stream_format "audio".'},
    "captions": {
        "type": "string",
        "enum": list(captions.MIMETYPES),
        "description": "The answer is JSON with the audio and its captions.",
    },
    "candidates": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST_CANDIDATES,
        "default": 1,
        "description": "More than 1: the answer is JSON with so many takes of different seeds.",
    },
    "progress": {
        "type": "boolean",
        "default": False,
        "description": "With sse: also events that report the progress in chunks.",
    },
}


def bounds(field: str) -> dict[str, float]:
    """The smallest and largest value of a number, as `min` and `max`."""
    schema = _FIELDS[field]
    number: _Schema = next((part for part in schema.get("anyOf", [schema]) if "minimum" in part), {})
    return {short: number[name] for short, name in (("min", "minimum"), ("max", "maximum")) if name in number}


def fields(*left_out: str) -> dict[str, _Schema]:
    return {name: schema for name, schema in _FIELDS.items() if name not in left_out}


def body(properties: Mapping[str, _Schema], *required: str) -> _Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False}


def known(schema: _Schema, *others: str, aliases: bool = True) -> list[str]:
    """The fields that a body may have: those of its schema, `others` that only older clients send, and aliases."""
    names = {*schema["properties"], *others}
    return sorted(names | ({alias for alias, name in ALIASES.items() if name in names} if aliases else set()))


OPENAI_SPEECH = body(
    {
        "input": _FIELDS["text"],
        "response_format": {"type": "string", "enum": list(FORMATS), "default": "mp3"},
        "instructions": {
            "type": "string",
            "maxLength": 0,
            "description": "Must be empty: no Chatterbox model follows instructions.",
        },
        **fields("text", "format", "voice"),
        "normalization_options": {
            **body({name: {"type": "boolean"} for name in ("normalize", *KOKORO_OPTIONS)}),
            "description": "Kokoro-FastAPI's; give this or `normalize`.",
        },
        "voice": {
            "anyOf": [{"type": "string"}, body({"id": {"type": "string"}}, "id")],
            "description": 'An id of /v1/voices; "default" if left out.',
        },
        **_RESPONSE_OPTIONS,
    },
    "input",
)
CAPTIONED_SPEECH = body(
    {
        **{name: schema for name, schema in OPENAI_SPEECH["properties"].items() if name not in _RESPONSE_OPTIONS},
        "stream": {"type": "boolean", "default": True, "description": "true: an answer per line, as it is spoken."},
        "return_timestamps": {"type": "boolean", "default": True},
        "return_download_link": {"type": "boolean", "enum": [False]},
        "lang_code": {"type": "string", "description": "Kokoro's letter or our `language`."},
        "volume_multiplier": {"type": "number", "minimum": 0.01, "maximum": 10, "default": 1.0},
    },
    "input",
)
"""Kokoro-FastAPI's fields, and those of speech that can be honoured here."""
del CAPTIONED_SPEECH["properties"]["timestamps"]
_CAPTIONED_ANSWER = body(
    {
        "audio": {"type": "string", "format": "byte"},
        "audio_format": {"type": "string", "description": "A media type."},
        "timestamps": {
            "type": "array",
            "items": body(
                {
                    "word": {"type": "string"},
                    "start_time": {"type": "number", "description": "Seconds."},
                    "end_time": {"type": "number"},
                },
                "word",
                "start_time",
                "end_time",
            ),
        },
    },
    "audio",
    "audio_format",
    "timestamps",
)
_NAME = TurnBody.model_json_schema()["properties"]["name"]
_TURN = body({**fields(*OF_A_DIALOGUE, "context"), "name": _NAME}, "text")
_TURNS: Mapping[str, _Schema] = {
    "turns": {"type": "array", "minItems": 1, "maxItems": MOST_TURNS, "items": _TURN, "description": "Or `text`."}
}
SENTENCES = body({**fields("text"), "voice_id": {"type": "string"}})
"""What starts a conversation over the WebSocket."""
PREVIEW = body({**fields(), **_TURNS})
CAPTIONS = body({**fields(), **_TURNS, "captions": _RESPONSE_OPTIONS["captions"] | {"default": "srt"}})
TTS = body(
    {
        "text": _FIELDS["text"],
        "voice_mode": {"type": "string", "enum": ["predefined", "clone"], "default": "predefined"},
        "predefined_voice_id": {"type": "string", "default": "default.wav"},
        "reference_audio_filename": {"type": "string", "description": "A voice of the library, for voice_mode clone."},
        "speed_factor": _FIELDS["speed"],
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0, "description": "0: random."},
        "output_format": _FIELDS["format"],
        "language": {"type": "string", "default": "es"},
        "chunk_size": {"type": "integer", "minimum": 50, "maximum": 500, "default": 120},
        **{name: _FIELDS[name] for name in ("temperature", "exaggeration", "cfg_weight", "split_text", "model")},
        **_RESPONSE_OPTIONS,
    },
    "text",
)
TTS_QUERY = body(
    {
        **{name: field for name, field in TTS["properties"].items() if name not in _RESPONSE_OPTIONS},
        "seed": {"type": "integer", "maximum": 2**32 - 1, "default": 0, "description": "0 or below: random."},
    },
    "text",
)
TTS_GENERATE = body({"text": _FIELDS["text"], "voice_id": {"type": "string", "default": "default"}}, "text")
DIALOGUE = body(
    {
        **_TURNS,
        **fields("context"),
        "text": _FIELDS["text"] | {"description": "A script, in place of `turns`; its `text_format` is script."},
        **_RESPONSE_OPTIONS,
    }
)


def form(properties: Mapping[str, _Schema], *required: str) -> dict[str, Any]:
    return _route({"multipart/form-data": {"schema": _without_nulls(body(properties, *required))}})


def query(schema: _Schema) -> dict[str, Any]:
    """Keyword arguments for a route whose fields are in its address."""
    parameters = [{"name": name, "in": "query", "required": name in schema["required"], "schema": field}
                  for name, field in _without_nulls(schema)["properties"].items()]  # fmt: skip
    return {"openapi_extra": {"parameters": parameters}}


def json_body(schema: _Schema) -> dict[str, Any]:
    """Keyword arguments for a route that takes JSON and answers with JSON."""
    return _route({"application/json": {"schema": _with_nulls(schema)}})


def _with_nulls(schema: _Schema) -> _Schema:
    """The schema of an object of which any field that is not required may be null, and so in objects within it."""
    if schema.get("type") == "array":
        return schema | {"items": _with_nulls(schema["items"])}
    if "properties" not in schema:
        return schema
    required = schema.get("required", ())
    fields = {name: _with_nulls(field) for name, field in schema["properties"].items()}
    return schema | {
        "properties": {name: field if name in required else _or_null(field) for name, field in fields.items()}
    }


def _without_nulls(schema: _Schema) -> _Schema:
    """The schema of an object in a form or an address, where nothing is null."""
    fields: dict[str, _Schema] = schema["properties"]
    return schema | {
        "properties": {
            name: field | {"anyOf": [kind for kind in field["anyOf"] if kind != _NULL]} if "anyOf" in field else field
            for name, field in fields.items()
        }
    }


def _or_null(field: _Schema) -> _Schema:
    kinds = field.get("anyOf")
    if kinds is None:
        about = {name: value for name, value in field.items() if name in ("default", "description")}
        kinds = [{name: value for name, value in field.items() if name not in about}]
        return about | {"anyOf": [*kinds, _NULL]}
    return field | {"anyOf": [_with_nulls(kind) for kind in kinds if kind != _NULL] + [_NULL]}


def speech(schema: _Schema, answer: _Schema | None = None) -> dict[str, Any]:
    """Keyword arguments for a route that takes JSON and answers with audio, events, or JSON that contains audio; or
    with `answer` alone.
    """
    return json_body(schema) | answers.spoken(answer or answers.audio(events=True, json=True))


def captioned_speech() -> dict[str, Any]:
    """Keyword arguments for a route that answers with Kokoro-FastAPI's JSON."""
    answer = {"description": "The speech; with `stream` one such object per line.", "content": {
        "application/json": {"schema": _CAPTIONED_ANSWER}
    }}  # fmt: skip
    return json_body(CAPTIONED_SPEECH) | answers.spoken(answer)


def _voice_conversion() -> dict[str, Any]:
    """For a route that takes the fields of `ConvertBody` as JSON or as a form with files."""
    kinds = {"application/json": _with_nulls(CONVERSION), "multipart/form-data": _without_nulls(CONVERSION_FORM)}
    return _route({kind: {"schema": schema} for kind, schema in kinds.items()}) | answers.spoken(
        answers.audio(events=True)
    )


FILE: _Schema = {"type": "string", "format": "binary"}
TEXT: _Schema = {"type": "string"}
CONVERSION = body({
    **_properties(ConvertBody, "action", "output"),
    **{name: _FIELDS[name] for name in ("format", "sample_rate")},
    **{name: _RESPONSE_OPTIONS[name] for name in ("stream_format", "stream", "progress")},
})  # fmt: skip
CONVERSION_FORM = body({**CONVERSION["properties"], "audio": FILE, "reference_audio": FILE})


def _route(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"openapi_extra": {"requestBody": {"required": True, "content": dict(content)}}, "response_model": None}


VOICE_CONVERSION = _voice_conversion()
