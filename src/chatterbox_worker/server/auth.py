"""Access: API keys, compared in constant time, and no requests from other sites' pages.

With `CHATTERBOX_API_KEYS` every route requires a key, except the health checks and the page's own files. It is sent as
`Authorization: Bearer` or `X-API-Key`; a browser's WebSocket, which can set neither, offers the subprotocol
`chatterbox-key.<key>`. Without keys anyone who can reach the port may use it, except other sites' pages: what a browser
sends for another origin's page, and would cost something, is refused unless that origin is in
`CHATTERBOX_CORS_ORIGINS`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chatterbox_worker.errors import WorkerError
from chatterbox_worker.server import failures
from chatterbox_worker.server.limits import RateLimit
from chatterbox_worker.server.refusals import Forbidden, Unauthorised

OPEN_PATHS = ("/health", "/ping")
SUBPROTOCOL = "chatterbox"
_KEY_PROTOCOL = "chatterbox-key."
_CLOSE_CODE = 1008  # RFC 6455 section 7.4.1: policy violation
_COSTLY = ("POST", "DELETE")  # reading lists and files costs nothing


class AuthMiddleware:
    """Middleware: lets a request through, or answers it with the error."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Sequence[str],
        page_paths: Collection[str],
        origins: Sequence[str],
        rate_limit: RateLimit,
    ) -> None:
        self._app = app
        self._keys = keys
        self._open = {*OPEN_PATHS, *page_paths}
        self._origins = origins
        self._rate_limit = rate_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except WorkerError as refusal:
            if scope["type"] == "websocket":
                await receive()  # "websocket.connect"; closing before accepting answers 403
                await send({"type": "websocket.close", "code": _CLOSE_CODE, "reason": refusal.message})
            else:
                await failures.response(scope["path"], refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        method = scope.get("method", "POST")  # a WebSocket generates speech
        if scope["path"] in self._open and method in ("GET", "HEAD"):
            return
        headers = Headers(scope=scope)
        if method == "OPTIONS" and "access-control-request-method" in headers:
            return  # a preflight carries no key; the CORS middleware answers it
        caller = self._caller(scope, headers)
        if method in _COSTLY:
            if not self._keys and self._is_from_another_site(scope, headers):
                raise Forbidden("requests from other sites' pages are refused; CHATTERBOX_CORS_ORIGINS allows a site")
            self._rate_limit.take(caller)

    def _is_from_another_site(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin in self._origins:
            return False
        if scope["type"] == "websocket":  # for which browsers send no Sec-Fetch-Site
            hosts = {headers.get("host"), headers.get("x-forwarded-host")}
            return origin is not None and urlsplit(origin).netloc not in hosts
        return headers.get("sec-fetch-site") in ("cross-site", "same-site")

    def _caller(self, scope: Scope, headers: Headers) -> str:
        """The caller whose rate is limited: a key's hash, or an address; raises Unauthorised."""
        if not self._keys:
            return str((scope.get("client") or ("unknown",))[0])
        offered = _offered_key(headers)
        if offered is None:
            raise Unauthorised("an API key is required: send Authorization: Bearer <key> or X-API-Key: <key>")
        # every key is compared, also after a match, so that the time reveals nothing
        matches = [hmac.compare_digest(offered.encode(), key.encode()) for key in self._keys]
        if not any(matches):
            raise Unauthorised("unknown API key")
        return hashlib.sha256(offered.encode()).hexdigest()


def _offered_key(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if key := headers.get("x-api-key", "").strip():
        return key
    protocols = (part.strip() for part in headers.get("sec-websocket-protocol", "").split(","))
    return next((p.removeprefix(_KEY_PROTOCOL) for p in protocols if p.startswith(_KEY_PROTOCOL)), None)
