"""A recording that came with the request, as bytes: base64, data URI or URL.

Bounded before anything is decoded or read. Whether the bytes are audio is for `audio.decode` to say.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
import time
from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3

from chatterbox_worker.errors import InvalidRequest, quote

MAX_BYTES = 25_000_000  # the documented limit of an upload
MAX_DURATION_S = 300.0  # likewise; the models use at most the first 15 s
_TIMEOUT_S = 20.0  # for the whole download
_REDIRECTS = 5
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits
_REDIRECT_STATUSES = (301, 302, 303, 307, 308)


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
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{field} is not base64: {quote(body)}", field=field) from None
    if not data:
        raise InvalidRequest(f"{field} is empty", field=field)
    return data


def fetch(url: str, *, field: str = "voice_url", allow_private: bool = False) -> bytes:
    """The bytes behind an http(s) URL, fetched so that a caller cannot reach what only this machine can.

    Every address a name resolves to must be public and the connection goes to the address that was checked (no second
    look-up to rebind); each redirect is checked anew; size and time are bounded; no credentials, no proxy.

    Raises:
        InvalidRequest: the URL, its address or its answer is not acceptable; `field` names it.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    for _ in range(_REDIRECTS + 1):
        response = _open(_checked(url, field), field=field, allow_private=allow_private, deadline=deadline)
        try:
            if response.status in _REDIRECT_STATUSES and (location := response.headers.get("Location")):
                url = urljoin(url, location)
                continue
            if response.status != 200:
                raise InvalidRequest(f"{field} answered {response.status}", field=field)
            return b"".join(_capped(response, field, deadline))
        except urllib3.exceptions.HTTPError as error:
            raise InvalidRequest(f"{field} broke off: {type(error).__name__}", field=field) from None
        finally:
            response.release_conn()
            response.close()
    raise InvalidRequest(f"{field} redirects more than {_REDIRECTS} times", field=field)


def _checked(url: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for a port that is none
    except ValueError:
        raise InvalidRequest(f"{field} is not a URL: {quote(url)}", field=field) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidRequest(f"{field} must be an http or https URL, not {quote(url)}", field=field)
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(f"{field} must not carry a user name or password", field=field)
    return parts


def _address(host: str, port: int, *, field: str, allow_private: bool) -> str:
    """One address of `host`, after checking that all of them may be reached."""
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise InvalidRequest(f"{field}: {quote(host)} cannot be resolved", field=field) from None
    for address in found:
        if not allow_private and not _is_public(address):
            raise InvalidRequest(f"{field}: {quote(host)} is not a public address", field=field)
    return found[0]


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        ip = inner or ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _open(parts: SplitResult, *, field: str, allow_private: bool, deadline: float) -> urllib3.BaseHTTPResponse:
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = _address(host, port, field=field, allow_private=allow_private)
    timeout = urllib3.Timeout(total=max(0.1, deadline - time.monotonic()))
    pool = (
        urllib3.HTTPSConnectionPool(address, port, timeout=timeout, assert_hostname=host, server_hostname=host)
        if secure
        else urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    )
    target = urllib3.util.Url(path=parts.path or "/", query=parts.query or None).request_uri
    headers = {"Host": parts.netloc, "Accept": "audio/*, */*;q=0.5", "Accept-Encoding": "identity"}
    try:
        return pool.urlopen(
            "GET", target, headers=headers, retries=False, redirect=False, preload_content=False, decode_content=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise InvalidRequest(f"{field} cannot be reached: {type(error).__name__}", field=field) from None


def _capped(response: urllib3.BaseHTTPResponse, field: str, deadline: float) -> Iterator[bytes]:
    size = 0
    while piece := response.read1(65_536) if hasattr(response, "read1") else response.read(65_536):
        size += len(piece)
        if size > MAX_BYTES:
            raise InvalidRequest(f"{field} holds more than {MAX_BYTES} bytes", field=field)
        if time.monotonic() > deadline:
            raise InvalidRequest(f"{field} took longer than {_TIMEOUT_S:.0f} s", field=field)
        yield piece
