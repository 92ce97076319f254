"""A row's fields: those of one request, except those that make no sense in a file. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.request import ALIASES, SpeechBody

_NOT_OF_A_ROW = {
    "action": "a row is always a text to speak",
    "output": "the audio of a row is always written to its file",
}
_SCHEMA = SpeechBody.model_json_schema()["properties"]
KNOWN = ("id", "reference", *(name for name in (*_SCHEMA, *ALIASES) if name not in _NOT_OF_A_ROW))
"""`id` is the row's own name; `reference` the path of a recording of the voice."""


def refuse_unknown(names: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a name that is not a field of a row."""
    for name in names:
        if name in _NOT_OF_A_ROW:
            raise InvalidRequest(f"{name} cannot be set here: {_NOT_OF_A_ROW[name]}", field=name)
        if name not in KNOWN:
            raise InvalidRequest(f"unknown field {quote(name)}; known fields are {choices(sorted(KNOWN))}", field=name)


def parse_value(name: str, text: str) -> Any:
    """The value of a field from text: a cell of a CSV file, an argument of the command. Raises InvalidRequest."""
    shape = _SCHEMA.get(ALIASES.get(name, name), {"type": "string"})
    kind = next((one["type"] for one in shape.get("anyOf", ()) if one["type"] != "null"), shape.get("type"))
    convert, wanted = _CONVERSIONS.get(kind, (str, ""))
    try:
        return convert(text.strip() if wanted else text)
    except (ValueError, KeyError, AttributeError):
        raise InvalidRequest(f"{name} must be {wanted}, not {quote(text)}", field=name) from None


def _parse_object(text: str) -> dict[str, Any]:
    return dict(json.loads(text).items())


_SWITCH = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_CONVERSIONS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "integer": (int, "a whole number"),
    "number": (float, "a number"),
    "object": (_parse_object, 'a JSON object such as {"sentence": 0.6}'),
    "boolean": (lambda text: _SWITCH[text.lower()], "true or false"),
}
