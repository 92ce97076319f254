"""Requests to a server of a test, without the five seconds that httpx2 waits for an answer.

A server that does not answer is a failure, and only then anything waits so long: on a busy machine answers take longer.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx2

_MOST_S = 120.0

get = partial(httpx2.get, timeout=_MOST_S)
post = partial(httpx2.post, timeout=_MOST_S)
delete = partial(httpx2.delete, timeout=_MOST_S)
stream = partial(httpx2.stream, timeout=_MOST_S)


@contextmanager
def left_post(url: str, body: Any) -> Iterator[None]:
    """A POST whose client hangs up at the end, without having read an answer."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=_MOST_S)
    connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
    try:
        yield
    finally:
        connection.close()


def broken_off_post(url: str, body: Any) -> str:
    """What arrived of an answer whose connection was broken off, which it must have been."""
    text = ""
    with stream("POST", url, json=body) as answer:
        try:
            for part in answer.iter_text():
                text += part
        except httpx2.RemoteProtocolError:
            return text
    raise AssertionError(f"the answer looks complete: {text}")
