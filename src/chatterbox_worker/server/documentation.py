"""`/docs`: Swagger UI, whose files come from the package fastapi-swagger and not from another server."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

_FOLDER = "/docs/swagger"
_SCRIPT, _STYLE, _ICON = (
    f"{_FOLDER}/{name}" for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
)
PATHS = frozenset({"/docs", "/openapi.json", _SCRIPT, _STYLE, _ICON})
"""What a browser reads before it has a key: they describe every server of this version alike."""


def add_routes(app: FastAPI) -> None:
    """Adds the page and its files; its addresses are relative, so that they hold behind a proxy's prefix."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=_SCRIPT.removeprefix("/"),
        swagger_css_url=_STYLE.removeprefix("/"),
        swagger_favicon_url=_ICON.removeprefix("/"),
        swagger_ui_parameters={"persistAuthorization": True},
    )

    page.headers["Content-Security-Policy"] = "frame-ancestors 'self'"  # it can send requests: none by another's frame

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page

    app.mount(_FOLDER, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="swagger")
