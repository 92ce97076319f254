"""An HTTP client whose connections go to public addresses only."""

from __future__ import annotations

import contextlib

import httpx

from chatterbox_worker.net import resolve_public


class PublicTransport(httpx.BaseTransport):
    """Sends each request to a public address of its host, without a proxy.

    `handle_request` raises AddressError, in addition to httpx's errors, and then nothing was sent.
    """

    def __init__(self) -> None:
        # A connection is used once: the pool knows it by its address, which two hosts may share without sharing a
        # certificate.
        self._transport = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii")
        *others, last = resolve_public(host, request.url.port or (443 if request.url.scheme == "https" else 80))
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


def open_client(*, allow_private: bool) -> httpx.Client:
    """For addresses that a caller names: without redirects, proxies or credentials. Errors: see `PublicTransport`.

    `allow_private` is the operator's `CHATTERBOX_ALLOW_PRIVATE_URLS`.
    """
    return httpx.Client(transport=httpx.HTTPTransport() if allow_private else PublicTransport())
