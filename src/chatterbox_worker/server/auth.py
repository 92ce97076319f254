"""Access: API keys, compared in constant time, and no requests from other sites' pages.

With `CHATTERBOX_API_KEYS` every route requires a key, except the health checks, the documentation and the page's own
files. It is sent as `Authorization: Bearer` or `X-API-Key`; a browser's WebSocket, which can set neither, offers the
subprotocol `chatterbox-key.<key>`. Without keys anyone who can reach the port may use it, except other sites' pages:

- What a browser sends for another origin's page, and would cost something, is refused unless that origin is in
  `CHATTERBOX_CORS_ORIGINS`. A browser says so in `Sec-Fetch-Site`, but not to a server that it reaches by http on a
  LAN, nor on a WebSocket; then `Origin` is compared with `Host`.
- A page whose own name was made to lead here (DNS rebinding) has the same origin. So a `Host` is answered only if
  no stranger can own it: an address, a name without a dot, one of the private domains, or one in `CHATTERBOX_HOSTS`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Sequence
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from chatterbox_worker.errors import WorkerError, quote
from chatterbox_worker.server import failures
from chatterbox_worker.server.limits import RateLimit
from chatterbox_worker.server.middleware import HttpMiddleware
from chatterbox_worker.server.refusals import Forbidden, Unauthorised

OPEN_PATHS = ("/health", "/ping")
ASSETS_PATH = "/assets/"  # of the page's own files, whatever digest the document names them under
SUBPROTOCOL = "chatterbox"
_KEY_PROTOCOL = "chatterbox-key."
_COSTLY = ("POST", "PUT", "DELETE")  # reading lists and files costs nothing
_COSTLY_PATHS = ("/tts-stream",)  # except this, which an audio element reads
# Names that public DNS does not have (RFC 6761, 6762, 8375; .internal by ICANN in 2024; .lan, which routers use and
# which cannot be registered), and RunPod's, whose DNS only RunPod can change.
_PRIVATE_DOMAINS = (
    ".localhost", ".local", ".internal", ".home.arpa", ".lan", ".proxy.runpod.net", ".api.runpod.ai",
)  # fmt: skip


def is_costly(method: str, path: str) -> bool:
    """Whether such a request generates speech or changes something, so that its rate is limited."""
    return method in _COSTLY or path in _COSTLY_PATHS


class AuthMiddleware(HttpMiddleware):
    """Middleware: lets a request through, or answers it with the error."""

    _TYPES = ("http", "websocket")

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Sequence[str],
        page_paths: Collection[str],
        origins: Sequence[str],
        hosts: Sequence[str],
        rate_limit: RateLimit,
    ) -> None:
        super().__init__(app)
        self._keys = keys
        self._open = {*OPEN_PATHS, *page_paths}
        self._origins = origins
        self._hosts = hosts
        self._rate_limit = rate_limit

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(scope)
        except WorkerError as refusal:
            await failures.response(scope["path"], refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        method = scope.get("method", "POST")  # a WebSocket generates speech
        path, headers = scope["path"], Headers(scope=scope)
        is_read = method in ("GET", "HEAD")
        if is_read and path in OPEN_PATHS:
            return  # for probes, whatever name they use
        self._check_host(headers)
        if is_read and (path in self._open or path.startswith(ASSETS_PATH)):
            return
        caller = self._caller(scope, headers)
        if is_costly(method, path):
            if not self._keys and self._is_from_another_site(scope, headers):
                raise Forbidden("requests from other sites' pages are refused; CHATTERBOX_CORS_ORIGINS allows a site")
            self._rate_limit.take(caller)

    def _check_host(self, headers: Headers) -> None:
        """
        Raises:
            Forbidden: this server does not answer to that name.
        """
        host = _host_name(headers.get("host", ""))
        if self._hosts or not self._keys:
            if "*" in self._hosts or host in self._hosts or _is_private(host):
                return
            raise Forbidden(f"this server does not answer to the host {quote(host)}; CHATTERBOX_HOSTS allows a name")

    def _is_from_another_site(self, scope: Scope, headers: Headers) -> bool:
        origin = headers.get("origin") or _origin_of(headers.get("referer", ""))
        if "*" in self._origins or origin in self._origins:
            return False
        if (site := headers.get("sec-fetch-site")) is not None and scope["type"] == "http":
            return site in ("cross-site", "same-site")
        hosts = {headers.get("host"), headers.get("x-forwarded-host")}
        return origin is not None and _parts_of(origin).netloc not in hosts

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


def _host_name(host: str) -> str:
    """Without the port and the final dot: "tts.example.org:8004" → "tts.example.org", "[::1]:8004" → "::1"."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")


def _is_private(host: str) -> bool:
    """Whether no stranger on the internet can make the name lead here. A client that sends none is no browser."""
    if "." not in host or host.endswith(_PRIVATE_DOMAINS):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _origin_of(referer: str) -> str | None:
    parts = _parts_of(referer)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def _parts_of(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # "http://[::1": of no host that this server has
        return SplitResult("", url, "", "", "")


def _offered_key(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if key := headers.get("x-api-key", "").strip():
        return key
    protocols = (part.strip() for part in headers.get("sec-websocket-protocol", "").split(","))
    return next((p.removeprefix(_KEY_PROTOCOL) for p in protocols if p.startswith(_KEY_PROTOCOL)), None)
