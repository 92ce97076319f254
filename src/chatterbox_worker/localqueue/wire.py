"""Limits and paths of the queue's HTTP API."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from chatterbox_worker.errors import InvalidRequest


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
