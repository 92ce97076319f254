"""How the server is doing; answers from memory, whatever the models are at."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from chatterbox_worker import __version__
from chatterbox_worker.server import metrics
from chatterbox_worker.server.state import TheHouse

router = APIRouter(tags=["operations"])

_VERSION = __version__
_PING = {"starting": 204, "failed": 503}  # RunPod's load balancer: 204 is still starting, 200 is ready


@router.get("/health")
async def health(house: TheHouse) -> JSONResponse:
    condition = house.backend.condition
    told: dict[str, Any] = {
        "status": "ok" if condition.state == "ready" else condition.state,
        "version": _VERSION,
        "backend": house.settings.backend,
        "models": list(house.settings.models),
        "requests": {"inside": house.admission.inside, "places": house.admission.places},
        "uptime_s": round(time.monotonic() - house.started_s, 1),
    }
    if condition.reason:
        told["reason"] = condition.reason
    return JSONResponse(told, 503 if condition.state == "failed" else 200)


@router.get("/ping")
async def ping(house: TheHouse) -> Response:
    return Response(status_code=_PING.get(house.backend.condition.state, 200))


@router.get("/metrics", response_class=Response)
async def show_metrics(house: TheHouse) -> Response:
    return Response(house.metrics.page(), media_type=metrics.MIMETYPE)
