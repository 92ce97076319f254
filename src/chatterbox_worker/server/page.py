"""The web page's files, and what a browser may do with them: nothing that did not come from here."""

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
    "Cache-Control": "no-cache",  # asked again each time, answered 304: a new version is seen at once
}


class Page(StaticFiles):
    """Stands behind all routes, so that what none of them takes ends here: also a GET of what wants a POST."""

    def __init__(self, *, posted: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self._posted = posted

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"] in self._posted:
            raise HTTPException(405, headers={"Allow": "POST"})
        return await super().get_response(path, scope)

    def file_response(self, full_path: str | os.PathLike[str], *arguments: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *arguments, **options)
        response.headers.update(_HEADERS)
        return response
