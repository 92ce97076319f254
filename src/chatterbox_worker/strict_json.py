"""JSON from a caller, parsed strictly: what a lenient parser accepts is lost or refused later on the platform."""

from __future__ import annotations

import json
from typing import Any

from chatterbox_worker.errors import InvalidRequest, quote


def parse_json(body: bytes | str) -> Any:
    """Raises InvalidRequest for what is not JSON; NaN, Infinity and unlimited nesting are not."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InvalidRequest(f"the body is not JSON: {quote(str(error))}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")
