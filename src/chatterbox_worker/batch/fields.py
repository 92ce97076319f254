"""A row's fields: those of one request, except those that make no sense in a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatterbox_worker.errors import InvalidRequest, unknown_field
from chatterbox_worker.request import ALIASES, SpeechBody, value_of_text

_NOT_OF_A_ROW = {
    "action": "a row is always a text to speak",
    "output": "the audio of a row is always written to its file",
}
_SCHEMA = SpeechBody.model_json_schema()["properties"] | {"candidates": {"type": "integer"}}
OF_A_ROW = ("id", "title", "reference", "candidates")
"""What a row has in addition to a request."""
KNOWN = (*OF_A_ROW, *(name for name in (*_SCHEMA, *ALIASES) if name not in (*_NOT_OF_A_ROW, *OF_A_ROW)))
"""`id` is the row's own name, `title` its chapter's; `reference` is the path of a recording of the voice."""


def refuse_unknown(names: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a name that is not a field of a row."""
    for name in names:
        if name in _NOT_OF_A_ROW:
            raise InvalidRequest(f"{name} cannot be set here: {_NOT_OF_A_ROW[name]}", field=name)
        if name not in KNOWN:
            raise unknown_field(name, sorted(KNOWN))


def parse_value(name: str, text: str) -> Any:
    """The value of a field from text: a cell of a CSV file, an argument of the command. Raises InvalidRequest."""
    return value_of_text(name, text, _SCHEMA.get(ALIASES.get(name, name), {"type": "string"}))
