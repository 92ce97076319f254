"""A text as it will be read, without speaking it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from chatterbox_worker.server import bodies, schemas, speech
from chatterbox_worker.server.state import State

router = APIRouter(tags=["speech"])


@router.post("/text", **schemas.json_body(schemas.PREVIEW))
async def show_text(http: Request, state: State) -> Response:
    """The chunks of a speech request: `start`, `end`, `text`, `spoken`, `pause_s` and `language` of each."""
    request = speech.parse(await bodies.read_object(http, schemas.known(schemas.PREVIEW)), state.settings)
    with state.admission.place():
        return JSONResponse(await state.backend.preview(request))
