"""Recorded speech said by another voice."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request, Response

from chatterbox_worker.request import parse_conversion, value_of_text
from chatterbox_worker.server import bodies, schemas, speech
from chatterbox_worker.server.state import State

router = APIRouter(tags=["speech"])

_FILES = ("audio", "reference_audio")
_FORM = schemas.CONVERSION_FORM["properties"]
_TEXTS = [name for name in _FORM if name not in _FILES]


@router.post("/voice-conversion", **schemas.VOICE_CONVERSION)
async def convert(http: Request, state: State) -> Response:
    """By JSON or by a form; the answer is a file, or the file while it is made with `stream`."""
    upload: bytes | None = None
    if bodies.is_form(http):
        async with bodies.read_form(http, files=_FILES, texts=_TEXTS) as form:
            upload = form.pop("audio", None)
            fields = _typed(form)
    else:
        fields = await bodies.read_object(http, schemas.known(schemas.CONVERSION))
    options = speech.take_options(fields)
    if "voice" in fields:
        fields["voice"] = bodies.voice_id(fields["voice"])
    request = parse_conversion(fields, state.settings, upload)
    return await speech.respond(http, state, request, options)


def _typed(form: dict[str, Any]) -> dict[str, Any]:
    """The fields as JSON would have them. Raises InvalidRequest."""
    form.pop("filename", None)
    for name in form.keys() - _FILES:
        form[name] = value_of_text(name, form[name], _FORM[name])
    if "reference_audio" in form:
        form["reference_audio"] = base64.b64encode(form["reference_audio"]).decode("ascii")
    return form
