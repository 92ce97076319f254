"""What the value of a field must be, in words, from the JSON schema of the request."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from chatterbox_worker.errors import choices

_TYPES = {
    "string": "a string", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "an array", "object": "an object",
}  # fmt: skip
_LIMITS = {
    "string": ("minLength", "maxLength", " characters"),
    "array": ("minItems", "maxItems", " items"),
    "integer": ("minimum", "maximum", ""),
    "number": ("minimum", "maximum", ""),
}
"""Of each type: the names of its two limits in a schema, and what they count."""


def expected(shape: type[BaseModel], place: tuple[str | int, ...]) -> str:
    """The value at `place`, such as ("context", 0, "speaker"): "a whole number from 0 to 99"."""
    schema = _schema(shape)
    found = _resolve(schema, schema)
    for part in place:
        inner = found.get("items") if isinstance(part, int) else found.get("properties", {}).get(part)
        inner = inner or found.get("additionalProperties")
        if not inner:
            break  # a key that is no string, which JSON cannot have
        found = _resolve(inner, schema)
    if known := found.get("enum") or [found[key] for key in ("const",) if key in found]:
        return choices(known)
    name = found["type"]
    low_name, high_name, unit = _LIMITS.get(name, ("", "", ""))
    low, high = found.get(low_name), found.get(high_name)
    if high is None:
        limits = "" if low is None else f" of {low} or more{unit}"
    elif low is None:
        limits = f" of at most {_number(high)}{unit}"
    else:
        limits = f" {'of' if unit else 'from'} {_number(low)} to {_number(high)}{unit}"
    return _TYPES[name] + limits


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself in place of a reference to it; of several, the first that is not null."""
    if "anyOf" in schema:
        return _resolve(next(each for each in schema["anyOf"] if each.get("type") != "null"), root)
    if "$ref" in schema:
        return _resolve(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return schema


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@functools.cache
def _schema(shape: type[BaseModel]) -> dict[str, Any]:
    return shape.model_json_schema()
