"""The application: its routes, its middleware, and the start and end of its backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.security import HTTPBearer
from starlette.routing import BaseRoute

from chatterbox_worker import __version__
from chatterbox_worker.config import Settings
from chatterbox_worker.server import answers, auth, documentation, failures, websocket
from chatterbox_worker.server.backend import Backend
from chatterbox_worker.server.gateway.backend import RunPodBackend
from chatterbox_worker.server.in_process import LocalBackend
from chatterbox_worker.server.limits import Admission, BodyLimit, RateLimit
from chatterbox_worker.server.metrics import Metrics, Observer
from chatterbox_worker.server.middleware import REQUEST_ID, HeadAsGet, RequestId, RootPath
from chatterbox_worker.server.page import Page
from chatterbox_worker.server.paths import KnownRoutes
from chatterbox_worker.server.routes import (
    captioned,
    conversion,
    dialogue,
    lexicon,
    openai,
    operations,
    sillytavern,
    text,
    transcode,
    tts,
    voices,
    watermark,
)
from chatterbox_worker.server.state import AppState
from chatterbox_worker.server.threads import DEFAULT_EXECUTOR_THREADS, low_priority_pool

PAGE = Path(__file__).parent / "static"
_EXPOSED = (
    "X-Chatterbox-Seed", "X-Chatterbox-Duration", "X-Chatterbox-Cache", "X-Chatterbox-Warnings", "Server-Timing",
    "Retry-After", REQUEST_ID,
)  # fmt: skip
_ROUTERS = (
    openai.router,
    captioned.router,
    tts.router,
    sillytavern.router,
    dialogue.router,
    text.router,
    lexicon.router,
    conversion.router,
    transcode.router,
    voices.router,
    watermark.router,
    operations.router,
)


def backend_of(settings: Settings, *, on_device_failed: Callable[[], None] = lambda: None) -> Backend:
    """The backend that the settings name."""
    if settings.backend == "local":
        return LocalBackend(settings, on_device_failed=on_device_failed)
    return RunPodBackend(settings)


def create_app(settings: Settings, backend: Backend | None = None) -> FastAPI:
    backend = backend or backend_of(settings)
    state = AppState(settings, backend, Admission(settings.concurrency, settings.queue_limit), Metrics())
    state.metrics.watch(inside=lambda: state.admission.inside, state=lambda: backend.condition.state)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(low_priority_pool(DEFAULT_EXECUTOR_THREADS, "help"))
        await backend.open()
        yield
        await backend.close()

    app = FastAPI(
        title="Chatterbox worker",
        version=__version__,
        description="Speech by Chatterbox, over OpenAI's routes and its own.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    app.state.state = state
    failures.handle_errors(app)
    app.router.routes.extend(_routes(has_keys=bool(settings.api_keys)))
    app.include_router(websocket.router)
    documentation.add_routes(app)
    describe = app.openapi
    app.openapi = cache(lambda: answers.complete(describe()))  # type: ignore[method-assign]  # as FastAPI shows
    app.state.routes = KnownRoutes([*app.routes, *(route for router in _ROUTERS for route in router.routes)])
    if PAGE.is_dir():
        app.mount("/", GZipMiddleware(Page(app.state.routes, directory=PAGE)), name="page")
    _add_middleware(app, settings, state.metrics)
    return app


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit)
    app.add_middleware(
        auth.AuthMiddleware,
        keys=settings.api_keys,
        page_paths=_page_paths(PAGE) | documentation.PATHS,
        origins=settings.cors_origins,
        hosts=settings.hosts,
        rate_limit=RateLimit(settings.rate_limit_per_minute),
    )
    app.add_middleware(failures.CatchBugs)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=["*"],  # clients add their own, such as x-stainless-*
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(Observer, metrics=metrics)
    app.add_middleware(RequestId)
    if settings.root_path:
        app.add_middleware(RootPath, prefix=settings.root_path)


@cache
def _routes(*, has_keys: bool) -> Sequence[BaseRoute]:
    """Those of all routers, shared by the apps of a process: FastAPI examines each route at an app's first request."""
    dependencies = [Depends(HTTPBearer(auto_error=False))] if has_keys else []  # for the description
    every = APIRouter(dependencies=dependencies)
    for router in _ROUTERS:
        every.include_router(router)
    return every.routes


def _page_paths(folder: Path) -> frozenset[str]:
    """The paths of the page's files, which a browser fetches before it has a key."""
    files = (f"/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*") if path.is_file())
    return frozenset({"/", *files}) if folder.is_dir() else frozenset()
