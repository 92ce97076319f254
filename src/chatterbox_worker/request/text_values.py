"""A field's value from text, by its JSON schema: for a form, a cell of a table or an argument of a command. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.strict_json import RepeatedName, loads

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_SWITCHES = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def value_of_text(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """
    Raises:
        InvalidRequest: the text is no value of any type that the schema allows.
    """
    kinds = list(_types(schema))
    if "string" in kinds:
        return text
    for kind in kinds:
        try:
            return _PARSERS[kind][0](text.strip())
        except RepeatedName as error:
            raise InvalidRequest(f"{name}: {error}", field=name) from None
        except (ValueError, KeyError, RecursionError):
            continue
    wanted = " or ".join(_PARSERS[kind][1] for kind in kinds)
    raise InvalidRequest(f"{name} must be {wanted}, not {quote(text)}", field=name)


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    for part in schema.get("anyOf", [schema]):
        kind = part.get("type", "object")  # a reference is to a model
        if kind != "null":
            yield kind


def _parse_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError(text)
    return int(text)


def _parse_json(kind: type) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = loads(text)
        if not isinstance(value, kind):
            raise ValueError(text)  # noqa: TRY004 - as JSON that cannot be read
        return value

    return parse


_PARSERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "integer": (_parse_integer, "a whole number"),
    "number": (float, "a number"),
    "boolean": (lambda text: _SWITCHES[text.lower()], "true or false"),
    "object": (_parse_json(dict), "a JSON object"),
    "array": (_parse_json(list), "a JSON array"),
}
