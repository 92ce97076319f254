"""JSON from a caller, parsed strictly: what a lenient parser accepts is lost or refused later on the platform."""

from __future__ import annotations

import json
from typing import Any

from chatterbox_worker.errors import InvalidRequest, quote


class RepeatedName(ValueError):
    """One of the two values would be lost, and which one differs between parsers."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{quote(name)} appears twice in one object")
        self.name = name


def parse_json(body: bytes | str) -> Any:
    """Raises InvalidRequest for what is not JSON; NaN, Infinity and unlimited nesting are not."""
    try:
        return loads(body)
    except RepeatedName as error:
        raise InvalidRequest(str(error), field=error.name) from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InvalidRequest(f"the body is not JSON: {quote(str(error))}") from None


def loads(text: bytes | str) -> Any:
    """Raises ValueError for what is not JSON, and RecursionError."""
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_with_each_name_once)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _with_each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedName(name)
        found[name] = value
    return found
