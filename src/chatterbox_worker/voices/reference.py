"""A recording that came with the request, as bytes: base64, data URI or URL.

Bounded before anything is decoded or read. Whether the bytes are audio is decided by `audio.decode`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from chatterbox_worker import net
from chatterbox_worker.errors import InvalidRequest, quote
from chatterbox_worker.request import MOST_REFERENCE_BYTES

if TYPE_CHECKING:
    import httpx

MAX_BYTES = MOST_REFERENCE_BYTES
MAX_DURATION_S = 300.0  # also documented; the models use at most the first 15 s
MIN_DURATION_S = 0.5  # below it the spectrograms of every model have too few frames
_TIMEOUT_S = 20.0  # for the whole download
_REDIRECTS = 5
_HEADERS = {"Accept": "audio/*, */*;q=0.5", "Accept-Encoding": "identity"}


def from_base64(text: str, *, field: str) -> bytes:
    """The bytes of a base64 string or a `data:` URI.

    Raises:
        InvalidRequest: not base64, empty, or longer than `MAX_BYTES`.
    """
    head, comma, body = text.partition(",") if text.startswith("data:") else ("", "", text)
    if head and not (comma and head.endswith(";base64")):
        raise InvalidRequest(f"{field} is a data URI without base64: {quote(head)}", field=field)
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise InvalidRequest(f"{field} holds more than {MAX_BYTES} bytes", field=field)
    try:
        data = _decode("".join(body.split()))
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{field} is not base64: {quote(body)}", field=field) from None
    if not data:
        raise InvalidRequest(f"{field} is empty", field=field)
    return data


def _decode(text: str) -> bytes:
    """Either alphabet of RFC 4648, padded or not. Raises ValueError."""
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def fetch(url: str, *, field: str = "voice_url", allow_private: bool = False, most_bytes: int = MAX_BYTES) -> bytes:
    """The bytes behind an http(s) URL, fetched so that a caller cannot reach what only this machine can.

    Each connection, also that of a redirect, goes to a public address of its host (`net`); size and time are bounded;
    no credentials, no proxy.

    Raises:
        InvalidRequest: the URL, its address or its answer is not acceptable; `field` names it.
    """
    import httpx  # noqa: PLC0415 - a worker starts without it

    from chatterbox_worker.net.client import open_client  # noqa: PLC0415

    deadline = time.monotonic() + _TIMEOUT_S
    with open_client(allow_private=allow_private, within_s=_TIMEOUT_S) as client:
        for _ in range(_REDIRECTS + 1):
            _check(url, field)
            with contextlib.closing(_open(client, url, field, deadline)) as response:
                if response.has_redirect_location:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code != 200:
                    raise InvalidRequest(f"{field} answered {response.status_code}", field=field)
                try:
                    return b"".join(_capped(response, field, deadline, most_bytes))
                except httpx.HTTPError as error:
                    raise _failure(error, "broke off", field, deadline) from None
    raise InvalidRequest(f"{field} redirects more than {_REDIRECTS} times", field=field)


def _check(url: str, field: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises if it is not a port
    except ValueError:
        raise InvalidRequest(f"{field} is not a URL: {quote(url)}", field=field) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidRequest(f"{field} must be an http or https URL, not {quote(url)}", field=field)
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(f"{field} must not carry a user name or password", field=field)


def _open(client: httpx.Client, url: str, field: str, deadline: float) -> httpx.Response:
    """The response, whose body is still to be read."""
    import httpx  # noqa: PLC0415

    try:
        return client.send(client.build_request("GET", url, headers=_HEADERS), stream=True)
    except (httpx.InvalidURL, UnicodeError):  # UnicodeError: idna's, of the host "xn--"
        raise InvalidRequest(f"{field} is not a URL: {quote(url)}", field=field) from None
    except net.AddressError as error:
        raise InvalidRequest(f"{field}: {quote(error.host)} {error}", field=field) from None
    except httpx.HTTPError as error:
        raise _failure(error, "cannot be reached", field, deadline) from None


def _failure(error: httpx.HTTPError, what: str, field: str, deadline: float) -> InvalidRequest:
    if time.monotonic() >= deadline:
        return _too_slow(field)
    return InvalidRequest(f"{field} {what}: {type(error).__name__}", field=field)


def _too_slow(field: str) -> InvalidRequest:
    return InvalidRequest(f"{field} took longer than {_TIMEOUT_S:.0f} s", field=field)


def _capped(response: httpx.Response, field: str, deadline: float, most_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in response.iter_raw():
        size += len(piece)
        if size > most_bytes:
            raise InvalidRequest(f"{field} holds more than {most_bytes} bytes", field=field)
        yield piece
    if time.monotonic() >= deadline:  # what was broken off looks complete if no length was declared
        raise _too_slow(field)
