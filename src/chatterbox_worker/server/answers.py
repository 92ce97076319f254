"""What the routes answer, as OpenAPI shows it: each route states its own answers, and `complete` adds the refusals that
all have, with the shape of the route's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response

from chatterbox_worker.catalogue import FORMATS
from chatterbox_worker.server import auth, middleware

_Json = dict[str, Any]
Responses = dict[int | str, _Json]

_BYTES: _Json = {"schema": {"type": "string", "format": "binary"}}
_OBJECT: _Json = {"schema": {"type": "object"}}
_VALIDATION = "HTTPValidationError"  # FastAPI's, for parameters that it parses itself: no route has one that can fail
_HEADERS: Mapping[str, _Json] = {
    "X-Chatterbox-Seed": {"schema": {"type": "string"}, "description": "The seed that was used."},
    "X-Chatterbox-Duration": {"schema": {"type": "string"}, "description": "Seconds."},
    "X-Chatterbox-Cache": {"schema": {"type": "string", "enum": ["hit", "miss"]}},
    "X-Chatterbox-Warnings": {"schema": {"type": "string"}, "description": "A JSON array of sentences."},
    "Server-Timing": {"schema": {"type": "string"}},
}
"""Of an answer that is sent whole."""
_REQUEST_ID: _Json = {middleware.REQUEST_ID: {"schema": {"type": "string"}, "description": "The caller's own, or new."}}


def _string(description: str) -> _Json:
    return {"type": "string", "description": description}


_ERROR: _Json = {
    "type": "object",
    "properties": {
        "error": _string("A sentence."),
        "code": _string("For programs, such as invalid_request."),
        "field": _string("The field that is the cause, if it is one."),
    },
    "required": ["error", "code"],
    "additionalProperties": False,
}
_SCHEMAS: Mapping[str, _Json] = {
    "Error": _ERROR,
    "TtsGenerateError": _ERROR | {
        "properties": _ERROR["properties"] | {"detail": _string("The same sentence.")},
        "required": ["detail", "error", "code"],
    },
    "OpenAIError": {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": _string("A sentence."),
                    "type": {"enum": ["invalid_request_error", "rate_limit_error", "server_error"]},
                    "param": {"type": ["string", "null"], "description": "The field that is the cause."},
                    "code": _string("For programs, such as invalid_request."),
                },
                "required": ["message", "type", "param", "code"],
                "additionalProperties": False,
            }
        },
        "required": ["error"],
        "additionalProperties": False,
    },
}  # fmt: skip


def audio(*formats: str, events: bool = False, json: bool = False) -> _Json:
    """An answer that is a file in one of these formats, or of all; server-sent events; or an object."""
    content = {FORMATS[name].mimetype: _BYTES for name in formats or FORMATS}
    content |= {"text/event-stream": {"schema": {"type": "string"}}} if events else {}
    content |= {"application/json": _OBJECT} if json else {}
    return {"description": "The speech.", "content": content, "headers": dict(_HEADERS)}


def spoken(answer: _Json) -> dict[str, Any]:
    """Keyword arguments for a route that answers with speech."""
    no_sound = {"description": "The model generated no sound for this text."}
    return instead_of_json({200: answer, **NO_SUCH_VOICE, 422: no_sound})


def instead_of_json(responses: Responses) -> dict[str, Any]:
    """Keyword arguments for a route whose answers are not all JSON."""
    return {"responses": responses, "response_class": Response}


def file(description: str, mimetype: str) -> _Json:
    return {"description": description, "content": {mimetype: _BYTES}}


NO_SUCH_VOICE: Responses = {404: {"description": "No such voice."}}


_KEY_HEADER: Mapping[str, _Json] = {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}


def _has_input(_path: str, _method: str, operation: _Json) -> bool:
    return "requestBody" in operation or bool(operation.get("parameters"))


def _has_body(_path: str, _method: str, operation: _Json) -> bool:
    return "requestBody" in operation


def _is_not_open(path: str, _method: str, _operation: _Json) -> bool:
    return path not in auth.OPEN_PATHS


def _needs_key(path: str, method: str, operation: _Json) -> bool:
    return "security" in operation and _is_not_open(path, method, operation)


def _is_costly(path: str, method: str, _operation: _Json) -> bool:
    return auth.is_costly(method.upper(), path)


_REFUSALS: tuple[tuple[str, str, Callable[[str, str, _Json], bool]], ...] = (
    ("400", "A field cannot be used; the answer names it.", _has_input),
    ("401", "No key, or an unknown one.", _needs_key),
    ("403", "A page of another site, or a name of the server that it does not answer to.", _is_not_open),
    ("408", "The body did not arrive in time.", _has_body),
    ("413", "The body is too large.", _has_body),
    ("415", "The wrong Content-Type, or a body with a Content-Encoding.", _has_body),
    ("429", "The queue is full or the rate limit is exceeded.", _is_costly),
    ("503", "The models are not ready.", _is_costly),
    ("default", "Another error, such as 500 of the engine or 507 of the volume.", _is_not_open),
)


def complete(document: _Json) -> _Json:
    """The description with what every operation may be refused with."""
    components = document.setdefault("components", {})
    if schemes := components.get("securitySchemes"):
        schemes.update(_KEY_HEADER)
    schemas = components.setdefault("schemas", {})
    for name in (_VALIDATION, "ValidationError"):
        schemas.pop(name, None)
    schemas.update(_SCHEMAS)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in auth.OPEN_PATHS:
                operation.pop("security", None)
            responses: dict[str, _Json] = operation["responses"]
            if _VALIDATION in str(responses.get("422")):
                del responses["422"]
            for status, description, applies in _REFUSALS:
                if applies(path, method, operation):
                    responses.setdefault(status, {"description": description})
            operation["responses"] = {status: _whole(path, status, found) for status, found in responses.items()}
            if "security" in operation:
                operation["security"] += [{name: []} for name in _KEY_HEADER]
    return document


def _whole(path: str, status: str, response: _Json) -> _Json:
    """The response with the headers that all have, and of an error with its shape."""
    headers = response.get("headers", {}) | _REQUEST_ID
    if status == "429":
        headers |= {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait."}}
    if status == "401":
        headers |= {"WWW-Authenticate": {"schema": {"type": "string"}}}
    is_error = status == "default" or status >= "400"
    shown = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_shape(path)}"}}} if is_error else {}
    content = response.get("content", shown)
    return response | {"headers": headers} | ({"content": content} if content else {})


def _shape(path: str) -> str:
    if path.startswith("/v1/"):
        return "OpenAIError"
    return "TtsGenerateError" if path == "/tts/generate" else "Error"
