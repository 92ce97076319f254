"""The web page's files, with headers that allow a browser to load nothing from anywhere else.

The document names the others under a path that contains a digest of all of them, so that a browser keeps them for a
year and asks for the document alone. Its modules are joined to one file, and its style sheets to another.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

from chatterbox_worker.server.auth import ASSETS_PATH
from chatterbox_worker.server.joined import join_modules
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
_KEPT = "public, max-age=31536000, immutable"
_ASSETS = ASSETS_PATH.removeprefix("/")
_NAMED = re.compile(r'( (?:href|src)=")([a-z][a-z/.-]*\.(?:css|js|svg)")')
"""Where the document names another file."""
_STYLES = re.compile(r' *<link rel="stylesheet" href="([^"]+)" />\n')
_UNREAD = re.compile(r"/\*.*?\*/|^\s+", re.DOTALL | re.MULTILINE)
"""Comments and indentation of style sheets."""
_SCRIPT = re.compile(r'<script type="module" src="([^"]+)">')
_STYLE, _MODULE = "css/joined.css", "joined.js"


@dataclass(frozen=True)
class _Content:
    document: str
    """It names the joined files, without the path of the assets."""
    joined: Mapping[str, tuple[str, str]]
    """Content and media type, by name."""
    digest: str


class Page(StaticFiles):
    """Gets every request that no route takes, also one with a method that its route does not have."""

    def __init__(self, routes: KnownRoutes, *, directory: Path) -> None:
        super().__init__(directory=directory, html=True)
        self._routes = routes
        content = _read(directory)
        self._joined = content.joined
        self._assets = f"{_ASSETS}{content.digest}/"
        self._headers = {**_HEADERS, "ETag": f'"{content.digest}"'}
        self._document = _NAMED.sub(rf"\1{self._assets}\2", content.document)

    async def get_response(self, path: str, scope: Scope) -> Response:
        if methods := self._routes.methods_of(scope["path"]):
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(methods))})
        if scope["method"] != "GET" or ".." in scope["path"].split("/"):  # "/x%2f../", which would be "/" here
            raise HTTPException(404)
        if path in (".", "index.html"):
            return self._send_document(Headers(scope=scope))
        if not path.startswith(_ASSETS):
            return await super().get_response(path, scope)
        name = path.split("/", 2)[-1]
        response = self._send_joined(name) if name in self._joined else await super().get_response(name, scope)
        if path.startswith(self._assets):  # a document of before an update is given what is here, but must not keep it
            response.headers["Cache-Control"] = _KEPT
        return response

    def _send_document(self, asked: Headers) -> Response:
        document = HTMLResponse(self._document, headers=self._headers)
        if not self.is_not_modified(document.headers, asked):
            return document
        unchanged = NotModifiedResponse(document.headers)  # it leaves out headers of ours
        unchanged.headers.update(self._headers)
        return unchanged

    def _send_joined(self, name: str) -> Response:
        content, mimetype = self._joined[name]
        return Response(content, media_type=mimetype, headers=dict(_HEADERS))

    def file_response(self, full_path: str | os.PathLike[str], *arguments: Any, **options: Any) -> Response:
        response = super().file_response(full_path, *arguments, **options)
        response.headers.update(_HEADERS)
        return response


@cache  # the files are the package's own
def _read(directory: Path) -> _Content:
    document = (directory / "index.html").read_text("utf-8")
    styles = "\n".join(_UNREAD.sub("", (directory / name).read_text("utf-8")) for name in _STYLES.findall(document))
    modules = "\n".join(join_modules(directory / name) for name in _SCRIPT.findall(document))
    document = _STYLES.sub("", _STYLES.sub(f'<link rel="stylesheet" href="{_STYLE}" >\n', document, count=1))
    document = _SCRIPT.sub(f'<script type="module" src="{_MODULE}">', document)
    joined = {_STYLE: (styles, "text/css"), _MODULE: (modules, "text/javascript")}
    return _Content(document, joined, _digest(directory, styles + modules))


def _digest(directory: Path, joined: str) -> str:
    content = hashlib.sha256(joined.encode())
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content.update(path.relative_to(directory).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:16]
