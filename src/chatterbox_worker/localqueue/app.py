"""The web application of one queue: who may call which route, and the shape of an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from chatterbox_worker.errors import WorkerError
from chatterbox_worker.localqueue.client_api import ClientApi
from chatterbox_worker.localqueue.context import Context
from chatterbox_worker.localqueue.openai_api import OpenAiApi
from chatterbox_worker.localqueue.store import JobNotFoundError
from chatterbox_worker.localqueue.worker_api import WorkerApi

ENDPOINT_ID = "local"
_PREFIX = f"/v2/{ENDPOINT_ID}"
_WORKER_ROUTES = frozenset({"job-take", "job-take-batch", "job-stop", "job-done", "job-stream", "ping"})
_READ_BYTES = 64 * 2**20  # above every limit, so that the route itself refuses

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(context: Context) -> web.Application:
    @web.middleware
    async def answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not _is_authorized(request, context):
            return web.json_response({"error": "unauthorized"}, status=401)
        try:
            return await handler(request)
        except JobNotFoundError:
            return web.json_response({"error": "job not found"}, status=404)
        except WorkerError as error:
            return web.json_response(error.answer(), status=error.status)
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": "the body is too large"}, status=400)

    app = web.Application(middlewares=[answer_errors], client_max_size=_READ_BYTES)
    for api in (ClientApi(context), OpenAiApi(context), WorkerApi(context)):
        app.add_routes(api.routes(_PREFIX))
    return app


def _is_authorized(request: web.Request, context: Context) -> bool:
    sent = request.headers.get("Authorization", "")
    segments = request.path.split("/")
    if len(segments) > 3 and segments[3] in _WORKER_ROUTES:
        return context.worker_key is None or sent == context.worker_key
    scheme, _, key = sent.partition(" ")
    return scheme.lower() == "bearer" and key.strip() == context.api_key
