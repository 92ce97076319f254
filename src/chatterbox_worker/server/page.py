"""The web page's files, with headers that allow a browser to load nothing from anywhere else."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import Scope

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
    """Gets every request that no route takes, also a GET of a route that takes only POST."""

    def __init__(self, *, post_only: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self._post_only = post_only

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"] in self._post_only:
            raise HTTPException(405, headers={"Allow": "POST"})
        return await super().get_response(path, scope)

    def file_response(self, full_path: str | os.PathLike[str], *arguments: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *arguments, **options)
        response.headers.update(_HEADERS)
        return response
