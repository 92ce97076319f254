"""Parses bytes strictly: a lenient parser would accept what gets lost on the platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from chatterbox_worker.errors import InvalidRequest


def parse_json(body: bytes) -> Any:
    """Raises InvalidRequest for what is not JSON, NaN and Infinity included."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are both ValueErrors
        raise InvalidRequest(f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def check_size(body: bytes, limit_bytes: int, what: str) -> None:
    """Raises InvalidRequest."""
    if len(body) > limit_bytes:
        raise InvalidRequest(f"{what} has {len(body)} bytes; the limit is {limit_bytes}")


def worker_and_query(last_segment: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The worker's id and the query of a job-take.

    The SDK appends "&job_in_progress=0" to its URL. If that has no "?", the query is part of the path.
    """
    worker_id, _, appended = last_segment.partition("&")
    return worker_id, dict(parse_qsl(appended)) | dict(query)
