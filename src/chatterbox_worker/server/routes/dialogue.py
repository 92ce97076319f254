"""Several voices in one recording: `turns`, or a script. The core speaks them as it speaks any other request."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.request import MOST_TURNS
from chatterbox_worker.server import bodies, schemas, speech
from chatterbox_worker.server.state import State

router = APIRouter(tags=["speech"])


@router.post("/dialogue", **schemas.speech(schemas.DIALOGUE))
async def dialogue(http: Request, state: State) -> Response:
    """`turns`, each with a text and any field of speech; fields next to `turns` are the defaults of all turns.

    Or a `text` with the `text_format` script, in which each turn begins with a name: `[alice]: Hello.`
    """
    fields = await bodies.read_object(http, schemas.known(schemas.DIALOGUE))
    options = speech.take_options(fields)
    if "turns" not in fields and fields.get("text_format") != "script":
        raise InvalidRequest(
            f"turns must be a list of 1 to {MOST_TURNS} objects, each with a text; or give a text with the text_format "
            "script",
            field="turns",
        )
    return await speech.answer(http, state, fields, options)
