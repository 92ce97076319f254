"""An HTTP client whose connections go to public addresses only."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from chatterbox_worker.net import resolve_public


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients: to read the certificates of the authorities takes tens of milliseconds."""
    return httpx.create_ssl_context()


class PublicTransport(httpx.BaseTransport):
    """Sends each request to a public address of its host, without a proxy.

    `handle_request` raises AddressError, in addition to httpx's errors, and then nothing was sent.
    """

    def __init__(self) -> None:
        # A connection is used once: the pool knows it by its address, which two hosts may share without sharing a
        # certificate.
        self._transport = httpx.HTTPTransport(verify=_tls(), limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        *others, last = resolve_public(host)
        for address in others:
            with contextlib.suppress(httpx.ConnectError):
                return self._send(request, host, address)
        return self._send(request, host, last)

    def close(self) -> None:
        self._transport.close()

    def _send(self, request: httpx.Request, host: str, address: str) -> httpx.Response:
        """`request`, its Host header as it is, at `address`; TLS asks for the certificate of `host`."""
        return self._transport.handle_request(
            httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host.rstrip(".")},
            )
        )


class _Deadline(httpx.BaseTransport):
    """Ends its connections when the time is up, whatever they are waiting for: httpx's own timeouts are for each read,
    and a server that sends a byte now and then never reaches them.
    """

    def __init__(self, transport: httpx.BaseTransport, within_s: float) -> None:
        self._transport = transport
        self._ends_s = time.monotonic() + within_s
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] | None = []
        """None when the time is up."""
        self._timer = threading.Timer(within_s, self._end)
        self._timer.daemon = True
        self._timer.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        left_s = max(0.001, self._ends_s - time.monotonic())
        given = request.extensions.get("timeout", {})
        timeout = {each: min(left_s, given.get(each) or left_s) for each in ("connect", "read", "write", "pool")}
        request.extensions = {**request.extensions, "timeout": timeout, "trace": self._trace}
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._timer.cancel()
        self._transport.close()

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore with each step of a request."""
        if event != "connection.connect_tcp.complete":
            return
        with self._lock:
            opened = info["return_value"].get_extra_info("socket")
            if self._sockets is None:
                opened.close()
            else:
                self._sockets.append(opened)

    def _end(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets or [], None
        for opened in sockets:
            with contextlib.suppress(OSError):  # it may have been closed
                opened.shutdown(socket.SHUT_RDWR)


def open_client(*, allow_private: bool, within_s: float | None = None) -> httpx.Client:
    """For addresses that a caller names: without redirects, proxies or credentials. Errors: see `PublicTransport`.

    Args:
        allow_private: the operator's `CHATTERBOX_ALLOW_PRIVATE_URLS`.
        within_s: seconds for all of its requests together, from now to the last byte; what is still open then breaks
            off; None for httpx's timeouts alone. Look-ups of names have the system's own limit.
    """
    transport = httpx.HTTPTransport(verify=_tls()) if allow_private else PublicTransport()
    if within_s is None:
        return httpx.Client(transport=transport)
    return httpx.Client(transport=_Deadline(transport, within_s), timeout=None)  # noqa: S113 - the deadline is one
