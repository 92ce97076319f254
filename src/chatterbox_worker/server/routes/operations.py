"""The server's state; answered from memory, whatever the models are doing."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from chatterbox_worker import __version__
from chatterbox_worker.server import answers, metrics
from chatterbox_worker.server.state import State

router = APIRouter(tags=["operations"])

_VERSION = __version__
_PING = {"starting": 204, "failed": 503}  # RunPod's load balancer: 204 is still starting, 200 is ready


_FAILED = {"description": "The models could not be loaded, or their device failed."}


@router.get("/health", responses={503: _FAILED | {"content": {"application/json": {"schema": {"type": "object"}}}}})
async def health(state: State) -> JSONResponse:
    condition = state.backend.condition
    body: dict[str, Any] = {
        "status": "ok" if condition.state == "ready" else condition.state,
        "version": _VERSION,
        "backend": state.settings.backend,
        "models": list(state.settings.models),
        "requests": {"inside": state.admission.inside, "places": state.admission.places},
        "uptime_s": round(time.monotonic() - state.started_s, 1),
    }
    if condition.reason:
        body["reason"] = condition.reason
    return JSONResponse(body, 503 if condition.state == "failed" else 200)


@router.get(
    "/ping",
    **answers.instead_of_json(
        {200: {"description": "Ready."}, 204: {"description": "Not yet ready."}, 503: _FAILED | {"content": {}}}
    ),
)
async def ping(state: State) -> Response:
    return Response(status_code=_PING.get(state.backend.condition.state, 200))


@router.get("/metrics", **answers.instead_of_json({200: answers.file("Prometheus' text.", metrics.MIMETYPE)}))
async def show_metrics(state: State) -> Response:
    return Response(state.metrics.page(), media_type=metrics.MIMETYPE)
