"""Small middleware: a proxy's path prefix, an id for each request, and HEAD wherever there is GET."""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from typing import ClassVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "X-Request-Id"
_IS_HEAD = "is_head"
_KEPT_ID = re.compile(r"[\x21-\x7e]{1,128}")  # of a caller: visible ASCII, short enough for a line of the log


class HttpMiddleware(ABC):
    """Base of middleware: `_handle` gets the connections of the types that it wants, the others go on unchanged."""

    _TYPES: ClassVar[tuple[str, ...]] = ("http",)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._handle if scope["type"] in self._TYPES else self._app
        await call(scope, receive, send)

    @abstractmethod
    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class RootPath(HttpMiddleware):
    """Removes the prefix under which a proxy shows this server, if the proxy has not done so.

    `root_path` stays empty: with one, the router would remove the prefix a second time, after the keys were checked.
    """

    _TYPES = ("http", "websocket")

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        super().__init__(app)
        self._prefix = prefix

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == self._prefix or path.startswith(f"{self._prefix}/"):
            scope = {**scope, "path": path.removeprefix(self._prefix) or "/"}
        await self._app(scope, receive, send)


def new_request_id() -> str:
    return uuid.uuid4().hex


class RequestId(HttpMiddleware):
    """Answers with the caller's `X-Request-Id`, or with a new one; the log has it too (`failures`)."""

    _TYPES = ("http", "websocket")
    _STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _KEPT_ID.fullmatch(given) else new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in self._STARTS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)


def is_head(http: Request) -> bool:
    """Whether the route's answer goes without its body, so that what is costly may be left out."""
    return bool(http.scope.get("state", {}).get(_IS_HEAD))


class HeadAsGet(HttpMiddleware):
    """Answers HEAD as GET without the body."""

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        scope.setdefault("state", {})[_IS_HEAD] = True
        await self._app({**scope, "method": "GET"}, receive, send_without_body)
