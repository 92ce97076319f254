"""The web page's files, with headers that allow a browser to load nothing from anywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Scope

from chatterbox_worker.server.paths import KnownRoutes

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # checked each time and answered 304, so that a new version shows at once
}


class Page(StaticFiles):
    """Gets every request that no route takes, also one with a method that its route does not have."""

    def __init__(self, routes: KnownRoutes, **options: Any) -> None:
        super().__init__(**options)
        self._routes = routes

    async def get_response(self, path: str, scope: Scope) -> Response:
        if methods := self._routes.methods_of(scope["path"]):
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
        if scope["method"] != "GET":
            raise HTTPException(404)
        return await super().get_response(path, scope)

    def file_response(self, full_path: str | os.PathLike[str], *arguments: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *arguments, **options)
        response.headers.update(_HEADERS)
        return response
